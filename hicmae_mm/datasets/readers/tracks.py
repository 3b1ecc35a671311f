"""Opens media files with FFmpeg, chooses the tracks of pictures and sound, and finds the start of their clock.

All code that opens a file uses :func:`open_container`, so that limits and choices are the same everywhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
from av.container import InputContainer
from av.stream import Disposition

from hicmae_mm.datasets.errors import MediaError, decoder_errors
from hicmae_mm.datasets.readers.containers import check_complete

LONGEST_SECONDS = 1e7
"""Largest time stamp (116 days). A larger one means that the file is damaged."""

LONGEST_GAP_SECONDS = 3600.0
"""Longest time between two pictures, or two pieces of sound. A clock that wrapped or jumped makes a longer one."""

MOST_PIXELS = 2**26
"""Largest number of pixels of a picture, which is twice that of 8K video."""

_SAMPLE_RATES_HZ = (100, 1_000_000)
_NO_PICTURES = Disposition.attached_pic | Disposition.timed_thumbnails | Disposition.still_image
# Containers and raw streams that contain pictures or sound. The list has no playlists, because they make FFmpeg open
# further files or addresses, and no raw samples, because every file can be read as raw samples.
_FORMATS = (
    'mov mp4 matroska webm avi flv live_flv kux mpegts mpeg mpegvideo asf asf_o ogg mxf gxf gif apng dv nut rm ivf obu '
    'wtv nsv swf nuv amr amrnb amrwb wav w64 aiff au caf flac mp3 aac loas ac3 eac3 dts ape wv tta tak mpc mpc8 shn '
    'gsm voc xwma h261 h263 h264 hevc vvc av1 m4v mjpeg mpjpeg vc1 cavsvideo dirac dnxhd yuv4mpegpipe webp_pipe lc3 '
    'avs avs2 avs3 mv bink smk roq flic dsf iff sox ircam nistsphere paf pvf svx 3gp 3g2 m4a mj2 hcom truehd mlp dtshd'
)
_OPTIONS = {'format_whitelist': _FORMATS.replace(' ', ','), 'protocol_whitelist': 'file'}


def open_container(path: Path) -> InputContainer:
    """Opens a media file after a check of its first bytes.

    See :func:`~hicmae_mm.datasets.readers.containers.check_complete`.

    Args:
        path: The file.

    Raises:
        FileNotFoundError: If there is no such file.
        MediaError: If the file is truncated, or FFmpeg cannot read its format.
    """
    check_complete(path)
    with decoder_errors(f'{path}: cannot be opened as a video or sound file'):
        try:
            return av.open(f'file:{path}', options=_OPTIONS, metadata_errors='replace')
        except av.error.ArgumentError as error:  # FFmpeg's error for formats that are not in the list
            raise MediaError(f'{path}: cannot be opened as a video or sound file: its format is not known') from error


def picture_track(container: InputContainer, path: Path) -> Any:
    """Returns the first track of moving pictures. Cover pictures do not count.

    Args:
        container: The opened file.
        path: Name of the file in error messages.

    Raises:
        MediaError: If there is no such track, its codec is not known, or its pictures are too large.
    """
    tracks = picture_tracks(container)
    if not tracks:
        raise MediaError(f'{path}: the file has no picture track')
    track = tracks[0]
    _check_codec(track, 'pictures', path)
    width, height = track.codec_context.width, track.codec_context.height
    if width * height > MOST_PIXELS:
        raise MediaError(f'{path}: pictures of {width} x {height} pixels are larger than {MOST_PIXELS} pixels')
    track.codec_context.thread_count = 1
    return track


def picture_tracks(container: InputContainer) -> list[Any]:
    """Returns all tracks of moving pictures."""
    return [track for track in container.streams.video if not track.disposition & _NO_PICTURES]


def sound_track(container: InputContainer, path: Path) -> Any:
    """Returns the sound track that players choose: the first that is marked as default, else the first.

    Args:
        container: The opened file.
        path: Name of the file in error messages.

    Raises:
        MediaError: If there is no sound track, its codec is not known, or its sampling rate is impossible.
    """
    tracks = container.streams.audio
    if not tracks:
        raise MediaError(
            f"{path}: the file has no sound track; name an audio file in the annotation instead of '-', "
            "or leave the sound out by streams=('video',)"
        )
    track = next((track for track in tracks if track.disposition & Disposition.default), tracks[0])
    _check_codec(track, 'sound', path)
    low, high = _SAMPLE_RATES_HZ
    if not low <= (track.rate or 0) <= high:
        raise MediaError(f'{path}: a sampling rate of {track.rate} Hz, expected {low} to {high}')
    track.codec_context.thread_count = 1
    return track


def _check_codec(track: Any, what: str, path: Path) -> None:
    if track.codec_context is None:
        raise MediaError(f'{path}: the {what} are in a form that FFmpeg cannot decode; convert the file to mp4 or wav')


def clock_start_seconds(container: InputContainer) -> Fraction:
    """Returns the start of the clock of a file: the time of its first picture or sample, whichever is earlier.

    The time stamps of broadcasts and of cut recordings may start at any value. The video reader and the audio reader
    subtract this start from all times.
    """
    tracks = (*picture_tracks(container), *container.streams.audio)
    starts = [track.start_time * (track.time_base or 1) for track in tracks if track.start_time is not None]
    return min((start for start in starts if abs(start) < LONGEST_SECONDS), default=Fraction(0))


def check_gap(stamps: Sequence[int], time_base: Fraction, what: str, path: Path) -> None:
    """Checks that no two neighbouring time stamps lie further apart than :data:`LONGEST_GAP_SECONDS`.

    Args:
        stamps: Time stamps, ascending, in units of ``time_base``.
        time_base: Unit of the time stamps (seconds).
        what: Owner of the time stamps, for the message.
        path: Name of the file in error messages.

    Raises:
        MediaError: If there is a longer gap.
    """
    before, after = max(pairwise(stamps), key=lambda pair: pair[1] - pair[0], default=(0, 0))
    seconds = float((after - before) * time_base)
    if seconds > LONGEST_GAP_SECONDS:
        at = float((before - stamps[0]) * time_base)
        raise MediaError(
            f'{path}: {at:.2f} s after their start, the time stamps of the {what} jump by {seconds:.3g} s; the clock '
            f'of the recorder wrapped, or the file is damaged: cut it there and use the parts'
        )


def decoded_frames(container: InputContainer, track: Any) -> Iterator[Any]:
    """Decodes a track from the present position of its container, and yields the frames.

    Broken packets before the first frame are skipped, as in FFmpeg's own tools. After a seek, or in a broadcast that
    was cut, the first packet is often the rest of a frame.
    """
    has_begun = False
    for packet in container.demux(track):
        if not packet.size and packet.dts is not None:  # a dropped frame, which the decoder would treat as the end
            continue
        try:
            frames = packet.decode()
        except av.error.InvalidDataError:
            if has_begun:
                raise
            continue
        for frame in frames:
            has_begun = True
            yield frame
