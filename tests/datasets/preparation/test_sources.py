from __future__ import annotations

from pathlib import Path

import pytest

from hicmae_mm.datasets.preparation.sources import find_files, find_frame_folders, mirrored_jobs


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / 'raw'
    for name in (
        'b.MP4',
        'a/x.y.avi',
        'a/._x.y.avi',
        'a/notes.txt',
        '.hidden/c.mp4',
        'out/d.mp4',
        'f/1.jpg',
        'f/g/1.PNG',
    ):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def test_files_are_found_by_extension_and_mirrored(tree: Path) -> None:
    found = find_files(tree, skipped=tree / 'out')
    assert [str(path.relative_to(tree)) for path in found] == ['a/x.y.avi', 'b.MP4']
    assert [str(path.relative_to(tree)) for path in find_files(tree, ['.TXT'])] == ['a/notes.txt']
    jobs = mirrored_jobs(tree, found, Path('out'), '.wav')
    assert [(job.name, str(job.target)) for job in jobs] == [('a/x.y.avi', 'out/a/x.y.wav'), ('b.MP4', 'out/b.wav')]


def test_frame_folders_are_found(tree: Path) -> None:
    folders = find_frame_folders(tree)
    assert [str(path.relative_to(tree)) for path in folders] == ['f', 'f/g']
    assert [str(job.target) for job in mirrored_jobs(tree, folders, Path('out'))] == ['out/f', 'out/f/g']


def test_links_are_followed_once(tree: Path, tmp_path: Path) -> None:
    (tmp_path / 'elsewhere').mkdir()
    (tmp_path / 'elsewhere' / 'e.mkv').touch()
    (tree / 'link').symlink_to(tmp_path / 'elsewhere')
    (tree / 'a' / 'circle').symlink_to(tree)
    found = [str(path.relative_to(tree)) for path in find_files(tree, ['mkv', 'avi'])]
    assert found == ['a/x.y.avi', 'link/e.mkv']


def test_nothing_found_is_an_error(tree: Path) -> None:
    with pytest.raises(ValueError, match=r"no files ending in \['\.webm'\] below"):
        find_files(tree, ['webm'])
    with pytest.raises(ValueError, match='no folders with pictures'):
        find_frame_folders(tree / 'a')
    with pytest.raises(FileNotFoundError, match='nowhere: no such folder'):
        find_files(tree / 'nowhere')
