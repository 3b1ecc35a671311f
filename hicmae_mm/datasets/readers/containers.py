"""Checks from a few bytes, before any decoding, that a file is a media file and has the length that its header states.

Decoders treat truncated files differently: some report fewer frames, some repeat the last frame. A container states its
size, so truncation can be found without a decoder.
"""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

from hicmae_mm.datasets.errors import MediaError
from hicmae_mm.datasets.stand_ins import describe_stand_in

_HEAD_BYTES = 4096
_ISO_BOXES = {
    *(b'ftyp', b'moov', b'mdat', b'free', b'skip', b'wide', b'pnot', b'udta', b'uuid', b'meta', b'pdin'),
    *(b'moof', b'mfra', b'sidx', b'ssix', b'styp', b'prft', b'emsg', b'bloc', b'junk'),
}  # types that may stand at the top level
_ISO_TRAILERS = {b'free', b'skip', b'uuid', b'udta', b'meta', b'mfra', b'junk'}  # contain no pictures and no sound
_RIFF_TOLERANCE = 16  # bytes; some programs count padding and some do not
_SMALLEST_UNKNOWN_RIFF = 0x7FFF0000  # recorders, and programs that write to a pipe, state this size or a larger one


def check_complete(path: str | Path) -> None:
    """Checks that a file is a media file and is not truncated.

    The first bytes of the file decide about its format, and not its name. The size is checked for ISO (mp4, mov, m4a),
    RIFF (avi, wav) and Matroska (mkv, webm) containers only.

    Args:
        path: The file.

    Raises:
        FileNotFoundError: If there is no such file.
        MediaError: If the file is empty, shorter than its header states, or not a media file.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f'{path}: no such file; check data_root, data_prefix and the annotation file')
    if not path.is_file():
        raise MediaError(f'{path}: this is not a regular file; name a media file')
    size = path.stat().st_size
    if size == 0:
        raise MediaError(f'{path}: the file is empty; fetch or convert it again')
    try:
        instead = describe_stand_in(path)
        with path.open('rb') as file:
            declared = _declared_size(file, file.read(_HEAD_BYTES), size)
    except OSError as error:
        raise MediaError(f'{path}: the file cannot be read: {error.strerror}') from error
    if instead is not None:
        raise MediaError(f'{path}: {instead}')
    if declared > size:
        raise MediaError(
            f'{path}: the file is truncated, it has {size} bytes and its header declares {declared}; '
            'fetch or convert it again'
        )


def _declared_size(file: BinaryIO, head: bytes, size: int) -> int:
    """Returns the smallest size in bytes that the header allows; 0 if the header does not state one."""
    if head[4:8] in _ISO_BOXES:
        return _iso_size(file, size)
    if head[:4] == b'RIFF':
        declared = int.from_bytes(head[4:8], 'little')
        return 0 if declared == 0 or declared >= _SMALLEST_UNKNOWN_RIFF else declared + 8 - _RIFF_TOLERANCE
    if head[:4] == b'\x1a\x45\xdf\xa3':
        return _matroska_size(head)
    return 0


def _iso_size(file: BinaryIO, size: int) -> int:
    """Walks the top-level boxes of an ISO base media file (ISO/IEC 14496-12, 4.2).

    The walk ends at the first data that is not a box, because phones and cameras append blocks of their own.
    """
    offset, seen = 0, set[bytes]()
    while offset + 8 <= size:
        file.seek(offset)
        head = file.read(16)
        kind, box = head[4:8], int.from_bytes(head[:4], 'big')
        is_whole = {b'moov', b'mdat'} <= seen
        if kind not in _ISO_BOXES:
            return offset if is_whole else 0  # 0: only the decoder can tell
        if box == 1 and len(head) == 16:  # 64-bit size follows the type
            box = int.from_bytes(head[8:16], 'big')
        if box == 0:  # the last box reaches to the end of the file
            return size
        if box < 8:
            return 0
        if is_whole and kind in _ISO_TRAILERS:
            return offset
        offset += box
        seen.add(kind)
    return offset


def _matroska_size(head: bytes) -> int:
    """Returns the end of the segment element (RFC 8794: an element id, then a size of variable length)."""
    length, start = _ebml_size(head, 4)
    segment = start + length
    if length < 0 or head[segment : segment + 4] != b'\x18\x53\x80\x67':
        return 0
    length, start = _ebml_size(head, segment + 4)
    return 0 if length < 0 else start + length


def _ebml_size(head: bytes, at: int) -> tuple[int, int]:
    """Returns the value of the size field at ``at`` (-1 if it is not known) and the position after the field."""
    if at >= len(head) or head[at] == 0:
        return -1, at
    width = 9 - head[at].bit_length()
    value = int.from_bytes(head[at : at + width], 'big') & ((1 << (7 * width)) - 1)
    return (-1 if value == (1 << (7 * width)) - 1 else value), at + width
