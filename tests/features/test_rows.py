"""Rows of clips: averages over views, and the time of every step, computed by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from hicmae_mm.features.extractor import FeatureExtractor
from hicmae_mm.features.rows import RowMaker, sample_fields
from hicmae_mm.models import AudioVisualRecognizer
from hicmae_mm.structures import EmotionDataSample, Padded
from tests.models.tiny import build, recognizer_config


def _sample(views: int, **changes: Any) -> EmotionDataSample:
    """Two temporal views of 4 frames, the first every 2nd from 0 on, the second from 8 on; 10 frames a second."""
    meta = dict(
        sample_id='x',
        num_views=views,
        frame_inds=np.array([0, 2, 4, 6, 8, 10, 12, 14]),
        clip_len=4,
        avg_fps=10.0,
        audio_seconds=[(0.0, 1.0), (0.8, 0.9)],
    )
    return EmotionDataSample(metainfo=meta | changes)


def _rows(level: str, views: int, keeps_views: bool = False, **changes: Any) -> dict[str, Any]:
    extractor = FeatureExtractor(build(recognizer_config()), level=level)
    shape = (views, 3) if level == 'clip' else (views, 2, 3)
    names = list(extractor.definitions())
    columns = {name: torch.arange(float(np.prod(shape))).reshape(shape) for name in names}
    batch = dict(inputs=dict(video=0, audio=0), data_samples=[_sample(views, **changes)])
    (row,) = RowMaker(extractor, keeps_views)(columns, batch, [7])
    return row


def test_views_are_averaged_or_kept() -> None:
    row = _rows('clip', 4)
    assert (row['index'], row['sample_id'], row['streams']) == (7, 'x', 'video audio')
    np.testing.assert_array_equal(row['clip'], [4.5, 5.5, 6.5])
    assert _rows('clip', 4, keeps_views=True)['clip'].shape == (4, 3)


def test_time_steps_of_all_temporal_views() -> None:
    row = _rows('frame', 4)  # two temporal views of two crops each
    assert row['video_layer2'].shape == (4, 3)
    # step 0 of view 0: rows 0 and 2 of twelve numbers by six
    np.testing.assert_array_equal(row['video_layer2'][:, 0], [(0 + 6) / 2, (3 + 9) / 2, (12 + 18) / 2, (15 + 21) / 2])
    np.testing.assert_allclose(row['video_seconds'], [0, 0.4, 0.8, 1.2])
    np.testing.assert_allclose(row['audio_seconds'], [0, 0.16, 0.8, np.nan])
    kept = _rows('frame', 4, keeps_views=True)
    assert kept['video_layer2'].shape == (4, 2, 3)
    np.testing.assert_allclose(kept['video_seconds'], [[0, 0.4], [0, 0.4], [0.8, 1.2], [0.8, 1.2]])


def test_rows_behind_the_end_of_the_sound_have_no_time() -> None:
    """A filterbank frame takes 25 ms: the step at 0.16 s needs sound up to 0.185 s."""
    for end, has_step in ((0.185, True), (0.184, False)):
        seconds = _rows('frame', 2, audio_seconds=[(0.0, end), (0.0, end)])['audio_seconds']
        assert np.isfinite(seconds).tolist() == [True, has_step] * 2


def test_unknown_frame_rate() -> None:
    assert np.isnan(_rows('frame', 2, avg_fps=None)['video_seconds']).all()


@pytest.mark.parametrize(('level', 'rows'), [('clip', (3,)), ('frame', (0, 3))])
def test_absent_streams(level: str, rows: tuple[int, ...]) -> None:
    extractor = FeatureExtractor(build(recognizer_config()), level=level)
    shape = (2, 3) if level == 'clip' else (2, 2, 3)
    columns = {name: torch.zeros(shape) for name in extractor.definitions()}
    sample = _sample(2, audio_seconds=None)
    batch = dict(inputs=dict(video=0), present=dict(audio=torch.tensor([False] * 2)), data_samples=[sample])
    (row,) = RowMaker(extractor)(columns, batch, [0])
    assert row['streams'] == 'video'
    assert row['audio_layer2'].shape == row['fusion_audio'].shape == rows
    if level == 'frame':
        assert len(row['audio_seconds']) == 0
        assert row['video_layer2'].shape == (4, 3)


def test_sequences_lose_their_padding_and_are_stored_once() -> None:
    """Two views of one clip of two words, and one view of a clip of three words; the sound differs between views."""
    encoder = dict(type='FeatureLSTMEncoder', in_channels=1, hidden_dims=4)
    head = dict(type='ClassificationHead', num_classes=2)
    model = AudioVisualRecognizer(
        encoders=dict(text=encoder, sound=encoder), head=head, aggregator=dict(type='MeanPoolAggregator')
    )
    text = Padded(torch.tensor([[1.0, 2, 0], [1, 2, 0], [3, 4, 5]]).unsqueeze(2), torch.tensor([2, 2, 3]))
    sound = Padded(torch.tensor([[1.0, 2, 0], [5, 6, 7], [8, 0, 0]]).unsqueeze(2), torch.tensor([2, 3, 1]))
    samples = [
        EmotionDataSample(metainfo=dict(sample_id=name, num_views=views)) for name, views in (('a', 2), ('b', 1))
    ]
    batch = dict(inputs=dict(text=text, sound=sound), data_samples=samples)
    made = FeatureExtractor(model, ['text', 'sound'], level='frame')
    rows = RowMaker(made)(dict(text_layer0=text, sound_layer0=sound), batch, [0, 1])
    assert [row['text_layer0'].ravel().tolist() for row in rows] == [[1, 2], [3, 4, 5]]
    assert [row['sound_layer0'].ravel().tolist() for row in rows] == [[1, 2, 5, 6, 7], [8]]
    with pytest.raises(ValueError, match='clips differ in the length of text_layer0.*leave --views out'):
        RowMaker(made, keeps_views=True)(dict(text_layer0=text), batch, [0, 1])


def test_fields_of_a_sample() -> None:
    sample = EmotionDataSample().set_gt_label(2).set_pred_score([0.25, 0.75]).set_gt_values([1.0, 2.0])
    found = sample_fields(sample)
    assert {name: value.tolist() for name, value in found.items()} == dict(
        gt_label=2, gt_values=[1.0, 2.0], pred_label=1, pred_score=[0.25, 0.75]
    )
