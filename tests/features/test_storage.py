"""Parts, the merge of them, and reading back: the same rows in both formats."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from hicmae_mm.features import iterate_features, load_features, read_info
from hicmae_mm.features.parts import PartFolder, claim, make_columns
from hicmae_mm.features.storage import FORMATS, METADATA_KEY, merge

RAGGED = frozenset({'frames', 'views', 'frames_seconds'})


def _row(index: int, steps: int = 2) -> dict[str, Any]:
    noise = np.random.default_rng(index)
    return dict(
        index=index,
        sample_id=f'clip, "{index}" ä',
        gt_label=np.int64(index % 3),
        pred_score=noise.random(3, np.float32),
        clip=noise.random(4, np.float32),
        frames=noise.random((steps, 4), np.float32),
        views=noise.random((steps, 3, 4), np.float32),
        frames_seconds=np.arange(steps, dtype=np.float32),
    )


def _written(
    folder: Path, rows: list[dict[str, Any]], num_clips: int, part_size: int, kind: str = 'float32'
) -> PartFolder:
    parts = PartFolder(folder, num_clips, part_size)
    by_index = {row['index']: row for row in rows}
    for number in parts.missing()[::-1]:  # in any order
        here = [by_index[index] for index in parts.clips(number) if index in by_index]
        bad = {index: dict(reason='broken') for index in parts.clips(number) if index not in by_index}
        parts.write(number, make_columns(here, RAGGED, kind), bad)
    return parts


@pytest.mark.parametrize('file_format', FORMATS)
@pytest.mark.parametrize(('num_clips', 'part_size'), [(7, 3), (6, 3), (2, 5)])
def test_rows_come_back_in_order(tmp_path: Path, file_format: str, num_clips: int, part_size: int) -> None:
    rows = [_row(index, steps=index % 3) for index in range(num_clips)]  # some clips have no step at all
    parts = _written(tmp_path, rows, num_clips, part_size)
    (tmp_path / 'clip.npy.999999999-0123456789abcdef.partial').touch()  # as a merge leaves it that was killed
    info = merge(parts, tmp_path, file_format, dict(definitions=dict(clip='the clip'), note=1))
    assert not parts.folder.exists()
    assert not list(tmp_path.glob('*.partial'))
    assert (info['num_rows'], info['num_bad'], info['note']) == (num_clips, 0, 1)
    assert info['columns']['clip'] == dict(dtype='float32', shape=[4], is_ragged=False, what='the clip')
    assert read_info(tmp_path) == info
    found = load_features(tmp_path)
    assert list(found) == list(rows[0])
    assert found['clip'].shape == (num_clips, 4)
    for index, (row, again) in enumerate(zip(rows, iterate_features(tmp_path))):
        for name, value in row.items():
            np.testing.assert_array_equal(found[name][index], value)
            np.testing.assert_array_equal(again[name], value)
            assert again[name].dtype == np.asarray(value).dtype or name == 'sample_id'
    assert len(list(iterate_features(tmp_path, ['clip']))) == num_clips
    assert list(load_features(tmp_path, ['frames', 'index'])) == ['frames', 'index']


@pytest.mark.parametrize('file_format', FORMATS)
def test_half_precision(tmp_path: Path, file_format: str) -> None:
    row = _row(0)
    merge(_written(tmp_path, [row], 1, 4, 'float16'), tmp_path, file_format, dict(definitions={}))
    found = load_features(tmp_path)
    for name in ('clip', 'frames', 'views'):
        assert found[name][0].dtype == np.float16
        np.testing.assert_array_equal(found[name][0], row[name].astype(np.float16))
    assert found['pred_score'].dtype == found['frames_seconds'][0].dtype == np.float32


@pytest.mark.parametrize('file_format', FORMATS)
def test_bad_clips_have_no_row_and_are_listed(tmp_path: Path, file_format: str) -> None:
    rows = [_row(index) for index in (0, 4)]  # the clips of a whole part are bad
    info = merge(_written(tmp_path, rows, 6, 2), tmp_path, file_format, dict(definitions={}))
    assert (info['num_clips'], info['num_rows'], info['num_bad']) == (6, 2, 4)
    assert load_features(tmp_path)['index'].tolist() == [0, 4]
    bad = json.loads((tmp_path / 'bad_clips.json').read_text())
    assert bad == [dict(index=index, reason='broken') for index in (1, 2, 3, 5)]


def test_nothing_but_bad_clips_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r'none of 3 clips has features, see .*bad_clips\.json'):
        merge(_written(tmp_path, [], 3, 2), tmp_path, 'npy', dict(definitions={}))
    with pytest.raises(FileNotFoundError, match='has it finished'):
        load_features(tmp_path)


def test_parquet_is_readable_without_this_package(tmp_path: Path) -> None:
    rows = [_row(index) for index in range(5)]
    info = merge(_written(tmp_path, rows, 5, 2), tmp_path, 'parquet', dict(definitions={}))
    table = pq.read_table(tmp_path / 'features.parquet')
    assert json.loads(table.schema.metadata[METADATA_KEY]) == info
    assert table.column('index').to_pylist() == [0, 1, 2, 3, 4]
    np.testing.assert_allclose(table.column('views').to_pylist()[3], rows[3]['views'])
    assert pq.ParquetFile(tmp_path / 'features.parquet').num_row_groups == 3


def test_npy_arrays_are_mapped(tmp_path: Path) -> None:
    merge(_written(tmp_path, [_row(0), _row(1)], 2, 2), tmp_path, 'npy', dict(definitions={}))
    assert isinstance(load_features(tmp_path)['clip'], np.memmap)
    assert np.load(tmp_path / 'frames.npy').shape == (4, 4)
    assert np.load(tmp_path / 'frames_offsets.npy').tolist() == [0, 2, 4]


def test_wrong_parts_are_refused(tmp_path: Path) -> None:
    parts = _written(tmp_path, [_row(index) for index in range(4)], 4, 2)
    parts.write(1, make_columns([_row(2)], RAGGED, 'float32'), {})
    with pytest.raises(ValueError, match=r'part-0000001\.npz does not have the expected clips; delete it'):
        merge(parts, tmp_path, 'npy', dict(definitions={}))
    parts.write(1, make_columns([_row(2) | dict(more=1), _row(3) | dict(more=1)], RAGGED, 'float32'), {})
    with pytest.raises(ValueError, match=r"clips from number 2 on differ from those before in \['more'\]"):
        merge(parts, tmp_path, 'npy', dict(definitions={}))
    with pytest.raises(ValueError, match=r"differ in \['more'\]"):
        make_columns([_row(0), _row(1) | dict(more=1)], RAGGED, 'float32')


def test_parts_that_were_cut_do_not_count(tmp_path: Path) -> None:
    parts = _written(tmp_path, [_row(index) for index in range(4)], 4, 2)
    parts.path(0).rename(parts.path(0).with_suffix('.123.partial'))
    assert parts.missing() == [0]
    parts.remove()
    assert not parts.folder.exists()


def test_unknown_columns_are_named(tmp_path: Path) -> None:
    merge(_written(tmp_path, [_row(0)], 1, 2), tmp_path, 'npy', dict(definitions={}))
    for columns in (['face'], []):
        with pytest.raises(ValueError, match=f"{tmp_path} has no columns .*there are .*'clip'"):
            load_features(tmp_path, columns)


@pytest.mark.parametrize('file_format', ['npy', 'per-clip'])
def test_missing_files_of_features_are_named(tmp_path: Path, file_format: str) -> None:
    merge(_written(tmp_path, [_row(0)], 1, 2), tmp_path, file_format, dict(definitions={}))
    path = next(tmp_path.rglob('clip.npy' if file_format == 'npy' else 'clip-UTT/**/*.npy'))
    path.unlink()
    with pytest.raises(FileNotFoundError, match=f'{path} does not exist, but .*features.json lists it; extract'):
        load_features(tmp_path, ['clip'])


def test_folders_keep_to_their_settings(tmp_path: Path) -> None:
    settings = dict(made_by='extract_features', level='clip', layers=(1,))
    assert not claim(tmp_path, settings, force=False)
    assert not claim(tmp_path, settings, force=False)
    parts = _written(tmp_path, [_row(0)], 1, 2)
    with pytest.raises(ValueError, match=r'other settings \(level: clip there, frame requested\); choose'):
        claim(tmp_path, settings | dict(level='frame'), force=False)
    merge(parts, tmp_path, 'npy', dict(definitions={}))
    assert claim(tmp_path, settings, force=False)
    assert not claim(tmp_path, settings | dict(level='frame'), force=True)
    assert [path.name for path in tmp_path.iterdir()] == ['settings.json']
    other = tmp_path / 'other'
    other.mkdir()
    (other / 'thesis.npy').write_text('')
    for force in (False, True):
        with pytest.raises(ValueError, match='is not empty, and has no features'):
            claim(other, settings, force)
    (other / 'settings.json').write_text('{"made_by": "make_shards"}')
    with pytest.raises(ValueError, match='is not empty, and has no features'):
        claim(other, settings, force=True)
    assert (other / 'thesis.npy').exists()


def test_a_file_per_clip_lies_where_other_programs_look(tmp_path: Path) -> None:
    rows = [_row(0) | dict(sample_id='a.mp4'), _row(1, steps=3) | dict(sample_id='actor 2/b.c.wav')]
    merge(_written(tmp_path, rows, 2, 1), tmp_path, 'per-clip', dict(definitions={}))
    np.testing.assert_array_equal(np.load(tmp_path / 'clip-UTT' / 'a.npy'), rows[0]['clip'])
    np.testing.assert_array_equal(np.load(tmp_path / 'frames-FRA' / 'actor 2' / 'b.c.npy'), rows[1]['frames'])
    assert np.load(tmp_path / 'frames-FRA' / 'a.npy').shape == (2, 4)
    again = [_row(0) | dict(sample_id='z.mp4')]
    merge(_written(tmp_path, again, 1, 1), tmp_path, 'per-clip', dict(definitions={}))
    assert [path.name for path in (tmp_path / 'clip-UTT').iterdir()] == ['z.npy']  # nothing old is left


def test_two_clips_of_one_file_name_are_named(tmp_path: Path) -> None:
    rows = [_row(0) | dict(sample_id='a.mp4'), _row(1) | dict(sample_id='a.avi')]
    with pytest.raises(ValueError, match=r"clips 'a.mp4' and 'a.avi' would both be a.npy"):
        merge(_written(tmp_path, rows, 2, 1), tmp_path, 'per-clip', dict(definitions={}))
