"""Alignment with features that data samples carry, and one encoder for two streams."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from hicmae_mm.datasets.errors import MediaError
from hicmae_mm.datasets.transforms import LoadFeatureTarget
from tests.models import tiny
from tests.models.test_models import clips

TIED = {'encoders.audio.blocks': 'encoders.video.blocks', 'encoders.audio.norm': 'encoders.video.norm'}
TEXT = dict(type='FeatureAlignment', feature_dims=5, embed_dims=4)


def unified(config: dict[str, Any], **options: Any) -> nn.Module:
    for encoder in config['encoders'].values():
        encoder['stream_embedding'] = True
    return tiny.build(config | dict(tied=TIED, objectives=dict(text=TEXT)) | options)


def samples(*with_text: bool) -> list[Any]:
    found = clips(*range(len(with_text)))
    for number, (sample, has_text) in enumerate(zip(found, with_text)):
        if has_text:
            sample.set_target('text', torch.arange(5.0) * (number + 1) - number)
    return found


def test_clips_with_a_vector_are_contrasted_path_by_path() -> None:
    model = unified(tiny.recognizer_config(head=dict(type='ClassificationHead', num_classes=4)))
    inputs, labelled = tiny.inputs(4), samples(True, False, True, True)
    losses = model(inputs, labelled, mode='loss')
    text = model.objectives['text']
    vectors = text.project(torch.stack([labelled[i].gt_text for i in (0, 2, 3)]))
    for name in ('video', 'audio'):
        pooled = text.paths[name](model.encoders[name](inputs[name]).tokens.mean(dim=1))
        torch.testing.assert_close(losses[f'loss_{name}_text'], text.criterion(pooled[[0, 2, 3]], vectors))
    sum(losses.values()).backward()
    assert all(parameter.grad is not None for parameter in model.parameters())
    assert model.encoders['audio'].stream_embed.grad.abs().sum() > 0


def test_too_few_vectors_give_a_loss_of_0_and_gradients() -> None:
    model = unified(tiny.pretrainer_config(contrastive=None))
    for labelled in (samples(False, False), samples(True, False)):
        losses = model(tiny.inputs(), labelled, tiny.masks(), mode='loss')
        assert losses['loss_video_text'] == losses['loss_audio_text'] == 0
        sum(losses.values()).backward()
        assert all(parameter.grad is not None for parameter in model.parameters())


def test_absent_streams_are_not_aligned() -> None:
    model = unified(
        tiny.recognizer_config(head=dict(type='ClassificationHead', num_classes=4)), missing_streams='zero'
    ).eval()
    inputs, present = tiny.inputs(4), dict(audio=torch.tensor([True, True, False, True]))
    losses = model(inputs, samples(*[True] * 4), present, mode='loss')
    rows = torch.tensor([0, 1, 3])
    without = model(
        {name: value[rows] for name, value in inputs.items()},
        [sample for i, sample in enumerate(samples(*[True] * 4)) if i != 2],
        mode='loss',
    )
    torch.testing.assert_close(losses['loss_audio_text'], without['loss_audio_text'])
    assert not torch.allclose(losses['loss_video_text'], without['loss_video_text'])


def test_a_vector_of_another_length_is_refused() -> None:
    model, labelled = unified(tiny.recognizer_config()), clips(0, 1)
    labelled[1].set_target('text', torch.zeros(3))
    with pytest.raises(ValueError, match="target 'text' has 3 numbers, FeatureAlignment expects feature_dims=5"):
        model(tiny.inputs(), labelled, mode='loss')


def test_any_subset_of_streams() -> None:
    model = unified(tiny.recognizer_config(fusion=None), missing_streams='zero').eval()
    inputs = tiny.inputs()
    with torch.no_grad():
        outputs: list[Tensor] = [model(inputs), *(model({name: value}) for name, value in inputs.items())]
    assert [tuple(output.shape) for output in outputs] == [(2, 3)] * 3
    assert model.encoders['video'].layer_id('stream_embed') == 0


def results(folder: Path, name: str) -> dict[str, Any]:
    return dict(sample_id=name, streams=('video',), data_folders={'': str(folder)}, num_clips=2)


def test_vectors_are_read_as_targets(tmp_path: Path) -> None:
    (tmp_path / 'texts' / 'video').mkdir(parents=True)
    np.save(tmp_path / 'texts' / 'video' / 'a.npy', np.arange(6, dtype=np.float64).reshape(2, 3))
    load = LoadFeatureTarget('text', 'texts')
    assert load(results(tmp_path, 'video/a.mp4'))['targets']['text'].tolist() == [1.5, 2.5, 3.5]
    with pytest.raises(FileNotFoundError, match=r"no feature of the clip 'video/b.mp4'"):
        load(results(tmp_path, 'video/b.mp4'))
    optional = LoadFeatureTarget('text', 'texts', is_optional=True)
    assert 'targets' not in optional(results(tmp_path, 'video/b.mp4'))
    with pytest.raises(FileNotFoundError, match='the folder of features .*nothing does not exist'):
        LoadFeatureTarget('text', 'nothing', is_optional=True)(results(tmp_path, 'video/b.mp4'))


def test_vectors_of_a_column(tmp_path: Path) -> None:
    np.save(tmp_path / 'a.npy', np.ones(3, np.float32))
    row = results(tmp_path, 'a') | dict(columns=dict(text='a.npy'))
    assert LoadFeatureTarget('text')(row)['targets']['text'].tolist() == [1, 1, 1]
    empty = results(tmp_path, 'a') | dict(columns=dict(text=''))
    assert 'targets' not in LoadFeatureTarget('text', is_optional=True)(dict(empty))
    with pytest.raises(MediaError, match="the column 'text' is empty"):
        LoadFeatureTarget('text')(empty)
