"""Joins the features of the windows of a clip in order of time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from hicmae_mm.datasets.filterbank import FRAME_SHIFT_MS
from hicmae_mm.structures import EmotionDataSample, Padded, Stream

_ROUNDING_SECONDS = 1e-4


@dataclass(frozen=True)
class EncoderFeatures:
    """Features of one clip, float32 on the CPU.

    Attributes:
        utterance: ``(D,)``, the mean of the last layer's tokens over all windows and views. If the clip is one window,
            it is the vector that ``tools/extract_features.py`` stores.
        frames: ``(T, D)``, the last layer's tokens averaged over each time step.
        layers: ``(L, T, D)``, the same for every layer; the last one is ``frames``.
        times: ``(T,)``, the time in seconds at which each step begins.
    """

    utterance: Tensor
    frames: Tensor
    layers: Tensor
    times: Tensor


@dataclass(frozen=True)
class WindowFeatures:
    """Features of the views of one window.

    Attributes:
        utterances: ``(V, D)``.
        layers: ``(L, V, T, D)``.
        times: ``(V, T)`` seconds from the start of the clip; NaN where a step is padding.
    """

    utterances: Tensor
    layers: Tensor
    times: Tensor


def join_windows(windows: Sequence[WindowFeatures]) -> EncoderFeatures:
    """Joins the windows of a clip. Views of the same time are averaged.

    Args:
        windows: The windows in order. They may overlap; a moment that two windows show is taken from the first.

    Returns:
        The features of the clip.
    """
    kept_layers: list[Tensor] = []
    kept_times: list[Tensor] = []
    last = -float('inf')
    for window in windows:
        for start in _temporal_views(window.times):
            is_same = ((window.times == start) | (window.times.isnan() & start.isnan())).all(1)
            is_new = start > last + _ROUNDING_SECONDS  # False for NaN
            if is_new.any():
                kept_layers.append(window.layers[:, is_same].mean(1)[:, is_new])
                kept_times.append(start[is_new])
                last = float(start[is_new][-1])
    layers = torch.cat(kept_layers, dim=1)  # (L, T, D)
    utterance = torch.cat([window.utterances for window in windows]).mean(0)
    return EncoderFeatures(utterance, layers[-1], layers, torch.cat(kept_times))


def _temporal_views(times: Tensor) -> list[Tensor]:
    """Returns the different rows ``(T,)``, in order of their start."""
    rows: list[Tensor] = []
    for row in times:
        if not any(torch.equal(row.nan_to_num(-1), other.nan_to_num(-1)) for other in rows):
            rows.append(row)
    return sorted(rows, key=lambda row: float(row[0]))


def video_times(sample: EmotionDataSample, num_views: int, num_steps: int) -> np.ndarray:
    """Returns the start of every step of frames in every view, ``(V, T)`` seconds."""
    frames = np.asarray(sample.get('frame_inds')).reshape(-1, int(sample.get('clip_len')))  # (temporal views, frames)
    starts = frames[:, :: max(frames.shape[1] // num_steps, 1)] / float(sample.get('avg_fps'))
    return _repeat_for_crops(_increasing(starts), num_views)


def spectrogram_times(
    sample: EmotionDataSample, num_views: int, num_steps: int, num_frames: int, seconds: float
) -> np.ndarray:
    """Returns the start of every spectrogram step in every view, ``(V, T)`` seconds.

    It is NaN after the end of the sound. A pipeline without views reads the whole window, whose length is ``seconds``.
    """
    spans = np.asarray(sample.get('audio_seconds') or [(0.0, seconds)])  # (temporal views, start and end)
    times = spans[:, :1] + np.arange(num_steps) * num_frames / num_steps * FRAME_SHIFT_MS / 1000
    return _repeat_for_crops(np.where(times < spans[:, 1:], times, np.nan), num_views)


def waveform_times(
    stream: Stream,
    rows: slice,
    num_tokens: np.ndarray,
    num_steps: int,
    sample_rate_hz: int,
    token_seconds: float | None,
) -> np.ndarray:
    """Returns the start of every token of whole waveforms, ``(V, T)`` seconds; it is NaN after the end."""
    lengths = np.full(len(num_tokens), stream.shape[-1])
    if isinstance(stream, Padded):
        lengths = stream.lengths[rows].cpu().numpy()
    spacing = lengths / sample_rate_hz / num_tokens if token_seconds is None else np.full(len(lengths), token_seconds)
    steps = np.arange(num_steps)
    return np.where(steps < num_tokens[:, None], steps * spacing[:, None], np.nan)


def _increasing(starts: np.ndarray) -> np.ndarray:
    """Sets repeated times to NaN: a short video repeats its last frame."""
    is_repeated = np.diff(starts, axis=1, prepend=-np.inf) <= 0
    return np.where(is_repeated, np.nan, starts)


def _repeat_for_crops(times: np.ndarray, num_views: int) -> np.ndarray:
    return np.repeat(times, num_views // len(times), axis=0)
