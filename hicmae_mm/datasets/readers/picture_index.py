"""Index of the pictures of a track: their time stamps, and the positions where decoding may begin.

There are two ways to make it. If every packet has a time stamp and the codec makes one picture from each packet, the
packets are enough, and reading them takes about a millisecond. All other tracks are decoded once, because their headers
are not reliable.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from av.container import InputContainer

from hicmae_mm.datasets.errors import MediaError
from hicmae_mm.datasets.readers.tracks import LONGEST_SECONDS, check_gap, decoded_frames

_SEEKABLE_FORMATS = {'mov,mp4,m4a,3gp,3g2,mj2', 'matroska,webm'}
_ONE_PICTURE_PER_PACKET = {
    *('h264', 'hevc', 'vp8', 'vp9', 'av1', 'mpeg4', 'h263', 'mjpeg', 'png', 'prores', 'dnxhd', 'ffv1', 'qtrle'),
    *('libdav1d', 'dvvideo', 'rawvideo'),
}
_SMALLEST_PACKET = {'mpeg4': 10, 'h263': 10}  # bytes; smaller packets mean "no change" and give no picture
_VP8_IS_SHOWN = 0x10  # bit of the first byte; pictures without it are only references for others
_KEPT_BYTES = 2**26  # decoded pictures up to this size are kept, so that short clips are not decoded twice


class _Packet(NamedTuple):
    stamp: int
    seek_stamp: int
    is_key: bool
    stands_alone: bool
    is_shown: bool
    duration: int


@dataclass(frozen=True)
class PictureIndex:
    """Lists the pictures of a track in the order in which they are shown.

    Time stamps are in units of the track's time base.

    Attributes:
        stamps: Time stamps of the pictures, ascending.
        end: Time stamp at which the last picture ends.
        key_stamps: Time stamps of the pictures at which decoding may begin, ascending. If it is empty, decoding may
            begin only at the start of the track.
        seek_stamps: Time stamp to seek to for each of ``key_stamps``.
        is_plain: Whether every picture is shown, the first is a key picture, and no picture refers to pictures on the
            other side of a key picture.
        first_size: Width and height of the first picture (pixels); None if it was not decoded.
    """

    stamps: Sequence[int]
    end: int
    key_stamps: Sequence[int] = ()
    seek_stamps: Sequence[int] = ()
    is_plain: bool = False
    first_size: tuple[int, int] | None = None

    def seek_stamp(self, position: int) -> int | None:
        """Returns the time stamp to seek to before picture ``position`` is decoded; None means the start."""
        key = bisect_right(self.key_stamps, self.stamps[position]) - 1
        return self.seek_stamps[key] if key > 0 else None


def index_of_packets(container: InputContainer, track: Any, path: Path) -> PictureIndex | None:
    """Makes the index from the packets of a track.

    Args:
        container: The opened file, at its start.
        track: Its picture track.
        path: Name of the file in error messages.

    Returns:
        The index; None if the packets are not enough to make it.

    Raises:
        MediaError: If the time stamps are impossible.
    """
    codec = track.codec_context.name
    if container.format.name not in _SEEKABLE_FORMATS or codec not in _ONE_PICTURE_PER_PACKET:
        return None
    if codec in ('h264', 'hevc') and track.codec_context.field_order > 1:  # a packet may be half a picture
        return None
    packets, smallest = [], _SMALLEST_PACKET.get(codec, 1)
    for packet in container.demux(track):
        if packet.size:
            is_hidden = codec == 'vp8' and not memoryview(packet)[0] & _VP8_IS_SHOWN
            if packet.pts is None or packet.size < smallest or is_hidden:
                return None
            seek_stamp = packet.pts if packet.dts is None else packet.dts
            stands_alone = packet.is_keyframe and (codec != 'h264' or _is_idr(bytes(packet)))
            state = packet.is_keyframe, stands_alone, not packet.is_discard
            packets.append(_Packet(packet.pts, seek_stamp, *state, packet.duration or 0))
        elif packet.dts is not None:
            return None
    return _index_of(packets, track, path)


def _is_idr(packet: bytes) -> bool:
    """Tells whether an H.264 picture is an IDR picture. Recovery points are also marked as key pictures, but are not.

    No picture after an IDR picture refers to a picture before it.
    """
    at = 0
    while at + 5 <= len(packet):
        kind = packet[at + 4] & 31  # each unit of the stream follows its length, which has four bytes in usual files
        if kind in (1, 5):
            return kind == 5
        at += 4 + int.from_bytes(packet[at : at + 4], 'big')
    return False


def _index_of(packets: list[_Packet], track: Any, path: Path) -> PictureIndex | None:
    if not packets or not packets[0].is_key or any(packet.stamp < packets[0].stamp for packet in packets):
        return None  # only the decoder knows whether pictures before the first key picture can be decoded
    shown = sorted(packet for packet in packets if packet.is_shown)
    stamps = [packet.stamp for packet in shown]
    if not shown or len(set(stamps)) < len(stamps):
        return None
    keys = sorted((packet.stamp, packet.seek_stamp) for packet in packets if packet.is_key)
    latest, is_plain = packets[0].stamp - 1, len(shown) == len(packets)
    for packet in packets:  # in order of decoding
        is_plain = is_plain and (not packet.is_key or (packet.stands_alone and packet.stamp > latest))
        if packet.is_key:
            key = packet.stamp
        is_plain = is_plain and packet.stamp >= key
        latest = max(latest, packet.stamp)
    return PictureIndex(
        _check_stamps(stamps, track, path),
        _end(stamps, shown[-1].duration, track),
        [stamp for stamp, _ in keys],
        [stamp for _, stamp in keys],
        is_plain,
    )


def index_by_decoding(container: InputContainer, track: Any, path: Path) -> tuple[PictureIndex, list[Any]]:
    """Makes the index by decoding a track.

    Args:
        container: The opened file, at its start.
        track: Its picture track.
        path: Name of the file in error messages.

    Returns:
        The index, and a list of all decoded pictures. The list is empty if the pictures are too large to be kept.

    Raises:
        MediaError: If there are no pictures, or their time stamps are impossible.
    """
    shown_stamps, decoding_stamps, durations = list[Any](), list[Any](), list[int]()
    kept, size = list[Any](), 0
    first_size: tuple[int, int] | None = None
    for frame in decoded_frames(container, track):
        shown_stamps.append(frame.pts)
        decoding_stamps.append(frame.dts)
        durations.append(frame.duration or 0)
        first_size = first_size or (frame.width, frame.height)
        size += sum(plane.buffer_size for plane in frame.planes)
        if size <= _KEPT_BYTES:
            kept.append(frame)
        else:
            kept.clear()
    if not shown_stamps:
        raise MediaError(f'{path}: the video has no frames')
    stamps = _ascending(shown_stamps, decoding_stamps, durations, _usual_step(track))
    end = _end(stamps, durations[-1], track)
    return PictureIndex(_check_stamps(stamps, track, path), end, first_size=first_size), kept


def _ascending(shown: list[Any], decoding: list[Any], durations: list[int], step: int) -> list[int]:
    """Returns ascending time stamps of decoded frames.

    These are the presentation time stamps, or the decoding time stamps if fewer of those are wrong (in AVI files). A
    time stamp that is missing or too small is replaced by the end of the picture before.
    """
    chosen = shown if _num_wrong(shown) <= _num_wrong(decoding) else decoding
    stamps = [0 if chosen[0] is None else chosen[0]]
    for stamp, duration in zip(chosen[1:], durations):
        earliest = stamps[-1] + (duration or step)
        stamps.append(earliest if stamp is None or stamp <= stamps[-1] else stamp)
    return stamps


def _num_wrong(stamps: list[Any]) -> int:
    """Counts the time stamps that are missing, or not later than the one before."""
    return sum(stamp is None or (last is not None and stamp <= last) for last, stamp in pairwise([None, *stamps]))


def _check_stamps(stamps: list[int], track: Any, path: Path) -> list[int]:
    """Returns the time stamps if they are plausible.

    Raises:
        MediaError: If a time stamp lies beyond :data:`~hicmae_mm.datasets.readers.tracks.LONGEST_SECONDS`, or time
            stamps jump.
    """
    seconds = max(abs(stamps[0]), abs(stamps[-1])) * float(track.time_base or 1)
    if seconds > LONGEST_SECONDS:
        raise MediaError(f'{path}: a frame at {seconds:.3g} s; the time stamps are damaged, convert the file again')
    check_gap(stamps, track.time_base or Fraction(1), 'pictures', path)
    return stamps


def _end(stamps: list[int], duration: int, track: Any) -> int:
    """Returns the end of the last picture. Without a plausible duration it is shown as long as the picture before."""
    step = stamps[-1] - stamps[-2] if len(stamps) > 1 else _usual_step(track)
    return stamps[-1] + (duration if 0 < duration <= 100 * step else step)


def _usual_step(track: Any) -> int:
    rate = track.average_rate or track.guessed_rate or Fraction(25)
    step = 1 / rate / (track.time_base or Fraction(1)) if rate > 0 else Fraction(1)
    return max(round(step), 1)
