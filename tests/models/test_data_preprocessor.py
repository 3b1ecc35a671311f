from __future__ import annotations

from typing import Any

import pytest
import torch

from hicmae_mm.models.data_preprocessor import AudioVisualDataPreprocessor
from hicmae_mm.structures import EmotionDataSample, TokenMask

MEAN, STD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)


def _batch(size: int = 2, **extra: Any) -> dict[str, Any]:
    generator = torch.Generator().manual_seed(0)
    inputs = dict(
        video=torch.randint(0, 256, (size, 4, 6, 8, 3), dtype=torch.uint8, generator=generator),
        audio=torch.randn(size, 1, 10, 5, generator=generator),
    )
    samples = [EmotionDataSample().set_gt_label(i % 3) for i in range(size)]
    return dict(inputs=inputs, data_samples=samples, skipped=[], **extra)


def test_frames_are_normalised_and_channels_come_first() -> None:
    batch = _batch()
    prepared = AudioVisualDataPreprocessor()(batch)
    video = prepared['inputs']['video']
    assert video.shape == (2, 3, 4, 6, 8)
    assert video.dtype == torch.float32
    assert video.is_contiguous()
    for channel in range(3):
        expected = (batch['inputs']['video'][..., channel].float() - MEAN[channel]) / STD[channel]
        torch.testing.assert_close(video[:, channel], expected)
    assert prepared['inputs']['audio'] is batch['inputs']['audio']
    assert prepared['data_samples'] is batch['data_samples']
    assert set(prepared) == {'inputs', 'data_samples'}  # the keyword arguments of a model
    assert batch['inputs']['video'].dtype == torch.uint8


def test_denormalising_gives_the_frames_back() -> None:
    preprocessor, frames = AudioVisualDataPreprocessor(), _batch()['inputs']['video']
    assert torch.equal(preprocessor.denormalize(preprocessor.normalize(frames)), frames)


def test_masks_become_indices() -> None:
    mask = torch.tensor([[True, False, True], [False, True, True]])
    prepared = AudioVisualDataPreprocessor()(_batch(masks=dict(video=mask)))
    assert isinstance(prepared['masks']['video'], TokenMask)
    assert prepared['masks']['video'].visible.tolist() == [[1], [0]]
    with pytest.raises(ValueError, match=r'video.*no visible token|video.*leaves no'):
        AudioVisualDataPreprocessor()(_batch(masks=dict(video=torch.ones(2, 3, dtype=torch.bool))))


@pytest.mark.parametrize('streams', [('video',), ('audio',)])
def test_one_stream_alone(streams: tuple[str, ...]) -> None:
    batch = _batch()
    batch['inputs'] = {name: batch['inputs'][name] for name in streams}
    assert tuple(AudioVisualDataPreprocessor()(batch)['inputs']) == streams


def test_mixes_only_while_training() -> None:
    torch.manual_seed(0)
    augment = dict(type='MixupCutmix', num_classes=3, cutmix_alpha=0.0)
    preprocessor = AudioVisualDataPreprocessor(batch_augment=augment)
    plain = preprocessor(_batch())
    assert 'gt_score' not in plain['data_samples'][0]
    mixed = preprocessor(_batch(), training=True)
    assert mixed['data_samples'][0].gt_score.sum() == pytest.approx(1)
    assert not torch.equal(mixed['inputs']['audio'], plain['inputs']['audio'])
    with pytest.raises(ValueError, match='the batch has masks'):
        preprocessor(_batch(masks=dict(video=torch.tensor([[True, False]] * 2))), training=True)


def test_nothing_but_parameters_of_the_model_is_stored() -> None:
    assert AudioVisualDataPreprocessor(batch_augment=dict(type='MixupCutmix', num_classes=3)).state_dict() == {}


def test_inputs_and_options_are_checked() -> None:
    preprocessor = AudioVisualDataPreprocessor()
    with pytest.raises(TypeError, match=r'video must be uint8 frames of 0\.\.255, got torch\.float32'):
        preprocessor.normalize(torch.zeros(1, 2, 4, 4, 3))
    with pytest.raises(ValueError, match=r'video must be \(B, T, H, W, 3\)'):
        preprocessor.normalize(torch.zeros(1, 3, 2, 4, 4, dtype=torch.uint8))
    with pytest.raises(ValueError, match='mean and std need three numbers'):
        AudioVisualDataPreprocessor(mean=(0.5,))


@pytest.mark.gpu
def test_normalises_on_the_device() -> None:
    expected = AudioVisualDataPreprocessor()(_batch())['inputs']['video']
    prepared = AudioVisualDataPreprocessor().to('cuda')(_batch(masks=dict(video=torch.tensor([[True, False]] * 2))))
    assert prepared['inputs']['video'].is_cuda
    assert prepared['masks']['video'].visible.is_cuda
    torch.testing.assert_close(prepared['inputs']['video'].cpu(), expected)


def test_presence_becomes_indices_and_reaches_the_mixing() -> None:
    present = dict(audio=torch.tensor([True, False, True]))
    augment = dict(type='MixupCutmix', num_classes=3, cutmix_alpha=0.0)
    batch = _batch(3, present=present)
    prepared = AudioVisualDataPreprocessor(batch_augment=augment)(batch, training=True)
    assert prepared['present']['audio'].rows.tolist() == [0, 2]
    assert prepared['present']['audio'].num_rows == 3
    assert [int((sample.gt_score > 0).sum()) for sample in prepared['data_samples']] == [2, 1, 2]
    assert torch.equal(prepared['inputs']['audio'][1], batch['inputs']['audio'][1])
