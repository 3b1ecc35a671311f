from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hicmae_mm.datasets import AudioVisualDataset, MediaError
from hicmae_mm.datasets.transforms import LoadFeature
from hicmae_mm.features.parts import PartFolder, make_columns
from hicmae_mm.features.storage import FORMATS, merge


def _results(root: Path, name: str = 'b/two.mp4', **more: Any) -> dict[str, Any]:
    return dict(streams=('hubert',), sample_id=name, data_folders={'': str(root)}) | more


@pytest.mark.parametrize('file_format', FORMATS)
def test_folders_of_extracted_features(tmp_path: Path, file_format: str) -> None:
    if file_format == 'parquet':
        pytest.importorskip('pyarrow')
    names = ['a/one.mp4', 'b/two.mp4']
    rows = [
        dict(
            index=i,
            sample_id=name,
            clip=np.full(3, float(i), np.float32),
            steps=np.arange(2 * (i + 1), dtype=np.float32).reshape(i + 1, 2),
        )
        for i, name in enumerate(names)
    ]
    parts = PartFolder(tmp_path, 2, 2)
    parts.write(0, make_columns(rows, frozenset({'steps'}), 'float32'), {})
    merge(parts, tmp_path, file_format, dict(definitions={}))
    root = tmp_path.parent
    vector = LoadFeature('hubert', tmp_path.name, column='clip').transform(_results(root, num_clips=2))['hubert']
    assert vector.tolist() == [[1, 1, 1]] * 2
    sequence = LoadFeature('hubert', str(tmp_path), 'frame', 'steps').transform(_results(root))['hubert']
    assert sequence.tolist() == [[0, 1], [2, 3]]
    assert LoadFeature('hubert', str(tmp_path), column='steps').transform(_results(root))['hubert'].tolist() == [[1, 2]]
    with pytest.raises(FileNotFoundError, match="has no feature of the clip 'c'"):
        LoadFeature('hubert', str(tmp_path), column='clip').transform(_results(root, 'c'))
    with pytest.raises(ValueError, match=r"has the features \['clip', 'steps'\]; name one of them as column"):
        LoadFeature('hubert', str(tmp_path)).transform(_results(root))


@pytest.mark.parametrize('file', ['b/two.mp4.npy', 'b/two.npy', 'two.npy', 'two/2.npy'])
def test_files_per_clip(tmp_path: Path, file: str) -> None:
    path = tmp_path / 'hubert-UTT' / file
    path.parent.mkdir(parents=True)
    np.save(path, np.array([1.0, 2.0]))
    if path.parent.name == 'two':  # one file per frame, in the order of numbers
        np.save(path.with_name('10.npy'), np.array([3.0, 4.0]))
    expected = [[1, 2], [3, 4]] if path.parent.name == 'two' else [[1, 2]]
    assert LoadFeature('hubert', 'hubert-UTT', 'frame').transform(_results(tmp_path))['hubert'].tolist() == expected
    clip = LoadFeature('hubert', 'hubert-UTT').transform(_results(tmp_path))['hubert']
    assert clip.dtype == np.float32
    assert clip.tolist() == [np.mean(expected, axis=0).tolist()]


def test_features_named_after_the_sound_file(tmp_path: Path) -> None:
    np.save(tmp_path / 'two.wav.npy', np.array([1.0, 2.0]))  # as speech.py names the statistics of a voice
    load = LoadFeature('voice', '.', name_column='audio')
    results = load.transform(_results(tmp_path, 'clip_2', streams=('voice',), audio_path=str(tmp_path / 'b/two.wav')))
    assert results['voice'].tolist() == [[1, 2]]
    with pytest.raises(ValueError, match="the list has no column 'audio'"):
        load.transform(_results(tmp_path, 'clip_2', streams=('voice',)))


def test_a_part_of_a_file_does_not_get_the_feature_of_the_file(tmp_path: Path) -> None:
    np.save(tmp_path / 'two.npy', np.zeros(2))
    with pytest.raises(FileNotFoundError, match=r'no b/two\.mp4@1-2\.npy'):
        LoadFeature('hubert', '.').transform(_results(tmp_path, 'b/two.mp4@1-2'))


def test_paths_in_a_column_and_a_stream_called_video(tmp_path: Path) -> None:
    np.save(tmp_path / 'x.npy', np.ones((4, 3)))
    (tmp_path / 'list.csv').write_text('sample_id,face,label\na,x.npy,0\nb,,1\n')
    pipeline = [
        dict(type='LoadFeature', stream='face', level='frame'),
        dict(type='PackStreams', arrays=(), sequences=dict(face='face')),
    ]
    dataset = AudioVisualDataset('list.csv', pipeline, str(tmp_path), num_classes=2, streams=('face', 'audio'))
    assert dataset[0]['inputs']['face'].shape == (1, 4, 3)
    assert dataset.get_data_info(1)['absent_streams'] == ('face',)
    pipeline = [dict(type='LoadFeature', stream='video', source='.'), dict(type='PackStreams', arrays=('video',))]
    np.save(tmp_path / 'a.npy', np.ones(3))
    dataset = AudioVisualDataset('list.csv', pipeline, str(tmp_path), num_classes=2, streams=('video',))
    assert dataset[0]['inputs']['video'].shape == (1, 3)


def test_damaged_features_are_named(tmp_path: Path) -> None:
    load = LoadFeature('hubert', '.')
    for content, message in (
        (np.zeros((2, 3, 4)), r'expected numbers \(D,\) or \(T, D\), got float64 \(2, 3, 4\)'),
        (np.array(['a']), 'expected numbers'),
        (np.zeros((0, 3)), r'two\.npy: expected numbers .*got float64 \(0, 3\); extract it again'),
        (np.array([np.nan]), 'values that are not finite'),
    ):
        np.save(tmp_path / 'two.npy', content)
        with pytest.raises(MediaError, match=message):
            load.transform(_results(tmp_path))
    (tmp_path / 'two.npy').write_bytes(b'nothing')
    with pytest.raises(MediaError, match=r'two\.npy: not a \.npy file that can be read'):
        load.transform(_results(tmp_path))
    with pytest.raises(FileNotFoundError, match='the folder of features .*absent does not exist'):
        LoadFeature('hubert', 'absent').transform(_results(tmp_path))
    (tmp_path / 'empty').mkdir()
    with pytest.raises(FileNotFoundError, match=r'empty has no \.npy file; extract the features'):
        LoadFeature('hubert', 'empty').transform(_results(tmp_path))
    with pytest.raises(FileNotFoundError, match=r'no line 2\.npy; extract it, or check .* sample_id in a table'):
        load.transform(_results(tmp_path, 'line 2'))
    with pytest.raises(ValueError, match="level must be one of .* got 'utterance'"):
        LoadFeature('hubert', 'x', 'utterance')
    assert 'hubert' not in load.transform(_results(tmp_path, streams=('audio',)))
