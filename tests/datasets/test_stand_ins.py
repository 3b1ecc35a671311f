from __future__ import annotations

from pathlib import Path

import pytest

from hicmae_mm.datasets.errors import MediaError
from hicmae_mm.datasets.readers.audio import open_audio
from hicmae_mm.datasets.readers.video import open_video
from hicmae_mm.datasets.stand_ins import describe_stand_in, stand_in
from tests.conftest import MediaFolder

POINTER = b'version https://git-lfs.github.com/spec/v1\noid sha256:' + b'0' * 64 + b'\nsize 72862\n'
PAGE = b'\xef\xbb\xbf\r\n<!DOCTYPE HTML>\n<html><title>Sign in</title></html>'


def test_pointers_and_pages_are_told_from_media(media: MediaFolder) -> None:
    assert 'git lfs pull' in (stand_in(POINTER) or '')
    for page in (PAGE, b'  <html lang="en">', b'<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>'):
        assert 'web page' in (stand_in(page) or '')
    for path in (media.wav(), media.video(), media.wav('a.flac')):
        assert describe_stand_in(path) is None
    assert describe_stand_in(media.root / 'none') is None
    assert describe_stand_in(media.root) is None


def test_pictures_are_told_too(tmp_path: Path) -> None:
    (tmp_path / '1.jpg').write_bytes(POINTER)
    with pytest.raises(MediaError, match=r"1\.jpg: a Git LFS pointer, .* 'git lfs pull'"):
        open_video(tmp_path).read([0])


@pytest.mark.parametrize(('content', 'message'), [(POINTER, "run 'git lfs pull'"), (PAGE, 'download the file again')])
@pytest.mark.parametrize('name', ['a.wav', 'a.mp4', 'a.flv'])
def test_readers_say_what_the_file_is(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    for read in (open_audio, open_video):
        with pytest.raises(MediaError, match=rf'{name}: .*{message}'):
            read(tmp_path / name)
