"""Draw pictures of a clip for the page. They are data URLs, so no picture is stored as a file."""

from __future__ import annotations

import base64
import io
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from matplotlib import colormaps
from PIL import Image
from torch import Tensor

from hicmae_mm.datasets.clips.media import ForwardReader, origin_seconds
from hicmae_mm.datasets.filterbank import frame_samples, kaldi_filterbank
from hicmae_mm.datasets.readers.audio import AudioReader
from hicmae_mm.datasets.readers.video import VideoReader
from hicmae_mm.datasets.resampling import resample_waveform
from hicmae_mm.visualization.style import SPECTROGRAM_COLORS

SAMPLE_RATE_HZ = 16000
_MEL_BINS = 80
_MOST_COLUMNS = 1000
_FRAMES_PER_SECOND = 100
_SHIFT = SAMPLE_RATE_HZ // _FRAMES_PER_SECOND  # samples from frame to frame
_FRAMES_AT_A_TIME = 3000
_DYNAMIC_RANGE = 11.0  # in natural logarithms of energies: the picture shows 48 dB below the loudest point
_TICKS_HZ = (1000, 2000, 4000)
_THUMBNAIL = 112  # side in pixels
_MARGIN = 0.2  # margin around a face, as a share of its size


def spectrogram(audio: AudioReader) -> dict[str, Any] | None:
    """Draws the log-mel spectrogram of a sound; models get the same representation.

    Args:
        audio: The sound.

    Returns:
        ``src`` (data URL), ``seconds`` (length), and ``ticks``, each with ``label`` (kHz) and ``at`` (height in 0..1
        from below). None if the sound is shorter than 50 ms.
    """
    samples = resample_waveform(audio.read(0, audio.num_samples), audio.sample_rate_hz, SAMPLE_RATE_HZ)
    wave = torch.from_numpy(np.ascontiguousarray(samples, dtype=np.float32))
    if len(wave) < SAMPLE_RATE_HZ // 20:
        return None
    num_frames = (len(wave) - frame_samples(SAMPLE_RATE_HZ)) // _SHIFT + 1
    columns = _columns(wave, num_frames, -(-num_frames // _MOST_COLUMNS))
    top = float(columns.max())
    levels = np.clip((columns - (top - _DYNAMIC_RANGE)) / _DYNAMIC_RANGE, 0, 1)
    picture = Image.fromarray(np.round(255 * levels.T[::-1]).astype(np.uint8)).convert('L')
    palette = (colormaps[SPECTROGRAM_COLORS](np.arange(256))[:, :3] * 255).round().astype(np.uint8)
    picture.putpalette(palette.tobytes())
    ticks = [dict(label=f'{hz / 1000:g}', at=round(_height_of(hz), 4)) for hz in _TICKS_HZ]
    return dict(src=_data_address(picture, 'png'), seconds=num_frames / _FRAMES_PER_SECOND, ticks=ticks)


def _columns(wave: Tensor, num_frames: int, every: int) -> np.ndarray:
    """Returns the loudest of every few frames, ``(columns, F)``. It computes few frames at a time, to save memory."""
    most = every * -(-_FRAMES_AT_A_TIME // every)
    parts = []
    for first in range(0, num_frames, most):
        energies = kaldi_filterbank(wave[first * _SHIFT :], SAMPLE_RATE_HZ, _MEL_BINS, most).numpy()  # (T, F)
        parts.append(np.maximum.reduceat(energies, np.arange(0, len(energies), every), axis=0))
    return np.concatenate(parts)


def _height_of(hz: float) -> float:
    low, high, mel = (float(np.log1p(value / 700)) for value in (20, SAMPLE_RATE_HZ / 2, hz))
    return (mel - low) / (high - low)


def face_strip(
    video: VideoReader, faces: Sequence[Mapping[str, Any]], seconds: float, count: int
) -> list[dict[str, Any]]:
    """Draws the face at equally spaced times, or the middle of frames if faces were not searched.

    Args:
        video: The opened video.
        faces: ``seconds`` and ``box`` of the searched frames, in order of time. Empty if faces were not searched.
        seconds: Length of the clip.
        count: Number N of pictures.

    Returns:
        N dictionaries with ``seconds`` and ``src`` (data URL). ``src`` is None if no face was found at this time.
    """
    starts, origin = [face['seconds'] for face in faces], origin_seconds(video)
    frame_starts = [video.frame_seconds(index)[0] - origin for index in range(video.num_frames)]
    wanted: list[tuple[float, int, Sequence[float] | None, bool]] = []
    for number in range(count):
        moment, box = (number + 0.5) * seconds / count, None
        if faces:
            face = faces[max(bisect_right(starts, moment) - 1, 0)]
            moment, box = face['seconds'], face['box']
        index = bisect_right(frame_starts, moment + 1e-3) - 1
        wanted.append((moment, max(index, 0), box, not faces or box is not None))
    reader = ForwardReader(video, sorted({index for _, index, _, is_shown in wanted if is_shown}))
    strip = []
    for moment, index, box, is_shown in wanted:
        src = _data_address(_crop(reader.get([index])[0], box), 'jpeg') if is_shown else None
        strip.append(dict(seconds=round(moment, 3), src=src))
        if is_shown:
            reader.release([i for i in {w[1] for w in wanted} if i < index])
    return strip


def _crop(frame: np.ndarray, box: Sequence[float] | None) -> Image.Image:
    """Cuts out the square around a face, or the middle of a frame ``(H, W, 3)`` without a box."""
    height, width = frame.shape[:2]
    if box is None:
        side, x, y = min(height, width), width / 2, height / 2
    else:
        side = min(max(box[2], box[3]) * (1 + 2 * _MARGIN), height, width)
        x, y = box[0] + box[2] / 2, box[1] + box[3] / 2
    left, top = min(max(x - side / 2, 0), width - side), min(max(y - side / 2, 0), height - side)
    area = tuple(round(edge) for edge in (left, top, left + side, top + side))
    return Image.fromarray(frame).crop(area).resize((_THUMBNAIL, _THUMBNAIL), Image.Resampling.LANCZOS)


def _data_address(picture: Image.Image, kind: str) -> str:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **(dict(quality=82) if kind == 'jpeg' else dict(optimize=True)))
    return f'data:image/{kind};base64,{base64.b64encode(buffer.getvalue()).decode()}'
