from __future__ import annotations

import os
import stat
import tempfile
import time
from pathlib import Path

import pytest

from hicmae_mm.apis.web.uploads import Uploads, upload_folder


def upload(uploads: Uploads, name: str = 'clip.mp4', num_bytes: int = 1) -> Path:
    with uploads.incoming() as folder:
        arrived = folder / 'arrived'
        arrived.write_bytes(bytes(num_bytes))
        return uploads.accept(arrived, name)


@pytest.fixture
def uploads(tmp_path: Path) -> Uploads:
    (tmp_path / 'uploads').mkdir()
    return Uploads(tmp_path / 'uploads', max_bytes=100)


def test_leaving_takes_only_ones_own(uploads: Uploads):
    mine, other, unclaimed = (upload(uploads) for _ in range(3))
    assert uploads.claim(mine, 'first') == mine
    uploads.claim(mine, 'first')
    uploads.claim(other, 'second')
    uploads.leave('first')
    assert [path.exists() for path in (mine, other, unclaimed)] == [False, True, True]
    uploads.leave('second')
    uploads.remove(unclaimed)
    assert list(uploads.folder.iterdir()) == []


def test_equal_files_are_two(uploads: Uploads):
    first, second = upload(uploads), upload(uploads)
    assert first != second
    assert first.name == second.name == 'clip.mp4'


def test_the_file_of_somebody_else_cannot_be_claimed(uploads: Uploads):
    path = upload(uploads)
    uploads.claim(path, 'first')
    with pytest.raises(ValueError, match='not an upload of this visitor'):
        uploads.claim(path, 'second')


def test_what_breaks_off_goes(uploads: Uploads):
    with uploads.incoming() as folder:
        (folder / 'half').write_bytes(b'1')
        assert not uploads.has_room(100)
    assert list(uploads.folder.iterdir()) == []


@pytest.mark.parametrize(
    'place',
    ['../outside.mp4', '/etc/hostname', '.lock', 'a/b/c.mp4', 'a/../a/x.mp4', 'link/outside.mp4', 'https://x.y/z'],
)
def test_what_is_no_place_of_an_upload(place: str, uploads: Uploads, tmp_path: Path):
    (tmp_path / 'outside.mp4').write_bytes(b'1')
    (uploads.folder / 'link').symlink_to(tmp_path)
    path = place if '://' in place or place.startswith('/') else f'{uploads.folder}/{place}'
    assert not uploads.is_place(path)
    with pytest.raises(ValueError, match='is not an upload'):
        uploads.claim(path, 'visitor')
    assert (tmp_path / 'outside.mp4').exists()


def test_the_place_of_an_upload_stays_one(uploads: Uploads):
    path = upload(uploads)
    assert uploads.is_place(path)
    uploads.remove(path)
    assert uploads.is_place(str(path))
    with pytest.raises(ValueError, match='is not an upload'):
        uploads.claim(path, 'visitor')


def test_room(uploads: Uploads):
    upload(uploads, num_bytes=60)
    assert uploads.has_room(40)
    assert not uploads.has_room(41)


@pytest.mark.parametrize(
    ('name', 'stored'),
    [
        ('talk.mp4', 'talk.mp4'),
        ('../../etc/passwd', 'passwd'),
        ('C:\\Users\\me\\talk.mov', 'talk.mov'),
        ('..', 'recording'),
        ('', 'recording'),
        ('a\n\x1b[31m<b>.wav', 'a[31mb.wav'),
        ('Gespräch 1.mp4', 'Gespräch 1.mp4'),
        ('ä' * 200 + '.mp4', 'ä' * 98 + '.mp4'),
    ],
)
def test_names(name: str, stored: str, uploads: Uploads):
    assert upload(uploads, name).name == stored


def test_sweeping(uploads: Uploads):
    names = {'lost': 200, 'waits': 200, 'left': 4000, 'new': 10}
    paths = {name: upload(uploads, name) for name in names}
    for name, path in paths.items():
        os.utime(path, (time.time() - names[name],) * 2)
        if name in ('waits', 'left'):
            uploads.claim(path, name)
    uploads.sweep(unclaimed_seconds=120, claimed_seconds=3600)
    assert {name for name, path in paths.items() if path.exists()} == {'waits', 'new'}
    assert len(list(uploads.folder.iterdir())) == 2


def test_the_folder_is_private_and_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(tempfile, 'tempdir', str(tmp_path))
    monkeypatch.setenv('GRADIO_TEMP_DIR', 'before')
    monkeypatch.delenv('GRADIO_ANALYTICS_ENABLED', raising=False)
    left_behind = tmp_path / 'hicmae_web_killed'  # nobody holds its lock
    left_behind.mkdir()
    (left_behind / '.lock').touch()
    with upload_folder() as folder, upload_folder() as other:
        assert not left_behind.exists()
        assert folder.exists()  # the lock is held
        assert folder != other
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert os.environ['GRADIO_TEMP_DIR'] == str(other)
        assert os.environ['GRADIO_ANALYTICS_ENABLED'] == 'False'
        upload(Uploads(folder, 100))
    assert list(tmp_path.iterdir()) == []
    assert os.environ['GRADIO_TEMP_DIR'] == 'before'
    assert 'GRADIO_ANALYTICS_ENABLED' not in os.environ
