from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from fsspec.implementations.memory import MemoryFileSystem

from hicmae_mm.datasets import AudioVisualDataset, AudioVisualShards, MediaError, SampleIndex, collate_audio_visual
from hicmae_mm.structures import SkippedSample
from tests.conftest import MediaFolder
from tests.datasets.shards.packed import pack
from tests.datasets.test_av_dataset import TEST, TRAIN

FILES = ('a.mp4 a.wav 0', 'a.mp4 - 1', 'face face.flac 2')
READ = [dict(type='OpenVideo'), dict(type='SampleClips', mode='train', clip_len=4, frame_interval=2)]
PLAIN = [*READ, dict(type='DecodeFrames'), dict(type='LoadAudio')]
PACK = [dict(type='Filterbank', num_mel_bins=16, target_length=32), dict(type='PackAudioVisual')]


def _media(media: MediaFolder) -> None:
    media.video('a.mp4', width=96)
    media.wav('a.wav')
    media.frame_folder('face')
    media.wav('face.flac')


def _files(media: MediaFolder, pipeline: list, name: str = 'ann.csv', **options: Any) -> AudioVisualDataset:
    return AudioVisualDataset(name, pipeline, data_root=str(media.root), **(dict(num_classes=3) | options))


def _shards(media: MediaFolder, pipeline: list, name: str = 'ann.csv', **options: Any) -> AudioVisualShards:
    """The same list, packed in its order."""
    out_dir = media.root / f'shards_{name}'
    if not out_dir.exists():
        pack(media.root / name, out_dir, samples_per_shard=2, seed=None, audio_format='pcm')
    return AudioVisualShards(str(out_dir), pipeline, **(dict(num_classes=3) | options))


def _keep(results: dict) -> dict:
    return results


@pytest.mark.parametrize('mode', ['pretrain', 'train', 'test'])
def test_clips_equal_those_of_the_files(media: MediaFolder, mode: str) -> None:
    _media(media)
    media.annotation(*FILES)
    alignment = dict(audio_alignment='fraction') if mode == 'pretrain' else {}  # a folder has no time stamps
    sampling = dict(READ[1], mode=mode, num_clips=2 if mode == 'test' else 1, **alignment)
    pipeline = [READ[0], sampling, *PLAIN[2:], _keep]
    files, shards = _files(media, pipeline), _shards(media, pipeline)
    assert len(shards) == len(files) == 3
    for number in range(3):
        index = SampleIndex(number, seed=5, epoch=1)
        expected, found = files[index], shards[index]
        for key in ('sample_id', 'gt_label', 'streams', 'absent_streams', 'total_frames', 'avg_fps', 'num_clips'):
            assert found[key] == expected[key], key
        assert found['frame_inds'].tolist() == expected['frame_inds'].tolist()
        assert found['audio_spans'] == expected['audio_spans']
        for ours, theirs in zip(found['imgs'], expected['imgs']):
            difference = (torch.from_numpy(ours).int() - torch.from_numpy(theirs).int()).abs().float()
            assert difference.mean() < (2 if number < 2 else 1e-9)  # JPEG files are taken over as they are
        for ours, theirs in zip(found['waveforms'], expected['waveforms']):
            tolerance = 0 if number != 1 else 2**-16  # AAC is not made of 16-bit samples
            assert torch.allclose(torch.from_numpy(ours), torch.from_numpy(theirs), rtol=0, atol=tolerance)


def test_time_stamps_equal_those_of_the_video(media: MediaFolder) -> None:
    _media(media)
    media.annotation(FILES[0])
    pipeline = [READ[0], dict(READ[1], mode='pretrain'), _keep]
    files, shards = _files(media, pipeline), _shards(media, pipeline)
    for epoch in range(4):
        index = SampleIndex(0, 0, epoch)
        assert shards[index]['audio_spans'] == files[index]['audio_spans']
        assert shards[index]['audio_spans'][0].unit == 'seconds'


@pytest.mark.parametrize('stream', ['video', 'audio'])
def test_one_stream_alone(media: MediaFolder, stream: str) -> None:
    _media(media)
    media.annotation(*FILES)
    for pipeline in (TRAIN, TEST):
        packed = _shards(media, pipeline, streams=(stream,))[0]
        assert list(packed['inputs']) == [stream]
    if stream == 'audio':
        expected = _files(media, TEST, streams=('audio',))[0]['inputs']['audio']
        assert torch.equal(packed['inputs']['audio'], expected)


def test_stream_is_dropped_before_it_is_read(media: MediaFolder) -> None:
    _media(media)
    media.annotation(FILES[0])
    packed = _shards(media, [dict(type='DropStream', stream='audio'), *PLAIN, *PACK])[0]
    assert list(packed['inputs']) == ['video']
    assert packed['absent_streams'] == ('audio',)


def test_clips_that_lack_a_stream_in_the_list(media: MediaFolder) -> None:
    _media(media)
    items = [
        dict(sample_id='both', video='face', audio='face.flac', label=1),
        dict(sample_id='mute', video='face', label=0, streams=['video']),
        dict(sample_id='blind', audio='face.flac', label=0, streams=['audio']),
    ]
    content = dict(metainfo=dict(classes=['no', 'yes']), data_list=items)
    (media.root / 'ann.json').write_text(json.dumps(content))
    shards = _shards(media, [*PLAIN, *PACK], 'ann.json', num_classes=None)
    assert shards.metainfo['classes'] == ['no', 'yes']
    samples = [shards[index] for index in range(3)]
    assert [sample['data_samples'].sample_id for sample in samples] == ['both', 'mute', 'blind']
    assert [sorted(sample['inputs']) for sample in samples] == [['audio', 'video'], ['video'], ['audio']]
    batch = collate_audio_visual(samples)
    assert batch['present']['video'].tolist() == [True, True, False]
    with pytest.raises(MediaError, match=r"mute|clip 1: the clip has none of the streams \('audio',\)"):
        _shards(media, [*PLAIN, *PACK], 'ann.json', num_classes=None, streams=('audio',))[1]


@pytest.mark.parametrize(
    ('columns', 'options', 'expected'),
    [
        ('', dict(task='unlabelled'), {}),
        ('2', dict(num_classes=3), dict(gt_label=[2])),
        ('joy', dict(num_classes=None, metainfo=dict(classes=('anger', 'joy'))), dict(gt_label=[1])),
        ('0.5 -1', dict(task='regression'), dict(gt_values=[0.5, -1.0])),
        ('1 0.5', dict(task='multitask'), dict(gt_label=[1], gt_values=[0.5])),
        ('1 2', dict(label_columns=(1,)), dict(gt_label=[2])),
    ],
)
def test_label_columns_mean_what_they_do_in_a_list(
    media: MediaFolder, columns: str, options: dict, expected: dict
) -> None:
    _media(media)
    media.annotation(f'face face.flac {columns}')
    sample = _shards(media, [*PLAIN, *PACK], **options)[0]['data_samples']
    assert {key: sample.get(key).tolist() for key in ('gt_label', 'gt_values') if key in sample} == expected


def test_labels_that_do_not_suit_the_task(media: MediaFolder) -> None:
    _media(media)
    media.annotation('face face.flac 7')
    with pytest.raises(ValueError, match=r'shard-000000\.tar, clip 0 \(face\): label 7 is out of range'):
        _shards(media, [], on_error='skip')[0]
    with pytest.raises(ValueError, match='needs num_classes'):
        _shards(media, [], num_classes=None)


def test_samples_are_seeded_by_their_number(media: MediaFolder) -> None:
    _media(media)
    media.annotation(*FILES)
    shards = _shards(media, TRAIN)
    first, again = shards[SampleIndex(0, 5, 0)], shards[SampleIndex(0, 5, 0)]
    other = shards[SampleIndex(0, 5, 1)]
    assert torch.equal(first['inputs']['video'], again['inputs']['video'])
    assert not torch.equal(first['inputs']['video'], other['inputs']['video'])


def test_data_set_travels_to_spawned_workers(media: MediaFolder) -> None:
    _media(media)
    media.annotation(*FILES)
    shards = _shards(media, TRAIN)
    index = SampleIndex(1, 0, 0)
    before = shards[index]['inputs']
    after = pickle.loads(pickle.dumps(shards))[index]['inputs']
    assert all(torch.equal(before[name], after[name]) for name in ('video', 'audio'))


def test_part_of_the_clips(media: MediaFolder) -> None:
    _media(media)
    media.annotation(*FILES)
    shards = _shards(media, [*PLAIN, *PACK], indices=[2, 0])
    assert [shards[index]['data_samples'].sample_id for index in range(len(shards))] == ['face', 'a.mp4']
    assert shards.run_lengths.tolist() == [1, 1]
    assert len(_shards(media, [], indices=1)) == 1


def test_any_url_and_the_same_batches(media: MediaFolder) -> None:
    _media(media)
    media.annotation(*FILES)
    local = _shards(media, TRAIN)
    folder = media.root / 'shards_ann.csv'
    MemoryFileSystem.store.clear()
    for file in folder.iterdir():
        MemoryFileSystem().pipe(f'/bucket/{file.name}', file.read_bytes())
    indices = [SampleIndex(number, 1, 0) for number in (2, 0, 1)]
    expected = local.__getitems__(indices)
    for root in ('memory://bucket', f'file://{folder}', f'simplecache::file://{folder}'):
        remote = AudioVisualShards(root, TRAIN, num_classes=3)
        for ours, theirs in zip(remote.__getitems__(indices), expected):
            assert all(torch.equal(ours['inputs'][name], theirs['inputs'][name]) for name in ('video', 'audio'))
    MemoryFileSystem.store.clear()


def _broken_shards(media: MediaFolder) -> Path:
    """Three shards of a clip each: missing, cut, whole."""
    _media(media)
    media.annotation(*FILES)
    folder = pack(media.root / 'ann.csv', media.root / 'broken', samples_per_shard=1, seed=None)
    (folder / 'shard-000000.tar').unlink()
    shard = folder / 'shard-000001.tar'
    shard.write_bytes(shard.read_bytes()[:20000])
    return folder


def test_missing_and_cut_shards_are_named_or_skipped(media: MediaFolder) -> None:
    folder = _broken_shards(media)
    pipeline = [*PLAIN, *PACK]
    strict = AudioVisualShards(str(folder), pipeline, num_classes=3)
    with pytest.raises(FileNotFoundError, match=r'shard-000000\.tar: the shard is missing'):
        strict[0]
    with pytest.raises(MediaError, match=r'shard-000001\.tar, clip 0: shard-000001\.tar ends before byte \d+'):
        strict[1]
    lenient = AudioVisualShards(str(folder), pipeline, num_classes=3, on_error='skip')
    found = lenient.__getitems__([0, 1, 2])
    assert [type(sample) for sample in found] == [SkippedSample, SkippedSample, dict]
    assert found[0].sample_id == 'shard-000000.tar, clip 0'
    assert found[1].sample_id == 'a.mp4'
    batch = collate_audio_visual(found)
    assert len(batch['skipped']) == 2


def test_missing_index_and_streams_are_named(media: MediaFolder) -> None:
    _media(media)
    media.annotation(*FILES)
    with pytest.raises(FileNotFoundError, match=r'index\.json does not exist; make_shards\.py writes the index last'):
        AudioVisualShards(str(media.root), [])
    with pytest.raises(FileNotFoundError, match=r'memory://nowhere/index\.json does not exist'):
        AudioVisualShards('memory://nowhere', [])
    folder = pack(media.root / 'ann.csv', media.root / 'mute', streams=('video',))
    with pytest.raises(ValueError, match=r"packed with streams \('video',\), without \['audio'\]"):
        AudioVisualShards(str(folder), [], num_classes=3)
    assert len(AudioVisualShards(str(folder), [], num_classes=3, streams=('video',))) == 3
    elsewhere = AudioVisualShards('', [], ann_file=str(folder / 'index.json'), num_classes=3, streams=('video',))
    assert elsewhere[0]['sample_id'] in ('a.mp4', 'face')


def test_columns_and_labels_of_a_table_reach_the_pipeline(media: MediaFolder) -> None:
    media.video('a.mp4', num_frames=8)
    media.video('b.mp4', num_frames=8)
    rows = ['video,label,text,speaker', 'a.mp4,0|2,so be it,s1', 'b.mp4,0:1|1:3,,s2']
    table = media.annotation(*rows, name='table.csv')
    shards = pack(table, media.root / 'shards', seed=None)
    dataset = AudioVisualShards(str(shards), [], num_classes=3, streams=('video', 'text'))
    first, second = dataset[0], dataset[1]
    assert (first['text'], first['columns']) == ('so be it', dict(text='so be it', speaker='s1'))
    assert first['targets']['candidates'].tolist() == [True, False, True]
    assert (first['streams'], second['streams'], second['absent_streams']) == (('video', 'text'), ('video',), ('text',))
    assert second['gt_score'] == [0.25, 0.75, 0.0]
    spans = media.annotation('video,label,start', 'a.mp4,0,1', name='spans.csv')
    with pytest.raises(ValueError, match='line 2: shards hold whole files .* a part of a longer file'):
        pack(spans, media.root / 'other')
