"""Checks of what a shard or an index says, before anything is computed from it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_MOST_BYTES = 1 << 40


def check_clip_meta(meta: Any) -> dict[str, Any]:
    """Returns the description of a packed clip.

    Raises:
        ValueError: If a part is missing or malformed. The error names it.
    """
    found = _mapping(meta, 'the description')
    if not isinstance(found.get('sample_id'), str):
        raise ValueError('sample_id is no text')
    streams = found.get('streams')
    if not isinstance(streams, list) or not all(isinstance(name, str) for name in streams):
        raise ValueError('streams is no list of names')
    if 'label' not in found:
        raise ValueError('label is missing')
    _mapping(found.get('columns', {}), 'columns')
    if found.get('video') is not None:
        video = _mapping(found['video'], 'video')
        check_offsets(video.get('offsets'), 'video.offsets')
        _number(video.get('fps'), 'video.fps', is_optional=True)
        seconds = video.get('seconds')
        if seconds is not None and (not isinstance(seconds, list) or len(seconds) != len(video['offsets'])):
            raise ValueError('video.seconds has not the start of every frame and the end of the last')
        for value in seconds or ():
            _number(value, 'video.seconds')
    if found.get('audio') is not None:
        audio = _mapping(found['audio'], 'audio')
        if not isinstance(audio.get('format'), str):
            raise ValueError('audio.format is no text')
        _count(audio.get('num_bytes'), 'audio.num_bytes')
        _number(audio.get('start_seconds'), 'audio.start_seconds', is_optional=True)
    return {'video': None, 'audio': None, **found}


def check_offsets(offsets: Any, name: str) -> list[int]:
    """Returns the byte positions in ascending order, one more than there are items.

    Raises:
        ValueError: If they are none.
    """
    if not isinstance(offsets, list) or not offsets:
        raise ValueError(f'{name} is no list of byte positions')
    before = 0
    for offset in offsets:
        if _count(offset, name) < before:
            raise ValueError(f'{name} is not in ascending order')
        before = offset
    return offsets


def check_shard_name(name: Any) -> str:
    """Returns the name of a file beside the index.

    Raises:
        ValueError: If it is none, or leads elsewhere.
    """
    if not isinstance(name, str) or not name or '/' in name or '\\' in name or '\0' in name or name in ('.', '..'):
        raise ValueError(f'{str(name)[:60]!r} is no name of a shard beside the index')
    return name


def _mapping(value: Any, name: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f'{name} is no dictionary')
    return value


def _count(value: Any, name: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _MOST_BYTES:
        raise ValueError(f'{name} holds {str(value)[:60]!r}, expected a number of bytes')
    return value


def _number(value: Any, name: str, is_optional: bool = False) -> None:
    if value is None and is_optional:
        return
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) < 1e9:
        raise ValueError(f'{name} holds {str(value)[:60]!r}, expected a number')
