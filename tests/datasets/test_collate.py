from __future__ import annotations

from typing import Any

import pytest
import torch

from hicmae_mm.datasets import collate_audio_visual
from hicmae_mm.structures import EmotionDataSample, SkippedSample


def _sample(name: str, views: int = 1, has_masks: bool = False, size: int = 8, **streams: bool) -> dict[str, Any]:
    inputs = dict(
        video=torch.full((views, 2, size, size, 3), ord(name), dtype=torch.uint8),
        audio=torch.full((views, 1, 4, 6), float(ord(name))),
    )
    inputs = {key: value for key, value in inputs.items() if streams.get(key, True)}
    packed: dict[str, Any] = dict(inputs=inputs, data_samples=EmotionDataSample(metainfo=dict(sample_id=name)))
    if has_masks:
        packed['masks'] = dict(video=torch.zeros(views, 10, dtype=torch.bool))
    return packed


def test_views_are_joined_in_order() -> None:
    batch = collate_audio_visual([_sample('a', 2), _sample('b', 1), _sample('c', 4)])
    assert set(batch) == {'inputs', 'data_samples', 'skipped'}
    assert batch['inputs']['video'].shape == (7, 2, 8, 8, 3)
    assert batch['inputs']['video'].dtype == torch.uint8
    assert batch['inputs']['audio'].shape == (7, 1, 4, 6)
    assert ''.join(chr(int(view)) for view in batch['inputs']['audio'][:, 0, 0, 0]) == 'aabcccc'
    assert [sample.sample_id for sample in batch['data_samples']] == ['a', 'b', 'c']
    assert batch['skipped'] == []


def test_masks_travel() -> None:
    batch = collate_audio_visual([_sample('a', has_masks=True), _sample('b', has_masks=True)])
    assert batch['masks']['video'].shape == (2, 10)


def test_skipped_samples_are_set_aside() -> None:
    skipped = SkippedSample('b', 'b.mp4: no such file')
    batch = collate_audio_visual([_sample('a'), skipped, _sample('c')])
    assert batch['skipped'] == [skipped]
    assert batch['inputs']['video'].shape[0] == len(batch['data_samples']) == 2


def test_nothing_left_names_every_reason() -> None:
    with pytest.raises(ValueError, match=r'all 2 samples .* a: no file; b: truncated'):
        collate_audio_visual([SkippedSample('a', 'no file'), SkippedSample('b', 'truncated')])


def test_samples_that_do_not_fit_are_named() -> None:
    with pytest.raises(ValueError, match=r'b: inputs\.video has shape \(1, 2, 9, 9, 3\)'):
        collate_audio_visual([_sample('a'), _sample('b', size=9)])
    with pytest.raises(ValueError, match=r"b: inputs has \['video'\], others of the batch \['audio', 'video'\]"):
        collate_audio_visual([_sample('a'), _sample('b', audio=False)])
    with pytest.raises(ValueError, match='b: masks has'):
        collate_audio_visual([_sample('a', has_masks=True), _sample('b')])


def test_clips_may_do_without_a_stream_on_purpose() -> None:
    silent = _sample('b', 3, audio=False) | dict(absent_streams=('audio',))
    unseen = _sample('c', 1, video=False) | dict(absent_streams=('video',))
    batch = collate_audio_visual([_sample('a', 2), silent, unseen])
    assert batch['present']['audio'].tolist() == [True, True, False, False, False, True]
    assert batch['present']['video'].tolist() == [True] * 5 + [False]
    assert batch['inputs']['audio'][:, 0, 0, 0].tolist() == [97, 97, 0, 0, 0, 99]
    assert batch['inputs']['video'].shape == (6, 2, 8, 8, 3)
    assert not batch['inputs']['video'][5].any()

    batch = collate_audio_visual([silent, silent])  # there are no inputs of what no clip has
    assert list(batch['inputs']) == ['video']
    assert {name: rows.tolist() for name, rows in batch['present'].items()} == dict(audio=[False] * 6)
    assert list(collate_audio_visual([unseen, silent])['inputs']) == ['audio', 'video']
