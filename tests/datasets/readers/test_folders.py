from __future__ import annotations

import os
from pathlib import Path

import pytest

from hicmae_mm.datasets.errors import MediaError
from hicmae_mm.datasets.readers.folders import is_leftover, picture_files, visible_names, walk

LEFTOVERS = ('._1.jpg', '.DS_Store', 'Thumbs.db', 'thumbs.db', 'desktop.ini', '__MACOSX', '@eaDir', '.AppleDouble')


@pytest.mark.parametrize('name', LEFTOVERS)
def test_leftovers_are_told_by_name(name: str) -> None:
    assert is_leftover(name)


def test_media_are_no_leftovers() -> None:
    assert not any(map(is_leftover, ('1.jpg', 'Thumbs.db.mp4', 'a.DS_Store', '@eaDir2', 'MACOSX')))


def test_walk_leaves_leftovers_out_and_visits_links_once(tmp_path: Path) -> None:
    for folder in ('a', 'a/b', 'a/__MACOSX', '@eaDir', 'out'):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / 'x.wav').touch()
    (tmp_path / 'a' / '.DS_Store').touch()
    (tmp_path / 'a' / 'round').symlink_to(tmp_path)
    found = [(folder.relative_to(tmp_path).as_posix(), names) for folder, names in walk(tmp_path, tmp_path / 'out')]
    assert found == [('.', []), ('a', ['x.wav']), ('a/b', ['x.wav'])]
    assert list(walk(tmp_path / 'nothing')) == []
    assert sorted(visible_names(tmp_path / 'a')) == ['b', 'round', 'x.wav']


def test_pictures_come_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    names = ['1.jpg', '02.png', '10.JPG', 'a1_2.webp', 'a1_10.webp', 'a\u00b2.jpg', 'b\u0661.jpg']
    for name in (*names, *LEFTOVERS, 'notes.txt'):
        (tmp_path / name).touch()
    assert [path.name for path in picture_files(tmp_path)] == names
    (tmp_path / '3.jpg').symlink_to(tmp_path / '1.jpg')
    assert [path.name for path in picture_files(tmp_path)][:3] == ['1.jpg', '02.png', '3.jpg']


def make_folder(path: Path) -> None:
    path.mkdir()


def link_to_nothing(path: Path) -> None:
    path.symlink_to('gone.jpg')


def link_to_itself(path: Path) -> None:
    path.symlink_to(path.name)


def link_to_a_device(path: Path) -> None:
    path.symlink_to('/dev/zero')


@pytest.mark.parametrize(
    ('make', 'kind'),
    [
        (make_folder, 'a folder'),
        (os.mkfifo, 'a pipe'),
        (link_to_nothing, 'a link that leads nowhere'),
        (link_to_itself, 'a link that leads nowhere'),
        (link_to_a_device, 'a device'),
    ],
)
def test_what_is_no_file_is_refused(tmp_path: Path, make: object, kind: str) -> None:
    make(tmp_path / '11.jpg')
    with pytest.raises(MediaError, match=rf'11\.jpg: {kind} with the name of a picture; remove it'):
        picture_files(tmp_path)
