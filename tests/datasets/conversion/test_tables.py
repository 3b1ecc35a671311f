from __future__ import annotations

from pathlib import Path

import pytest

from hicmae_mm.datasets.conversion import read_table

COLUMNS = {'name': ('VideoName', 'name'), 'valence': ('valence',)}


def write(folder: Path, text: str) -> Path:
    path = folder / 'labels.csv'
    path.write_bytes(text.encode())
    return path


def test_columns_are_found_by_any_of_their_names(tmp_path: Path) -> None:
    rows = read_table(write(tmp_path, '\ufeffvalence, name,note\r\n-0.5, a,"x, y"\r\n\r\n 2 ,b\r\n'), COLUMNS)
    assert [dict(row.cells) for row in rows] == [{'name': 'a', 'valence': '-0.5'}, {'name': 'b', 'valence': '2'}]
    assert [row.number('valence') for row in rows] == [-0.5, 2.0]
    assert rows[1].position == f'{tmp_path}/labels.csv, line 4'
    assert rows[0].choice('name', {'a': 7}) == 7


def test_the_first_name_that_is_there_counts(tmp_path: Path) -> None:
    (row,) = read_table(write(tmp_path, 'name,VideoName,valence\nold,new,1\n'), COLUMNS)
    assert row.cells['name'] == 'new'


def test_optional_columns_may_be_absent_and_their_cells_empty(tmp_path: Path) -> None:
    optional = {'note': ('remark', 'note'), 'rater': ('rater',)}
    rows = read_table(write(tmp_path, 'name,valence,note\na,1,x\nb,1,\nc,1\n'), COLUMNS, optional)
    assert [dict(row.cells) for row in rows] == [
        {'name': 'a', 'valence': '1', 'note': 'x'},
        {'name': 'b', 'valence': '1'},
        {'name': 'c', 'valence': '1'},
    ]


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('name,arousal\na,1\n', r'labels\.csv, line 1: no column for valence, called valence; it has name, arousal'),
        ('name,valence\na,1\nb\n', r"labels\.csv, line 3: no valence in 'b'"),
        ('name,valence\n,1\n', r"labels\.csv, line 2: no name in ',1'"),
        ('name,valence\n', r'labels\.csv has no rows'),
        ('', r'labels\.csv has no rows'),
    ],
)
def test_what_is_wrong_is_said_with_its_place(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_table(write(tmp_path, text), COLUMNS)


def test_other_encodings_are_refused(tmp_path: Path) -> None:
    path = tmp_path / 'labels.csv'
    path.write_bytes('name,valence\n狼,1\n'.encode('gb18030'))
    with pytest.raises(ValueError, match=r'labels\.csv, line 2: not UTF-8'):
        read_table(path, COLUMNS)


def test_cells_are_checked(tmp_path: Path) -> None:
    good, bad, infinite = read_table(write(tmp_path, 'name,valence\na,1\nb,high\nc,inf\n'), COLUMNS)
    assert good.number('valence') == 1
    with pytest.raises(ValueError, match=r"line 3: valence 'high' is not a number"):
        bad.number('valence')
    with pytest.raises(ValueError, match=r"line 4: valence 'inf' is not a number"):
        infinite.number('valence')
    with pytest.raises(ValueError, match=r"line 3: name 'b' is none of \['a'\]"):
        bad.choice('name', {'a': 0})
