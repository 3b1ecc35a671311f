"""Marked clips of many forms, by PyAV: corners tell the orientation, the centre the frame, a click the sound."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

FPS, NUM_FRAMES, RATE_HZ = 25, 32, 48000
HEIGHT, WIDTH = 96, 128
CLICK_SECONDS = 1.0  # together with frame 25
X264 = {'preset': 'veryfast', 'crf': '10', 'x264-params': 'keyint=12:bframes=2:scenecut=0'}
GOOD = {'b': '2000000'}


def frame(number: int, height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    """``(H, W, 3)`` uint8: red, green, blue, white corners, and a centre that is as bright as its number says."""
    picture = np.full((height, width, 3), 90, np.uint8)
    side = height // 4
    colors = ((220, 30, 30), (30, 200, 30), (30, 30, 220), (230, 230, 230))
    places = ((slice(None, side), slice(None, side)), (slice(None, side), slice(-side, None)))
    places += ((slice(-side, None), slice(None, side)), (slice(-side, None), slice(-side, None)))
    for color, (rows, columns) in zip(colors, places):
        picture[rows, columns] = color
    picture[height // 2 - 14 : height // 2 + 14, width // 2 - 14 : width // 2 + 14] = 20 + 4 * number
    return picture


def number(picture: np.ndarray) -> int:
    """Which frame a picture is."""
    height, width = picture.shape[:2]
    return round((picture[height // 2 - 5 : height // 2 + 5, width // 2 - 4 : width // 2 + 4].mean() - 19) / 4)


def corners(picture: np.ndarray) -> str:
    """Colours of the corners, row by row: ``RGBW`` where the picture is upright."""
    names = ''
    for part in (picture[:10, :10], picture[:10, -10:], picture[-10:, :10], picture[-10:, -10:]):
        color = part.reshape(-1, 3).mean(axis=0)
        names += 'W' if color.min() > 170 else 'RGB'[int(color.argmax())]
    return names


def sound(seconds: float = NUM_FRAMES / FPS, click_seconds: float = CLICK_SECONDS) -> np.ndarray:
    """``(S,)`` float32: a faint tone with a loud click."""
    time = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    is_click = (time >= click_seconds) & (time < click_seconds + 0.04)
    return np.where(is_click, 0.8 * np.sin(6283 * time), 0.05 * np.sin(1885 * time)).astype(np.float32)


def click_seconds(samples: np.ndarray, rate_hz: int) -> float:
    """When the click is heard, from the first sample on."""
    assert np.abs(samples).max() > 0.3
    return int(np.argmax(np.abs(samples) > 0.3)) / rate_hz


def write(
    path: Path,
    codec: str = 'libx264',
    options: dict[str, str] | None = None,
    audio: str | None = 'aac',
    pix_fmt: str = 'yuv420p',
    numbers: Sequence[int] = range(NUM_FRAMES),
    **container_options: Any,
) -> Path:
    """Writes a marked clip; ``numbers`` says which frames there are, each at its time."""
    with av.open(str(path), 'w', **container_options) as container:
        video = container.add_stream(codec, rate=FPS, options=options or (X264 if codec == 'libx264' else GOOD))
        video.height, video.width, video.pix_fmt = HEIGHT, WIDTH, pix_fmt
        video.codec_context.thread_count = 1  # threads of an encoder would hang a worker that is forked later
        track = container.add_stream(audio, rate=RATE_HZ, layout='mono') if audio else None
        for index in numbers:
            picture = av.VideoFrame.from_ndarray(frame(index), format='rgb24').reformat(format=pix_fmt)
            picture.pts, picture.time_base = index, Fraction(1, FPS)
            container.mux(video.encode(picture))
        container.mux(video.encode())
        if track is not None:
            _write_sound(container, track)
    return path


def _write_sound(container: Any, track: Any) -> None:
    wave = sound()
    for start in range(0, len(wave), 960):
        piece = av.AudioFrame.from_ndarray(np.ascontiguousarray(wave[None, start : start + 960]), 'fltp', 'mono')
        piece.sample_rate, piece.pts, piece.time_base = RATE_HZ, start, Fraction(1, RATE_HZ)
        container.mux(track.encode(piece))
    container.mux(track.encode())


def remux(source: Path, target: Path, shift: Callable[[Any], float | None], **container_options: Any) -> Path:
    """Copies the packets of a clip, each shifted by some seconds; None leaves it out."""
    with av.open(str(source)) as old, av.open(str(target), 'w', **container_options) as new:
        copies = {stream.index: new.add_stream_from_template(stream) for stream in old.streams}
        for packet in old.demux():
            seconds = None if packet.dts is None else shift(packet)
            if seconds is None:
                continue
            ticks = round(seconds / packet.time_base)
            packet.pts, packet.dts = packet.pts + ticks, packet.dts + ticks
            packet.stream = copies[packet.stream.index]
            new.mux(packet)
    return target


def shifted(source: Path, target: Path, audio_seconds: float = 0.0, video_seconds: float = 0.0, **options: Any) -> Path:
    """A copy of a clip whose tracks start later."""
    seconds = {'audio': audio_seconds, 'video': video_seconds}
    return remux(source, target, lambda packet: seconds[packet.stream.type], **options)


def displayed(path: Path, matrix: tuple[int, int, int, int]) -> Path:
    """Writes a display matrix (a, b, c, d) into the first track of an mp4 (ISO/IEC 14496-12, 8.3.2)."""
    data = bytearray(path.read_bytes())
    at = data.index(b'tkhd') + 4 + 40
    a, b, c, d = (value << 16 for value in matrix)
    data[at : at + 36] = struct.pack('>9i', a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(data)
    return path
