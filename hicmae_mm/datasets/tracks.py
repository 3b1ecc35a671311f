"""Media files opened through FFmpeg: which track holds the pictures, which the sound, and where their clock starts.

Everything that opens a file goes through :func:`open_container`, so that limits and choices are the same everywhere.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from av.container import InputContainer
from av.stream import Disposition

from hicmae_mm.datasets.containers import check_complete
from hicmae_mm.datasets.errors import MediaError, decoder_errors

LONGEST_SECONDS = 1e7
"""Time stamps beyond this (116 days) are taken for damage."""

MOST_PIXELS = 2**26
"""Of a picture; twice as many as 8K video has."""

_SAMPLE_RATES_HZ = (100, 1_000_000)
_NO_PICTURES = Disposition.attached_pic | Disposition.timed_thumbnails | Disposition.still_image
# Containers and raw streams that hold pictures or sound. Playlists, which make FFmpeg open further files or addresses,
# are not among them, nor are raw samples, which take any file for sound.
_FORMATS = (
    'mov mp4 matroska webm avi flv live_flv kux mpegts mpeg mpegvideo asf asf_o ogg mxf gxf gif apng dv nut rm ivf obu '
    'wtv nsv swf nuv amr amrnb amrwb wav w64 aiff au caf flac mp3 aac loas ac3 eac3 dts ape wv tta tak mpc mpc8 shn '
    'gsm voc xwma h261 h263 h264 hevc vvc av1 m4v mjpeg mpjpeg vc1 cavsvideo dirac dnxhd yuv4mpegpipe webp_pipe lc3 '
    'avs avs2 avs3 mv bink smk roq flic dsf iff sox ircam nistsphere paf pvf svx 3gp 3g2 m4a mj2 hcom truehd mlp dtshd'
)
_OPTIONS = {'format_whitelist': _FORMATS.replace(' ', ','), 'protocol_whitelist': 'file'}


def open_container(path: Path) -> InputContainer:
    """Opens a media file; its first bytes are looked at before FFmpeg sees it.

    Raises:
        FileNotFoundError: If there is no such file.
        MediaError: If it is truncated, or nothing that FFmpeg reads.
    """
    check_complete(path)
    with decoder_errors(f'{path}: cannot be opened as a video or sound file'):
        try:
            return av.open(f'file:{path}', options=_OPTIONS, metadata_errors='replace')
        except av.error.ArgumentError as error:  # what FFmpeg answers for formats that are not in the list
            raise MediaError(f'{path}: cannot be opened as a video or sound file: no form that is known') from error


def picture_track(container: InputContainer, path: Path) -> Any:
    """The first track of moving pictures; cover pictures are none.

    Raises:
        MediaError: If there is none, its codec is not known, or its pictures are too large.
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
    """Every track of moving pictures."""
    return [track for track in container.streams.video if not track.disposition & _NO_PICTURES]


def sound_track(container: InputContainer, path: Path) -> Any:
    """The sound track that players take: the first that is marked as default, else the first.

    Raises:
        MediaError: If there is none, or its codec or rate is not known.
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
    """Where the clock of a file starts: at its first picture or sample, whichever is earlier.

    Broadcasts and cut recordings start anywhere. All times of both readers count from here.
    """
    tracks = (*picture_tracks(container), *container.streams.audio)
    starts = [track.start_time * (track.time_base or 1) for track in tracks if track.start_time is not None]
    return min((start for start in starts if abs(start) < LONGEST_SECONDS), default=Fraction(0))


def decoded_frames(container: InputContainer, track: Any) -> Iterator[Any]:
    """Decodes a track from where its container stands.

    Broken packets before the first frame are skipped, as FFmpeg's own tools do: after a seek, or in a broadcast that
    was cut, the first packet is often the rest of a frame.
    """
    has_begun = False
    for packet in container.demux(track):
        if not packet.size and packet.dts is not None:  # a dropped frame; the decoder would take it for the end
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
