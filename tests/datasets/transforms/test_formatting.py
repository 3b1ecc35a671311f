from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from hicmae_mm.datasets import collate_streams
from hicmae_mm.datasets.transforms import PackAudioVisual, PackStreams
from hicmae_mm.structures import EmotionDataSample, Padded


def _results(**extra: Any) -> dict[str, Any]:
    imgs = [np.full((6, 5, 3), i, dtype=np.uint8) for i in range(8)]
    results = dict(
        streams=('video', 'audio'), imgs=imgs, spectrograms=torch.zeros(2, 7, 4), num_clips=2, sample_id='a',
        sample_idx=3, video_path='a.mp4', audio_path=None, gt_label=1,
    )  # fmt: skip
    return results | extra


def test_the_column_of_an_absent_stream_is_not_packed() -> None:
    pack = PackStreams(arrays=('face', 'voice'), sequences=dict(text='text'))
    results = dict(streams=('voice',), absent_streams=('face', 'text'), voice=np.zeros((1, 2)), face='a.npy', text=None)
    packed = pack(results)
    assert list(packed['inputs']) == ['voice']
    assert packed['absent_streams'] == ('face', 'text')


def test_a_column_is_not_taken_for_a_stream_that_the_data_set_does_not_have() -> None:
    pack = PackStreams(arrays=('voice',), sequences=dict(text='text'), optional=True)
    results = dict(streams=('voice',), voice=np.zeros((1, 2)), text='hello', sample_id='a')
    assert list(pack(results)['inputs']) == ['voice']
    with pytest.raises(ValueError, match="expected a sequence, got the text 'hello'"):
        pack({**results, 'streams': ('voice', 'text')})
    assert list(pack({**results, 'streams': ('text',), 'voice': 'a.npy', 'text': np.ones((2, 3))})['inputs']) == [
        'text'
    ]


def test_packs_everything() -> None:
    packed = PackAudioVisual()(_results(masks=dict(video=np.arange(10) < 5)))
    video, audio, masks = packed['inputs']['video'], packed['inputs']['audio'], packed['masks']['video']
    assert (video.shape, video.dtype) == ((2, 4, 6, 5, 3), torch.uint8)
    assert video[:, :, 0, 0, 0].tolist() == [[0, 1, 2, 3], [4, 5, 6, 7]]
    assert (audio.shape, audio.dtype) == ((2, 1, 7, 4), torch.float32)
    assert (masks.shape, masks.dtype) == ((2, 10), torch.bool)
    sample = packed['data_samples']
    assert sample.gt_label.tolist() == [1]
    assert (sample.sample_id, sample.sample_idx, sample.num_views) == ('a', 3, 2)
    assert (sample.video_path, sample.audio_path) == ('a.mp4', None)


def test_streams_that_a_clip_does_without_are_named() -> None:
    results = _results(streams=('video',), absent_streams=('audio',))
    del results['spectrograms']
    packed = PackAudioVisual()(results)
    assert (list(packed['inputs']), packed['absent_streams']) == (['video'], ('audio',))
    assert 'absent_streams' not in PackAudioVisual(streams=('video',))(results)  # not wanted anyway
    assert 'absent_streams' not in PackAudioVisual()(_results())


def test_values_further_meta_keys_and_chosen_streams() -> None:
    results = _results(gt_values=[0.5, 1.0], frame_inds=[1, 2])
    del results['gt_label']
    packed = PackAudioVisual(streams=('audio',), meta_keys=('frame_inds',))(results)
    assert list(packed['inputs']) == ['audio']
    assert 'masks' not in packed
    assert packed['data_samples'].gt_values.tolist() == [0.5, 1.0]
    assert packed['data_samples'].frame_inds == [1, 2]
    assert 'gt_label' not in packed['data_samples']


def test_nothing_to_pack() -> None:
    results = _results()
    del results['imgs']
    with pytest.raises(ValueError, match=r"nothing to pack for the streams \['video'\]"):
        PackAudioVisual(streams=('video',))(results)
    with pytest.raises(ValueError, match='streams must be some of'):
        PackAudioVisual(streams=('text',))


def test_streams_of_any_name_and_length_are_packed() -> None:
    results = dict(sample_id='a', streams=('pose', 'text', 'words'), num_clips=2, pose=np.zeros((2, 3, 4), np.float32))
    results['ids'] = np.array([5, 7])
    results['spoken'] = [torch.zeros(3, 2), torch.ones(1, 2)]
    packed = PackStreams(arrays=('pose',), sequences=dict(text='ids', words='spoken'))(results)
    assert packed['inputs']['pose'].shape == (2, 3, 4)
    assert packed['inputs']['text'].values.tolist() == [[5, 7], [5, 7]]
    assert packed['inputs']['words'].lengths.tolist() == [3, 1]
    longer = {**packed['inputs'], 'text': Padded.stack([torch.arange(4)] * 2)}
    batch = collate_streams([packed, {**packed, 'inputs': longer}])
    assert batch['inputs']['text'].values.shape == (4, 4)
    assert batch['inputs']['text'].lengths.tolist() == [2, 2, 4, 4]


def test_an_absent_sequence_has_length_zero() -> None:
    pack = PackStreams(arrays=(), sequences=dict(text='ids', words='words'))
    both = pack(dict(streams=('text', 'words'), ids=np.array([1]), words=np.ones((2, 3)), sample_id='a'))
    one = pack(dict(streams=('words',), absent_streams=('text',), words=np.ones((1, 3)), sample_id='b'))
    batch = collate_streams([both, one])
    assert batch['inputs']['text'].lengths.tolist() == [1, 0]
    assert batch['present']['text'].tolist() == [True, False]


def test_what_cannot_be_packed_is_named() -> None:
    with pytest.raises(ValueError, match=r"every stream is an array or a sequence, got arrays=\('a',\)"):
        PackStreams(arrays=('a',), sequences=dict(a='x'))
    with pytest.raises(ValueError, match=r'pose: expected one array per view, \(1, ...\), got \(3, 4\)'):
        PackStreams(arrays=('pose',))(dict(pose=np.zeros((3, 4)), streams=('pose',)))
    with pytest.raises(ValueError, match=r"nothing to pack for the streams \['text'\]"):
        PackStreams(arrays=('pose',), sequences=dict(text='ids'))(dict(pose=np.zeros((1, 4)), streams=('pose',)))
    sequence, array = torch.zeros(1, 2), Padded.stack([torch.zeros(2)])
    samples = [dict(inputs=dict(x=value), data_samples=EmotionDataSample()) for value in (sequence, array)]
    with pytest.raises(ValueError, match='x is a sequence in some clips and an array in others'):
        collate_streams(samples)
