"""Draws a clip with its face box and a bar per emotion beside the picture, and adds its own sound."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from matplotlib import get_data_path
from matplotlib.colors import to_rgb
from PIL import Image, ImageDraw, ImageFont

from hicmae_mm.datasets.clips.inputs import ClipInput
from hicmae_mm.datasets.clips.media import ForwardReader, OpenClip, Timeline
from hicmae_mm.datasets.errors import MediaError
from hicmae_mm.datasets.readers.audio import AudioReader
from hicmae_mm.utils.files import replaced_file
from hicmae_mm.visualization.style import COLORS
from hicmae_mm.visualization.timeline import title_of
from hicmae_mm.visualization.tracks import scores_over_time

_PANEL_WIDTH = 300
_HEIGHTS = (360, 720)  # of the picture (pixels): smaller ones are enlarged, larger ones shrunk
_MOST_BARS = 9
_MOST_FPS = 30.0
_PAPER, _INK, _RAIL = (255, 255, 255), (20, 20, 20), (228, 228, 228)
_BOX_MEMORY_SECONDS = 0.5  # a box is not carried on for longer than so
_TIME_BASE = Fraction(1, 90000)  # fine enough for any time stamp
_VIDEO_OPTIONS = {'crf': '20', 'preset': 'veryfast'}
_AAC_RATES_HZ = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)


def write_overlay(result: Mapping[str, Any], clip: ClipInput, path: Path) -> Path:
    """Writes an mp4 (H.264, AAC) of a clip with its result drawn in; little of it is in memory at a time.

    Args:
        result: Result of :class:`~hicmae_mm.apis.EmotionInferencer` for the clip.
        clip: The clip.
        path: File to write.

    Raises:
        MediaError: If the clip has no pictures, or cannot be decoded.
        ValueError: If the result has no predictions.
    """
    with OpenClip(clip, ('video', 'audio')) as opened:
        if opened.video is None:
            raise MediaError(f'{clip.name}: {opened.missing["video"]}, so there is no overlay to draw')
        timeline = Timeline(opened.video)
        timeline = Timeline(opened.video, min(timeline.fps, _MOST_FPS)) if timeline.fps > _MOST_FPS else timeline
        painter = Painter(result)
        with (
            replaced_file(path) as partial,
            av.open(str(partial), 'w', format='mp4', options={'movflags': '+faststart'}) as container,
        ):
            shown = _shown_frames(opened, timeline)
            pictures = ((painter.paint(frame, (start + end) / 2), start) for frame, start, end in shown)
            _encode(container, pictures, timeline.fps, opened.audio)
    return path


def _shown_frames(opened: OpenClip, timeline: Timeline) -> Iterator[tuple[np.ndarray, float, float]]:
    """Yields every frame of the time line with its start and end, in one pass over the file."""
    assert opened.video is not None
    stored = timeline.stored_indices(np.arange(timeline.num_frames)).tolist()
    wanted = sorted(set(stored))
    reader = ForwardReader(opened.video, wanted)
    last: int | None = None
    for number, index in enumerate(stored):
        if last is not None and index != last:
            reader.release([last])
        last = index
        yield (reader.get([index])[0], *timeline.frame_seconds(number))


class Painter:
    """Draws a result into the pictures of its clip.

    Args:
        result: Result for the clip.

    Attributes:
        last_seconds: A moment of the last window.

    Raises:
        ValueError: If the result has no predictions.
    """

    def __init__(self, result: Mapping[str, Any]) -> None:
        kind = 'scores' if result.get('scores') else 'values'
        self._edges, self._steps, self._names = scores_over_time(result, kind)
        self.last_seconds = float(np.mean(self._edges[-2:]))
        self._is_score = kind == 'scores'
        self._title, self._duration = title_of(result), result['duration_seconds']
        finite = self._steps[np.isfinite(self._steps)]
        self._range = (0.0, 1.0) if self._is_score else (min(float(finite.min()), -1.0), max(float(finite.max()), 1.0))
        order = np.argsort(-np.nan_to_num(self._steps).mean(axis=0), kind='stable')[:_MOST_BARS]
        self._rows = sorted(order.tolist())
        faces = result.get('faces') or []
        self._box_seconds = np.array([face['seconds'] for face in faces])
        self._boxes = [face['box'] for face in faces]
        self._panel: tuple[int, int, np.ndarray] | None = None

    def paint(self, frame: np.ndarray, seconds: float) -> np.ndarray:
        """Draws a frame ``(H, W, 3)`` uint8 RGB with box, panel and progress; height and width are even."""
        scale = float(np.clip(frame.shape[0], *_HEIGHTS)) / frame.shape[0]
        height, width = (round(side * scale) // 2 * 2 for side in frame.shape[:2])
        picture = cv2.resize(frame, (width, height), interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
        step = int(np.clip(np.searchsorted(self._edges, seconds, side='right') - 1, 0, len(self._steps) - 1))
        values = self._steps[step]
        color = self._color(int(np.nanargmax(values))) if self._is_score and np.isfinite(values).all() else _INK
        box = self.box_at(seconds)
        if box is not None:
            left, top, right, bottom = (
                round(scale * edge) for edge in (box[0], box[1], box[0] + box[2], box[1] + box[3])
            )
            cv2.rectangle(picture, (left, top), (right, bottom), (255, 255, 255), 5, cv2.LINE_AA)
            cv2.rectangle(picture, (left, top), (right, bottom), color, 3, cv2.LINE_AA)
        painted = np.concatenate([picture, self._panel_of(step, height)], axis=1)
        done = round(painted.shape[1] * min(seconds / max(self._duration, 1e-6), 1.0))
        painted[-4:] = _RAIL
        painted[-4:, :done] = color
        return painted

    def box_at(self, seconds: float) -> np.ndarray | None:
        """Interpolates the face box at a moment between the searched frames; None if no face was found near it."""
        if not len(self._box_seconds):
            return None
        after = int(np.searchsorted(self._box_seconds, seconds))
        near = [
            (abs(self._box_seconds[place] - seconds), np.asarray(self._boxes[place]))
            for place in (after - 1, after)
            if 0 <= place < len(self._boxes)
            and self._boxes[place] is not None
            and abs(self._box_seconds[place] - seconds) <= _BOX_MEMORY_SECONDS
        ]
        if len(near) < 2:
            return near[0][1] if near else None
        (first, before), (second, behind) = near
        box: np.ndarray = (before * second + behind * first) / max(first + second, 1e-6)
        return box

    def _color(self, number: int) -> tuple[int, int, int]:
        red, green, blue = (round(255 * part) for part in to_rgb(COLORS[number % len(COLORS)]))
        return red, green, blue

    def _panel_of(self, step: int, height: int) -> np.ndarray:
        if self._panel is None or self._panel[:2] != (step, height):
            self._panel = step, height, self._draw_panel(self._steps[step], height)
        return self._panel[2]

    def _draw_panel(self, values: np.ndarray, height: int) -> np.ndarray:
        image = Image.new('RGB', (_PANEL_WIDTH, height), _PAPER)
        draw = ImageDraw.Draw(image)
        unit = min(height / (len(self._rows) + 3.0), 52.0)
        font = _font(max(10, int(0.4 * unit)))
        known = bool(np.isfinite(values).all())
        head = self._names[int(np.argmax(values))] if known and self._is_score else '' if known else 'nothing to go by'
        head = head or 'values'
        draw.text((16, 0.35 * unit), head, fill=_INK, font=_fitting_font(head, max(11, int(0.62 * unit))))
        for row, number in enumerate(self._rows):
            top = (1.5 + row) * unit
            draw.text((16, top), self._names[number], fill=_INK, font=font)
            if known:
                text = f'{100 * values[number]:.0f} %' if self._is_score else f'{values[number]:.2f}'
                draw.text((_PANEL_WIDTH - 16, top), text, fill=_INK, font=font, anchor='ra')
            rail = (16, top + 0.55 * unit, _PANEL_WIDTH - 16, top + 0.8 * unit)
            draw.rectangle(rail, fill=_RAIL)
            if known:
                low, high = self._range
                edges = (max(low, 0.0), values[number])
                places = [16 + (edge - low) / (high - low) * (_PANEL_WIDTH - 32) for edge in edges]
                draw.rectangle((min(places), rail[1], max(places), rail[3]), fill=self._color(number))
        return np.asarray(image)


@lru_cache(maxsize=32)
def _font(size: int, name: str = 'DejaVuSans') -> ImageFont.FreeTypeFont:
    """Loads the font that comes with matplotlib."""
    return ImageFont.truetype(str(Path(get_data_path()) / 'fonts' / 'ttf' / f'{name}.ttf'), size)


def _fitting_font(text: str, size: int) -> ImageFont.FreeTypeFont:
    """Loads the bold font in the given size, or the largest smaller one in which the text fits the panel."""
    while size > 8 and _font(size, 'DejaVuSans-Bold').getlength(text) > _PANEL_WIDTH - 32:
        size -= 1
    return _font(size, 'DejaVuSans-Bold')


def _encode(
    container: Any, pictures: Iterator[tuple[np.ndarray, float]], fps: float, sound: AudioReader | None
) -> None:
    """Writes pictures at their times, and the sound as far as they are."""
    first, start = next(pictures)
    video = container.add_stream('libx264', rate=Fraction(fps).limit_denominator(1001), options=_VIDEO_OPTIONS)
    video.height, video.width = first.shape[:2]
    video.pix_fmt = 'yuv420p'
    video.codec_context.time_base = _TIME_BASE
    track = None if sound is None else _SoundTrack(container, sound)
    for picture, seconds in chain([(first, start)], pictures):
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format='rgb24')
        frame.pts, frame.time_base = round(seconds / _TIME_BASE), _TIME_BASE
        container.mux(video.encode(frame))
        if track is not None:
            track.write_until(seconds)
    container.mux(video.encode())
    if track is not None:
        track.close()


class _SoundTrack:
    """Encodes the sound of a clip as AAC, as the model hears it."""

    def __init__(self, container: Any, sound: AudioReader) -> None:
        rate = min(_AAC_RATES_HZ, key=lambda known: abs(known - sound.sample_rate_hz))
        self._container, self._sound, self._read_to = container, sound, 0
        self._stream: Any = container.add_stream('aac', rate=rate, layout='mono')
        self._resampler = av.AudioResampler(format='fltp', layout='mono', rate=rate)

    def write_until(self, seconds: float) -> None:
        """Writes whole blocks up to a time."""
        rate, length = self._sound.sample_rate_hz, self._sound.num_samples
        while self._read_to < min(seconds * rate, length):
            stop = min(self._read_to + rate, length)
            samples = np.ascontiguousarray(self._sound.read(self._read_to, stop)[None].clip(-1, 1))  # (1, S)
            self._read_to = stop
            if samples.size:
                frame = av.AudioFrame.from_ndarray(samples, format='fltp', layout='mono')
                frame.sample_rate = rate
                self._encode(frame)

    def _encode(self, frame: av.AudioFrame | None) -> None:
        for piece in self._resampler.resample(frame):
            self._container.mux(self._stream.encode(piece))

    def close(self) -> None:
        """Writes the rest."""
        self.write_until(float('inf'))
        self._encode(None)
        self._container.mux(self._stream.encode())
