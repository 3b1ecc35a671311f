"""Steadying the boxes and landmarks of a face over time: detectors tremble by a few pixels from frame to frame."""

from __future__ import annotations

import numpy as np
import scipy

from hicmae_mm.datasets.faces.boxes import iou

SMOOTHING_METHODS = ('moving_average', 'savgol', 'none')
_SAVGOL_ORDER = 2
_JUMP_IOU = 0.1  # boxes of neighbouring frames that overlap less are two places (a cut, another face)


def smooth(values: np.ndarray, boxes: np.ndarray, method: str, window: int) -> np.ndarray:
    """Smooths values over time, but not across jumps of the face.

    Args:
        values: ``(T, K)``, or ``(T, ...)``.
        boxes: ``(T, 4)`` that tell the jumps; filled, see :func:`~hicmae_mm.datasets.faces.selection.fill_gaps`.
        method: ``'moving_average'``, ``'savgol'`` or ``'none'``.
        window: Frames that one value is made of, odd.

    Returns:
        Smoothed values in the shape of ``values``.

    Raises:
        ValueError: If the method is not known, or the window even or below 1.
    """
    if method not in SMOOTHING_METHODS:
        raise ValueError(f'smoothing must be one of {SMOOTHING_METHODS}, got {method!r}')
    if window < 1 or window % 2 == 0:
        raise ValueError(f'the smoothing window must be odd and at least 1, got {window}')
    if method == 'none' or window == 1:
        return values
    function = moving_average if method == 'moving_average' else savgol
    jumps = np.flatnonzero(iou(boxes[:-1], boxes[1:]) < _JUMP_IOU) + 1
    flat = values.reshape(len(values), -1)  # (T, ...) -> (T, K)
    smoothed = np.concatenate([function(piece, window) for piece in np.split(flat, jumps)])
    return smoothed.reshape(values.shape)


def moving_average(values: np.ndarray, window: int) -> np.ndarray:
    """Computes the centred moving average of ``(T, K)``.

    Near the ends the window shrinks on both sides alike, so a steady motion comes out as it went in.
    """
    steps = np.arange(len(values))
    half = np.minimum(np.minimum(steps, steps[::-1]), window // 2)
    totals = np.concatenate([np.zeros((1, values.shape[1])), np.cumsum(values, axis=0)])
    means: np.ndarray = (totals[steps + half + 1] - totals[steps - half]) / (2 * half + 1)[:, None]
    return means


def savgol(values: np.ndarray, window: int) -> np.ndarray:
    """Applies the Savitzky-Golay filter (1964) to ``(T, K)``: a parabola is fitted to each window, so quick turns stay.

    A series shorter than the window is filtered with the longest odd window that fits; one too short for a parabola
    stays as it is.
    """
    window = min(window, len(values) - 1 + len(values) % 2)
    return scipy.signal.savgol_filter(values, window, _SAVGOL_ORDER, axis=0) if window > _SAVGOL_ORDER else values
