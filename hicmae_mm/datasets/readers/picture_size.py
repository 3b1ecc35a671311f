"""Reads the size of a picture from its header, before a decoder allocates memory for it."""

from __future__ import annotations

import io

from PIL import Image

_PNG = b'\x89PNG\r\n\x1a\n'
_FRAME_MARKERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # start of frame (ITU-T T.81, table B.1)
_BEYOND_PILLOW = (2**31, 2**31)
_BARE_MARKERS = frozenset({0x01, *range(0xD0, 0xD9)})  # no length follows


def picture_size(data: bytes) -> tuple[int, int] | None:
    """Returns the height and the width (pixels) in the header of a picture; None if the header cannot be read.

    This function parses the headers of JPEG and PNG itself, because Pillow takes 100 microseconds, which is a fifth of
    the time of decoding a face.

    Args:
        data: The encoded picture.
    """
    if data[:2] == b'\xff\xd8':
        return _jpeg_size(data)
    if data[:8] == _PNG:
        return int.from_bytes(data[20:24], 'big'), int.from_bytes(data[16:20], 'big')
    try:
        with Image.open(io.BytesIO(data)) as image:
            return image.height, image.width
    except Image.DecompressionBombError:
        return _BEYOND_PILLOW
    except (OSError, ValueError, SyntaxError):
        return None


def _jpeg_size(data: bytes) -> tuple[int, int] | None:
    at, end = 2, len(data) - 9
    while at < end:
        if data[at] != 0xFF:
            at += 1
            continue
        marker = data[at + 1]
        if marker in _FRAME_MARKERS:
            return int.from_bytes(data[at + 5 : at + 7], 'big'), int.from_bytes(data[at + 7 : at + 9], 'big')
        if marker == 0xFF:  # padding
            at += 1
        else:
            at += 2 if marker in _BARE_MARKERS else 2 + int.from_bytes(data[at + 2 : at + 4], 'big')
    return None
