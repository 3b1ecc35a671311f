from __future__ import annotations

import os
import stat
import tempfile
import time
from pathlib import Path

import pytest

from hicmae_mm.apis.web.uploads import Uploads, upload_folder


def upload(folder: Path, name: str = 'hash/clip.mp4') -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b'1')
    return path


def test_a_file_goes_with_the_last_who_needs_it(tmp_path: Path):
    uploads, path = Uploads(tmp_path), upload(tmp_path)
    uploads.claim(path, 'first')
    uploads.claim(path, 'second')
    uploads.leave('first')
    assert path.exists()
    uploads.leave('second')
    assert list(tmp_path.iterdir()) == []


def test_leaving_takes_only_ones_own(tmp_path: Path):
    uploads, mine, other = Uploads(tmp_path), upload(tmp_path, 'a/x.mp4'), upload(tmp_path, 'b/y.mp4')
    uploads.claim(mine, 'first')
    uploads.claim(other, 'second')
    uploads.leave('first')
    assert not mine.exists()
    assert other.exists()


@pytest.mark.parametrize('name', ['../outside.mp4', '/etc/hostname'])
def test_nothing_outside_of_the_folder_is_touched(name: str, tmp_path: Path):
    outside = upload(tmp_path, 'outside.mp4')
    folder = tmp_path / 'uploads'
    folder.mkdir()
    with pytest.raises(ValueError, match='is no upload'):
        Uploads(folder).claim(folder / name, 'visitor')
    assert outside.exists()


def test_a_link_out_of_the_folder_is_no_upload(tmp_path: Path):
    outside = upload(tmp_path, 'outside.mp4')
    folder = tmp_path / 'uploads'
    folder.mkdir()
    (folder / 'link.mp4').symlink_to(outside)
    with pytest.raises(ValueError, match='is no upload'):
        Uploads(folder).claim(folder / 'link.mp4', 'visitor')


def test_sweeping(tmp_path: Path):
    uploads = Uploads(tmp_path)
    names = ('old/lost.mp4', 'old_claimed/waits.mp4', 'older_claimed/left.mp4', 'new/lost.mp4')
    ages = (200, 200, 4000, 10)
    for name, age in zip(names, ages, strict=True):
        path = upload(tmp_path, name)
        os.utime(path, (time.time() - age,) * 2)
        if 'claimed' in name:
            uploads.claim(path, name)
    uploads.sweep(unclaimed_seconds=120, claimed_seconds=3600)
    left = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob('*')}
    assert left == {'old_claimed', 'old_claimed/waits.mp4', 'new', 'new/lost.mp4'}


def test_the_folder_is_private_and_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(tempfile, 'tempdir', str(tmp_path))
    monkeypatch.setenv('GRADIO_TEMP_DIR', 'before')
    monkeypatch.delenv('GRADIO_ANALYTICS_ENABLED', raising=False)
    left_behind = tmp_path / 'hicmae_web_killed'  # nobody holds its lock
    upload(left_behind)
    (left_behind / '.lock').touch()
    with upload_folder() as folder, upload_folder() as other:
        assert not left_behind.exists()
        assert folder.exists()  # the lock is held
        assert folder != other
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert os.environ['GRADIO_TEMP_DIR'] == str(other)
        assert os.environ['GRADIO_ANALYTICS_ENABLED'] == 'False'
        upload(folder)
    assert list(tmp_path.iterdir()) == []
    assert os.environ['GRADIO_TEMP_DIR'] == 'before'
    assert 'GRADIO_ANALYTICS_ENABLED' not in os.environ
