"""Is a media file as long as its own header says? Read from a few bytes of the container, before any decoding.

Decoders disagree about files that were cut short: some report fewer frames, some repeat the last one. A container
states its size, so the question can be answered without them.
"""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

from hicmae_mm.datasets.errors import MediaError
from hicmae_mm.datasets.stand_ins import describe_stand_in

_ISO_SUFFIXES = {'.mp4', '.m4v', '.m4a', '.mov'}
_ISO_FIRST_BOXES = {b'ftyp', b'moov', b'mdat', b'free', b'skip', b'wide'}
_RIFF_SUFFIXES = {'.avi', '.wav'}
_MATROSKA_SUFFIXES = {'.mkv', '.webm', '.mka'}
_RIFF_SLACK = 16  # bytes; writers disagree about counting padding
_UNKNOWN_RIFF_SIZES = (0, 0xFFFFFFFF)  # written by programs that stream to a pipe


def check_complete(path: str | Path) -> None:
    """Checks that a media file was not cut short.

    Other containers than ISO (mp4, mov, m4a), RIFF (avi, wav) and Matroska (mkv, webm) are not looked at.

    Raises:
        FileNotFoundError: If there is no such file.
        MediaError: If the file is empty, shorter than its header says, or a pointer or page in place of media.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f'{path}: no such file; check data_root, data_prefix and the annotation file')
    size = path.stat().st_size
    if size == 0:
        raise MediaError(f'{path}: the file is empty; fetch or convert it again')
    instead = describe_stand_in(path)
    if instead is not None:
        raise MediaError(f'{path}: {instead}')
    with path.open('rb') as file:
        declared = _declared_size(file, path.suffix.lower(), size)
    if declared > size:
        raise MediaError(
            f'{path}: the file is truncated, it has {size} bytes and its header declares {declared}; '
            'fetch or convert it again'
        )


def _declared_size(file: BinaryIO, suffix: str, size: int) -> int:
    """Smallest size that the container declares, as far as it can be told; 0 where it cannot."""
    if suffix in _ISO_SUFFIXES:
        return _iso_size(file, size)
    if suffix in _RIFF_SUFFIXES:
        head = file.read(8)
        declared = int.from_bytes(head[4:8], 'little') if head[:4] == b'RIFF' else 0
        return 0 if declared in _UNKNOWN_RIFF_SIZES else declared + 8 - _RIFF_SLACK
    if suffix in _MATROSKA_SUFFIXES:
        return _matroska_size(file)
    return 0


def _iso_size(file: BinaryIO, size: int) -> int:
    """Walks the top-level boxes of an ISO base media file (ISO/IEC 14496-12, 4.2)."""
    if file.read(8)[4:] not in _ISO_FIRST_BOXES:
        return 0
    offset = 0
    while offset + 8 <= size:
        file.seek(offset)
        head = file.read(16)
        box = int.from_bytes(head[:4], 'big')
        if box == 1 and len(head) == 16:  # 64-bit size follows the type
            box = int.from_bytes(head[8:16], 'big')
        if box == 0:  # the last box reaches to the end of the file
            return size
        if box < 8:  # not a box: leave the judgement to the decoder
            return 0
        offset += box
    return offset


def _matroska_size(file: BinaryIO) -> int:
    """End of the segment element (RFC 8794: element id, then a size of variable length)."""
    head = file.read(4096)
    if head[:4] != b'\x1a\x45\xdf\xa3':
        return 0
    length, start = _ebml_size(head, 4)
    segment = start + length
    if length < 0 or head[segment : segment + 4] != b'\x18\x53\x80\x67':
        return 0
    length, start = _ebml_size(head, segment + 4)
    return 0 if length < 0 else start + length


def _ebml_size(head: bytes, at: int) -> tuple[int, int]:
    """Value of the size field at ``at`` (-1 if unknown) and the position after it."""
    if at >= len(head) or head[at] == 0:
        return -1, at
    width = 9 - head[at].bit_length()
    value = int.from_bytes(head[at : at + width], 'big') & ((1 << (7 * width)) - 1)
    return (-1 if value == (1 << (7 * width)) - 1 else value), at + width
