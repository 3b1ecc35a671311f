from __future__ import annotations

import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from hicmae_mm.datasets.errors import MediaError
from hicmae_mm.datasets.readers.picture_size import picture_size
from hicmae_mm.datasets.readers.video import open_video

PICTURE = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)


def encoded(suffix: str, *options: int) -> bytes:
    return cv2.imencode(suffix, PICTURE, options)[1].tobytes()


def empty_png(height: int, width: int) -> bytes:
    """A PNG whose header promises pixels that it does not have."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack('>I', len(content)) + name + content + struct.pack('>I', zlib.crc32(name + content))

    header = struct.pack('>IIBBBBB', width, height, 8, 2, 0, 0, 0)
    return (
        b'\x89PNG\r\n\x1a\n'
        + chunk(b'IHDR', header)
        + chunk(b'IDAT', zlib.compress(b'\0' * 1000))
        + chunk(b'IEND', b'')
    )


def huge_jpeg(height: int, width: int) -> bytes:
    data = bytearray(encoded('.jpg'))
    at = data.index(b'\xff\xc0') + 5
    data[at : at + 4] = struct.pack('>HH', height, width)
    return bytes(data)


@pytest.mark.parametrize('suffix', ['.jpg', '.png', '.bmp', '.webp'])
def test_size_of_every_kind(suffix: str) -> None:
    assert picture_size(encoded(suffix)) == (20, 30)


def test_size_of_other_jpegs() -> None:
    assert picture_size(encoded('.jpg', cv2.IMWRITE_JPEG_PROGRESSIVE, 1, cv2.IMWRITE_JPEG_RST_INTERVAL, 2)) == (20, 30)
    plain = encoded('.jpg')
    comment = b'\xff\xfe' + struct.pack('>H', 6) + b'\xff\xc0hi'  # a marker's bytes in a comment
    assert picture_size(plain[:2] + comment + b'\xff' + plain[2:]) == (20, 30)
    for broken in (b'', b'\xff\xd8', plain[:40], b'no picture at all'):
        assert picture_size(broken) is None


@pytest.mark.parametrize('name', ['2.png', '2.jpg'])
def test_pictures_too_large_to_hold_are_refused_before_they_are_decoded(tmp_path: Path, name: str) -> None:
    (tmp_path / '1.png').write_bytes(encoded('.png'))
    (tmp_path / name).write_bytes(empty_png(30000, 30000) if name.endswith('png') else huge_jpeg(30000, 30000))
    with pytest.raises(MediaError, match=r'2\.\w+: a picture of 30000 x 30000 pixels, more than the 33554432'):
        open_video(tmp_path).read([0, 1])
