"""Check uploads against limits before anything is decoded."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import av

from hicmae_mm.apis.web import problems

_FORMATS = 'mov,mp4,matroska,webm,avi,mpegts,mpeg,mpegvideo,flv,asf,ogg,wav,flac,mp3,aac,gif'
_OPTIONS = {'format_whitelist': _FORMATS, 'protocol_whitelist': 'file', 'max_streams': '64'}
_MOST_PIXELS = 4096 * 2304
_MOST_FRAMES_PER_SECOND = 130
_MOST_PACKETS_PER_SECOND = 2000  # of all streams together; a forged header can announce billions of empty packets
_MOST_STREAMS = 16
_SLACK_SECONDS = 0.5  # tolerance, because recorders stop a short time after the limit


@dataclass(frozen=True)
class Limits:
    """Limits for uploads.

    Attributes:
        max_megabytes: Largest size of a file in units of 1e6 bytes.
        max_seconds: Largest length of a recording.
        max_analysis_seconds: Longest time for one analysis.

    Raises:
        ValueError: If a limit is not above 0.

    Example:
        >>> from hicmae_mm.apis.web import Limits
        >>> Limits(max_megabytes=1.5).max_bytes
        1500000
    """

    max_megabytes: float = 100.0
    max_seconds: float = 120.0
    max_analysis_seconds: float = 600.0

    def __post_init__(self) -> None:
        for name in ('max_megabytes', 'max_seconds', 'max_analysis_seconds'):
            if not getattr(self, name) > 0:
                raise ValueError(f'{name} must be above 0, got {getattr(self, name)}')

    @property
    def max_bytes(self) -> int:
        """Returns the largest size of a file in bytes."""
        return int(self.max_megabytes * 1e6)


def check_media(path: Path, limits: Limits) -> frozenset[str]:
    """Checks a file against the limits.

    Nothing is decoded: the size, the header and the time stamps of the packets are enough. The check does not trust the
    length in the header. It does not open play lists, because they could name other files or addresses.

    Args:
        path: The file.
        limits: The limits.

    Returns:
        The streams of the file, out of ``'video'`` and ``'audio'``.

    Raises:
        VisitorError: If the file is too large, too long, or has neither pictures nor sound.
    """
    if not path.is_file():
        raise problems.upload_lost()
    if path.stat().st_size > limits.max_bytes:
        raise problems.too_large(limits.max_megabytes)
    try:
        with av.open(str(path), options=dict(_OPTIONS)) as container:
            return _check_streams(container, limits)
    except (av.error.FFmpegError, ValueError, OSError) as error:
        if isinstance(error, problems.VisitorError):
            raise
        raise problems.not_media() from error


def _check_streams(container: av.container.InputContainer, limits: Limits) -> frozenset[str]:
    cover = av.stream.Disposition.attached_pic
    pictures = [stream for stream in container.streams.video if not stream.disposition & cover]
    sounds = list(container.streams.audio)
    if not pictures and not sounds:
        raise problems.not_media()
    if len(container.streams) > _MOST_STREAMS:
        raise problems.not_media()
    if any(stream.width * stream.height > _MOST_PIXELS for stream in pictures):
        raise problems.too_detailed()
    longest = limits.max_seconds + _SLACK_SECONDS
    first: float | None = None
    packets, frames, wanted = 0, 0, {stream.index for stream in (*pictures, *sounds)}
    for packet in container.demux():
        packets += 1
        if packets > _MOST_PACKETS_PER_SECOND * longest:
            raise problems.too_detailed()
        if packet.stream.index not in wanted or packet.pts is None or packet.time_base is None:
            continue
        start = float(packet.pts * packet.time_base)
        first = start if first is None else min(first, start)
        if start + float((packet.duration or 0) * packet.time_base) - first > longest:
            raise problems.too_long(limits.max_seconds)
        frames += packet.stream.type == 'video'
        if frames > _MOST_FRAMES_PER_SECOND * longest:
            raise problems.too_detailed()
    if first is None:
        raise problems.not_media()
    found = {'video': pictures, 'audio': sounds}
    return frozenset(name for name, streams in found.items() if streams)
