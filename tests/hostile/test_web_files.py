"""Files that visitors of the web page could upload to do harm are refused in words before they are decoded."""

from __future__ import annotations

import io
import os
import pickle
import struct
import time
import wave
import zipfile
from pathlib import Path

import pytest

from hicmae_mm.apis.web.limits import Limits, check_media
from hicmae_mm.apis.web.problems import VisitorError
from hicmae_mm.apis.web.uploads import Uploads

LIMITS = Limits(max_megabytes=1, max_seconds=2)


def archive() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, 'w', zipfile.ZIP_DEFLATED) as file:
        file.writestr('a.mp4', bytes(10_000_000))
    return buffer.getvalue()


def sound(seconds: float, rate: int = 8000, claimed: int | None = None) -> bytes:
    buffer = io.BytesIO()
    with wave.open(buffer, 'wb') as file:
        file.setparams((1, 1, rate, 0, 'NONE', ''))
        file.writeframes(bytes(round(seconds * rate)))
    content = bytearray(buffer.getvalue())
    if claimed is not None:
        content[40:44] = struct.pack('<I', claimed)
    return bytes(content)


UNREADABLE = 'cannot be read as a video or sound'
FILES: list[tuple[str, bytes, str]] = [
    ('empty.mp4', b'', UNREADABLE),
    ('text.mp4', b'dear diary\n' * 100, UNREADABLE),
    ('page.html', b'<!DOCTYPE html><script>alert(1)</script>', UNREADABLE),
    ('code.py', b'import os; os.system("touch ran")', UNREADABLE),
    ('code.pkl', pickle.dumps([1]), UNREADABLE),
    ('archive.zip', archive(), UNREADABLE),
    ('list.m3u8', b'#EXTM3U\n#EXTINF:1,\n/etc/passwd\n', UNREADABLE),
    (
        'list.mp4',
        b'#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:1/a.ts\n#EXT-X-ENDLIST\n',
        UNREADABLE,
    ),
    ('join.txt', b"ffconcat version 1.0\nfile '/etc/passwd'\n", UNREADABLE),
    ('join.mp4', b"ffconcat version 1.0\nfile 'http://127.0.0.1:1/a'\n", UNREADABLE),
    (
        'session.sdp',
        b'v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nt=0 0\nm=video 9 RTP/AVP 96\n',
        UNREADABLE,
    ),
    ('picture.svg', b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>', UNREADABLE),
    ('dash.mpd', b'<?xml version="1.0"?><MPD><Period><BaseURL>file:///etc/passwd</BaseURL></Period></MPD>', UNREADABLE),
    ('subtitles.srt', b'1\n00:00:00,000 --> 00:00:01,000\nhello\n', UNREADABLE),
    ('picture.png', b'\x89PNG\r\n\x1a\n' + bytes(100), UNREADABLE),
    ('zeros.mp4', bytes(100_000), UNREADABLE),
    ('box.mp4', b'\xff\xff\xff\xffftypisom' + bytes(100), UNREADABLE),
    ('huge_box.mp4', b'\0\0\0\1ftyp\xff\xff\xff\xff\xff\xff\xff\xff', UNREADABLE),
    ('matroska.webm', b'\x1a\x45\xdf\xa3' + b'\xff' * 500, UNREADABLE),
    ('chunk.avi', b'RIFF\xff\xff\xff\xffAVI LIST\xff\xff\xff\xffhdrl', UNREADABLE),
    ('head.wav', sound(1)[:44], UNREADABLE),
    ('large.wav', sound(130), 'larger than 1 MB'),
    ('long.wav', sound(3), 'longer than 2 seconds'),
    ('slow.wav', sound(100, rate=100), 'longer than 2 seconds'),
]


@pytest.mark.parametrize(('name', 'content', 'message'), FILES, ids=[name for name, _, _ in FILES])
def test_files(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    began = time.monotonic()
    with pytest.raises(VisitorError, match=message) as caught:
        check_media(tmp_path / name, LIMITS)
    assert caught.value.advice
    assert str(tmp_path) not in str(caught.value)
    assert time.monotonic() - began < 5


def test_a_length_that_is_claimed_is_not_believed(tmp_path: Path) -> None:
    (tmp_path / 'a.wav').write_bytes(sound(1, claimed=0xFFFFFF00))
    assert check_media(tmp_path / 'a.wav', LIMITS) == {'audio'}


def test_what_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / 'pipe.mp4')
    (tmp_path / 'zero.mp4').symlink_to('/dev/zero')
    (tmp_path / 'folder.mp4').mkdir()
    for name in ('pipe', 'zero', 'folder', 'absent'):
        with pytest.raises(VisitorError, match='no longer here'):
            check_media(tmp_path / f'{name}.mp4', LIMITS)


NAMES = [
    '../../etc/passwd',
    '/etc/passwd',
    '..',
    '.',
    '',
    'a/../b.mp4',
    'c:\\windows\\a.mp4',
    '\0',
    'a\nb.mp4',
    '\x1b[31mred.mp4',
    'a' * 5000 + '.mp4',
    '日' * 500 + '.mp4',
    '<script>.mp4',
    '.lock',
    '\u202egpm.4pm',
]


@pytest.mark.parametrize('name', NAMES, ids=range(len(NAMES)))
def test_names_of_uploads(tmp_path: Path, name: str) -> None:
    uploads = Uploads(tmp_path / 'uploads', 10_000)
    uploads.folder.mkdir()
    arrived = tmp_path / 'arrived'
    arrived.write_bytes(b'x')
    path = uploads.accept(arrived, name)
    assert path.parent.parent == uploads.folder
    assert path.is_file()
    assert path.name.isprintable()
    assert path.name != '.lock'
    uploads.remove(path)
    assert list(uploads.folder.rglob('*')) == []
