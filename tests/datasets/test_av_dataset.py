from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.runner import Runner

from hicmae_mm.datasets import AudioVisualDataset, MediaError, SampleIndex, collate_audio_visual
from hicmae_mm.datasets.annotations import TextRecords
from hicmae_mm.registry import DATASETS
from hicmae_mm.structures import SkippedSample
from tests.conftest import MediaFolder

TRAIN = [
    dict(type='OpenVideo'),
    dict(type='SampleClips', mode='train', clip_len=4, frame_interval=2),
    dict(type='DecodeFrames'),
    dict(type='ClipRandAugment'),
    dict(type='mmaction.RandomResizedCrop'),
    dict(type='mmaction.Resize', scale=(32, 32), keep_ratio=False),
    dict(type='mmaction.Flip'),
    dict(type='ClipRandomErasing', prob=0.5),
    dict(type='LoadAudio'),
    dict(type='RandomGain'),
    dict(type='Filterbank', num_mel_bins=16, target_length=32),
    dict(type='SpecMasking', freq_mask=4, time_mask=8),
    dict(type='TubeMask', ratio=0.5, grid=(2, 2, 2)),
    dict(type='RandomMask', ratio=0.5, grid=(2, 2)),
    dict(type='PackAudioVisual'),
]
TEST = [
    dict(type='OpenVideo'),
    dict(type='SampleClips', mode='test', clip_len=4, frame_interval=2, num_clips=2),
    dict(type='DecodeFrames'),
    dict(type='LoadAudio'),
    dict(type='Filterbank', num_mel_bins=16, target_length=32),
    dict(type='SpatialViews', num_views=2, size=32),
    dict(type='PackAudioVisual'),
]


def _dataset(media: MediaFolder, *lines: str, pipeline: list = TEST, **options: Any) -> AudioVisualDataset:
    config = dict(type='AudioVisualDataset', ann_file='ann.csv', data_root=str(media.root), pipeline=pipeline)
    media.annotation(*lines)
    return DATASETS.build(config | dict(num_classes=3) | options)


def _corpus(media: MediaFolder) -> tuple[str, ...]:
    """One clip of each kind: video and wav, video with its own sound, folder of frames and flac."""
    media.video('a.mp4', width=96)
    media.wav('a.wav')
    media.frame_folder('face')
    media.wav('face.flac')
    return 'a.mp4 a.wav 0', 'a.mp4 - 1', 'face face.flac 2'


def test_every_kind_of_sample_has_the_stated_shapes(media: MediaFolder) -> None:
    dataset = _dataset(media, *_corpus(media))
    assert len(dataset) == 3
    for index, views in ((0, 4), (1, 4), (2, 2)):  # crops of square frames coincide and are merged
        packed = dataset[index]
        assert packed['inputs']['video'].shape == (views, 4, 32, 32, 3)
        assert packed['inputs']['video'].dtype == torch.uint8
        assert packed['inputs']['audio'].shape == (views, 1, 32, 16)
        assert 'masks' not in packed
        sample = packed['data_samples']
        assert (sample.gt_label.tolist(), sample.num_views, sample.sample_idx) == ([index], views, index)
    assert dataset[0]['data_samples'].sample_id == 'a.mp4'
    assert dataset[0]['data_samples'].audio_path == str(media.root / 'a.wav')
    assert dataset[1]['data_samples'].audio_path is None


def test_own_sound_track_equals_the_wav_it_was_made_from(media: MediaFolder) -> None:
    dataset = _dataset(media, *_corpus(media))
    wav, track = (dataset[index]['inputs']['audio'] for index in (0, 1))
    assert (wav - track).abs().mean() < 0.15  # AAC loses the quiet bins


def test_training_pipeline_with_masks(media: MediaFolder) -> None:
    packed = _dataset(media, *_corpus(media), pipeline=TRAIN)[0]
    assert packed['inputs']['video'].shape == (1, 4, 32, 32, 3)
    assert packed['masks']['video'].shape == (1, 8)
    assert packed['masks']['video'].sum() == 4
    assert packed['masks']['audio'].sum() == 2


def test_prefixes_metainfo_values_and_indices(media: MediaFolder) -> None:
    _corpus(media)
    dataset = _dataset(media, 'face face.flac joy', num_classes=None, metainfo=dict(classes=('anger', 'joy')))
    assert dataset[0]['data_samples'].gt_label.tolist() == [1]
    assert dataset.metainfo['classes'] == ('anger', 'joy')
    (media.root / 'wav').mkdir()
    (media.root / 'a.wav').rename(media.root / 'wav' / 'b.wav')
    lines = ('a.mp4 b.wav 0.5 1', 'a.mp4 b.wav 0.25 2')
    dataset = _dataset(media, *lines, task='regression', data_prefix=dict(audio='wav'), indices=1)
    assert len(dataset) == 1
    assert dataset[0]['data_samples'].gt_values.tolist() == [0.5, 1.0]


@pytest.mark.parametrize('stream', ['video', 'audio'])
def test_stream_that_is_left_out_is_not_opened(media: MediaFolder, stream: str) -> None:
    _corpus(media)
    line = dict(video='a.mp4 no_such_file.wav 0', audio='no_such_file.mp4 a.wav 0')[stream]
    for pipeline in (TRAIN, TEST):
        packed = _dataset(media, line, streams=(stream,), pipeline=pipeline)[0]
        assert list(packed['inputs']) == [stream]
        assert list(packed.get('masks', {stream: None})) == [stream]


def test_audio_alone_is_cut_as_with_the_video(media: MediaFolder) -> None:
    lines = _corpus(media)
    both, alone = _dataset(media, lines[0])[0], _dataset(media, lines[0], streams=('audio',))[0]
    torch.testing.assert_close(both['inputs']['audio'][::2], alone['inputs']['audio'])  # crops repeat the sound


def test_sample_without_video_column(media: MediaFolder) -> None:
    _corpus(media)
    assert _dataset(media, '- a.wav 0', streams=('audio',))[0]['data_samples'].sample_id == 'a.wav'
    with pytest.raises(MediaError, match=r"line 1: the sample names no video.*streams=\('audio',\)"):
        _dataset(media, '- a.wav 0')[0]


def _bad_lines(media: MediaFolder) -> dict[str, str]:
    video = media.video('a.mp4')
    media.video('mute.mp4', has_sound=False)
    media.truncated(video)
    media.wav('a.wav')
    return {
        'none.mp4 a.wav 0': r'none\.mp4: no such file',
        'a.mp4 none.wav 0': r'none\.wav: no such file',
        'truncated_a.mp4 a.wav 0': r'truncated_a\.mp4: the file is truncated',
        'mute.mp4 - 0': r'mute\.mp4: the file has no sound track',
    }


def test_bad_media_raise_with_file_and_line(media: MediaFolder) -> None:
    for line, message in _bad_lines(media).items():
        with pytest.raises((FileNotFoundError, MediaError), match=rf'ann\.csv, line 2: .*{message}'):
            _dataset(media, 'a.mp4 a.wav 0', line)[1]


def test_bad_media_are_skipped_on_demand(media: MediaFolder) -> None:
    bad = _bad_lines(media)
    dataset = _dataset(media, 'a.mp4 a.wav 0', *bad, pipeline=TRAIN, on_error='skip')
    assert isinstance(dataset[0], dict)
    for index, line in enumerate(bad, start=1):
        skipped = dataset[index]
        assert isinstance(skipped, SkippedSample)
        assert skipped.sample_id == line.split()[0]
        assert f'line {index + 1}' in skipped.reason


def test_programming_errors_are_not_skipped(media: MediaFolder) -> None:
    _corpus(media)

    def broken(results: dict) -> dict:
        raise ValueError('a bug')

    dataset = _dataset(media, 'a.mp4 a.wav 0', pipeline=[broken], on_error='skip')
    with pytest.raises(ValueError, match='a bug'):
        dataset[0]


def test_silent_track_is_legal_and_constant(media: MediaFolder) -> None:
    media.video('a.mp4')
    media.wav('silence.wav', np.zeros(32000, dtype=np.float32))
    audio = _dataset(media, 'a.mp4 silence.wav 0')[0]['inputs']['audio']
    expected = (np.log(np.finfo(np.float32).eps) + 4.2677393) / (2 * 4.5689974)
    heard = audio[..., :24, :]  # the clip is shorter than 32 frames, padding follows
    torch.testing.assert_close(heard, torch.full_like(heard, expected), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(streams='text'), "streams must list different names, .* got 'text'"),
        (dict(streams=('audio', 'audio')), 'streams must list different names'),
        (dict(streams=()), 'streams must list different names'),
        (dict(on_error='ignore'), "on_error must be 'raise' or 'skip'"),
        (dict(data_prefix=dict(img='x')), r"data_prefix has folders of \['img'\], but streams"),
        (dict(num_classes=None), 'needs num_classes'),
    ],
)
def test_options_are_checked(media: MediaFolder, options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        _dataset(media, 'a b 0', **options)


def _same(first: dict, second: dict) -> bool:
    return all(torch.equal(first[part][key], second[part][key]) for part in ('inputs', 'masks') for key in first[part])


def test_seeded_sample_repeats_whatever_happened_before(media: MediaFolder) -> None:
    dataset = _dataset(media, *_corpus(media), pipeline=TRAIN)
    first = dataset[SampleIndex(0, seed=5, epoch=0)]
    dataset[1]
    random.random(), np.random.rand(), torch.rand(1)
    assert _same(first, dataset[SampleIndex(0, seed=5, epoch=0)])
    assert not _same(first, dataset[SampleIndex(0, seed=5, epoch=1)])
    assert not _same(first, dataset[SampleIndex(0, seed=6, epoch=0)])


def test_seeding_leaves_the_callers_generators_alone(media: MediaFolder) -> None:
    dataset = _dataset(media, *_corpus(media), pipeline=TRAIN)
    draws = []
    for _ in range(2):
        random.seed(0), np.random.seed(0), torch.manual_seed(0)
        if draws:
            dataset[SampleIndex(0, seed=5, epoch=0)]
        draws.append((random.random(), np.random.rand(), torch.rand(1).item()))
    assert draws[0] == draws[1]


def test_batches_do_not_depend_on_the_number_of_workers(media: MediaFolder, hicmae_scope: None) -> None:
    dataset = _dataset(media, *_corpus(media), *_corpus_again(), pipeline=TRAIN)
    batches = []
    for workers in (0, 2):
        config = dict(
            batch_size=2,
            num_workers=workers,
            sampler=dict(type='SeededSampler', shuffle=True),
            collate_fn=dict(type='collate_audio_visual'),
            dataset=dataset,
        )
        batches.append(list(Runner.build_dataloader(config, seed=7)))
    assert len(batches[0]) == 3
    for first, second in zip(*batches):
        assert _same(first, second)
        assert [s.sample_id for s in first['data_samples']] == [s.sample_id for s in second['data_samples']]


def _corpus_again() -> tuple[str, ...]:
    return 'a.mp4 a.wav 1', 'face face.flac 0'


def test_long_lists_load_quickly_and_compactly(tmp_path: Path) -> None:
    lines = '\n'.join(f'id{i:05d}/clip.mp4 id{i:05d}/clip.wav {i % 3}' for i in range(20000))
    (tmp_path / 'ann.csv').write_text(lines)
    dataset = AudioVisualDataset('ann.csv', [], data_root=str(tmp_path), num_classes=3)
    assert len(dataset) == 20000
    assert isinstance(dataset.data_list, TextRecords)  # not a record is held
    info = dataset.get_data_info(12345)
    assert info['video_path'] == str(tmp_path / 'id12345/clip.mp4')
    assert (info['gt_label'], info['position']) == (0, 'line 12346')
    assert dataset.get_data_info(-1)['sample_idx'] == 19999
    subset = dataset.get_subset([5, -1])
    assert [subset.get_data_info(index)['position'] for index in range(len(subset))] == ['line 6', 'line 20000']
    dataset.get_subset_(-3)
    assert (len(dataset), dataset.get_data_info(0)['position']) == (3, 'line 19998')
    with pytest.raises(IndexError):
        dataset.get_data_info(3)
    chosen = AudioVisualDataset('ann.csv', [], data_root=str(tmp_path), num_classes=3, indices=[7, 2])
    assert [chosen.get_data_info(index)['position'] for index in (0, 1)] == ['line 8', 'line 3']


def test_filters_of_subclasses_see_records(tmp_path: Path) -> None:
    class FirstClass(AudioVisualDataset):
        def filter_data(self) -> list[dict]:
            return [record for record in self.data_list if record['gt_label'] == 0]

    (tmp_path / 'ann.csv').write_text('a a 0\nb b 1\nc c 0\n')
    dataset = FirstClass('ann.csv', [], data_root=str(tmp_path), num_classes=2)
    assert [dataset.get_data_info(index)['position'] for index in range(len(dataset))] == ['line 1', 'line 3']


def test_a_clip_may_lack_a_stream_by_its_annotation(media: MediaFolder) -> None:
    _corpus(media)
    clips = [
        dict(video='a.mp4', audio='a.wav', label=0),
        dict(video='face', audio='absent.wav', label=1, streams=['video']),  # nothing of it is opened
        dict(video='absent.mp4', audio='face.flac', label=2, streams=['audio']),
    ]
    (media.root / 'ann.json').write_text(json.dumps(dict(data_list=clips)))
    dataset = _dataset(media, ann_file='ann.json')
    batch = collate_audio_visual([dataset[i] for i in range(3)])
    views = [int(sample.num_views) for sample in batch['data_samples']]
    has_sound = [True] * views[0] + [False] * views[1] + [True] * views[2]
    has_picture = [True] * (views[0] + views[1]) + [False] * views[2]
    assert batch['present']['audio'].tolist() == has_sound
    assert batch['present']['video'].tolist() == has_picture
    with pytest.raises(MediaError, match=r"data_list\[1\]: the sample has none of the streams \('audio',\)"):
        _dataset(media, ann_file='ann.json', streams=('audio',))[1]
    clips[1]['streams'] = ['sound track']
    (media.root / 'ann.json').write_text(json.dumps(dict(data_list=clips)))
    with pytest.raises(ValueError, match=r"data_list\[1\]: streams must be some of .* got \['sound track'\]"):
        len(_dataset(media, ann_file='ann.json'))


def test_dropping_streams_is_seeded_and_opens_nothing(media: MediaFolder) -> None:
    media.video('a.mp4')
    media.wav('a.wav')
    pipeline = [dict(type='DropStream', stream=('video', 'audio'), prob=0.5), *TEST]
    dataset = _dataset(media, *['a.mp4 a.wav 0'] * 8, pipeline=pipeline)
    drawn = [dataset[SampleIndex(i, seed=0, epoch=0)].get('absent_streams') for i in range(8)]
    assert {None, ('video',), ('audio',)} == set(drawn)
    assert drawn == [dataset[SampleIndex(i, seed=0, epoch=0)].get('absent_streams') for i in range(8)]
    silent = _dataset(media, 'a.mp4 absent.wav 0', pipeline=[dict(type='DropStream', stream='audio'), *TEST])[0]
    assert (list(silent['inputs']), silent['absent_streams']) == (['video'], ('audio',))


def test_classes_may_stand_in_the_list_itself(media: MediaFolder) -> None:
    def read(classes: object, labels: list, **options: object) -> AudioVisualDataset:
        items = [dict(video='a.mp4', label=label) for label in labels]
        (media.root / 'ann.json').write_text(json.dumps(dict(metainfo=dict(classes=classes), data_list=items)))
        return AudioVisualDataset('ann.json', [], data_root=str(media.root), **options)

    dataset = read(['calm', 'tense'], ['tense', 0])
    assert dataset.metainfo['classes'] == ('calm', 'tense')
    assert [dataset.get_data_info(index)['gt_label'] for index in range(2)] == [1, 0]
    assert read(['ANG', 'HAP'], [1], metainfo=dict(classes=('anger', 'joy'))).metainfo['classes'] == ('anger', 'joy')
    with pytest.raises(
        ValueError, match=r"ann\.json: the file numbers its classes \['a', 'b'\], the config \['b', 'a'\]"
    ):
        read(['a', 'b'], [1], metainfo=dict(classes=('b', 'a')))
    for classes in ('calm', [1, 2], ['a', 'a'], {'a': 0}, ['']):
        with pytest.raises(ValueError, match=r'ann\.json: metainfo.classes must be a list of different names'):
            read(classes, [0])


def test_columns_reach_pipeline_and_sample(media: MediaFolder) -> None:
    clips = [
        dict(text='so be it', label=0, speaker='s1', votes=[2, 1], masks=7),
        dict(text=None, label='0:1|2:3', note='x', sample_id='b'),
    ]
    (media.root / 'ann.json').write_text(json.dumps(dict(data_list=clips)))
    dataset = AudioVisualDataset('ann.json', [], str(media.root), num_classes=3, streams=('text', 'video'))
    first, second = dataset[0], dataset[1]
    assert (first['text'], first['votes'], first['speaker']) == ('so be it', [2, 1], 's1')
    assert 'masks' not in first  # this key belongs to the pipeline
    assert first['columns'] == dict(text='so be it', speaker='s1', votes=[2, 1], masks=7)
    assert (first['streams'], first['absent_streams']) == (('text', 'video'), ())
    assert (second['streams'], second['absent_streams'], second['sample_id']) == (('video',), ('text',), 'b')
    assert second['gt_score'] == [0.25, 0.0, 0.75]
    pack = dict(type='PackStreams', arrays=('votes',))
    words = AudioVisualDataset('ann.json', [_votes, pack], str(media.root), num_classes=3, streams=('votes',))
    sample = words[0]['data_samples']
    assert sample.columns['text'] == 'so be it'
    assert sample.gt_label.tolist() == [0]
    assert words[1]['data_samples'].gt_score.tolist() == [0.25, 0.0, 0.75]


def _votes(results: dict) -> dict:
    return results | dict(votes=np.array([[1.0, 2.0]]))


def test_candidate_classes_are_a_target(media: MediaFolder) -> None:
    dataset = _dataset(
        media, 'a - 0|2', ann_file='ann.csv', pipeline=[_votes, dict(type='PackStreams', arrays=('votes',))]
    )
    sample = dataset[0]['data_samples']
    assert sample.target('candidates').tolist() == [True, False, True]
    assert 'gt_label' not in sample
    with pytest.raises(ValueError, match='line 1: balancing of classes needs one class per sample'):
        dataset.get_cat_ids(0)
