"""Several clips below one another, each with some frames, its spectrogram and what the model says about it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure, SubFigure

from hicmae_mm.evaluation.clip_result import ClipResult
from hicmae_mm.visualization.prediction import draw_scores, draw_values
from hicmae_mm.visualization.reconstruction import draw_spectrogram, evenly_spaced
from hicmae_mm.visualization.style import TEXT_SIZE, TITLE_SIZE, new_figure

_FRAME_INCHES = 1.25


def draw_contact_sheet(
    results: Sequence[ClipResult], title: str = '', num_frames: int = 4, max_bars: int = 6, figure: Figure | None = None
) -> Figure:
    """Draws a row per clip.

    Args:
        results: Results of the clips in the order of the rows.
        title: Put above the picture.
        num_frames: Frames of each clip, evenly spaced.
        max_bars: Largest number of bars. With more classes, the highest scores and the true class are drawn.
        figure: Drawn into this one if given.

    Raises:
        ValueError: If there is no clip.
    """
    if not results:
        raise ValueError('no clip to draw')
    bars = min(max(len(result.names) for result in results), max_bars)
    height = max(1.75, 0.55 + 0.2 * bars)
    has_frames = any(result.frames is not None for result in results)
    has_sound = any(result.spectrogram is not None for result in results)
    width = (num_frames * _FRAME_INCHES if has_frames else 0) + (2.6 if has_sound else 0) + 3.2
    figure = new_figure(max(width, 7.5), height * len(results) + 0.5, figure)
    figure.suptitle(title, fontsize=TITLE_SIZE)
    parts = figure.subfigures(len(results), 1, squeeze=False)[:, 0]
    for number, (part, result) in enumerate(zip(parts, results), start=1):
        part.suptitle(f'{number}. {result.title}', fontsize=TEXT_SIZE, x=0.01, ha='left')
        _draw_row(part, result, num_frames, max_bars, is_last=number == len(results))
    return figure


def _draw_row(part: SubFigure, result: ClipResult, num_frames: int, max_bars: int, is_last: bool) -> None:
    widths = ([_FRAME_INCHES] * num_frames if result.frames is not None else []) + (
        [2.6] if result.spectrogram is not None else []
    )
    cells = part.subplots(1, len(widths) + 1, squeeze=False, width_ratios=[*widths, 3.2])[0]
    if result.frames is not None:
        for cell in cells[:num_frames]:
            cell.set_axis_off()
        for cell, index in zip(cells, evenly_spaced(len(result.frames), num_frames)):
            cell.imshow(result.frames[index])
    if result.spectrogram is not None:
        draw_spectrogram(cells[-2], result.spectrogram)
        cells[-2].set_ylabel('mel band', fontsize=TEXT_SIZE - 2)
        cells[-2].tick_params(labelsize=TEXT_SIZE - 3)
        cells[-2].set_xlabel('time (s)' if is_last else '', fontsize=TEXT_SIZE - 2)
    axes = cells[-1]
    if result.is_regression:
        draw_values(axes, result.names, result.predicted, result.values)
    else:
        shown = highest(result.predicted, result.label, max_bars)
        label = None if result.label is None else shown.index(result.label)
        draw_scores(axes, [result.names[index] for index in shown], result.predicted[shown], label)
    axes.tick_params(labelsize=TEXT_SIZE - 3)
    for text in axes.texts:
        text.set_fontsize(TEXT_SIZE - 3)
    axes.set_xlabel(axes.get_xlabel() if is_last else '', fontsize=TEXT_SIZE - 2)


def highest(scores: np.ndarray, label: int | None, count: int) -> list[int]:
    """Chooses the classes to show: all in order if they are at most ``count``; else the best, and the true one."""
    if len(scores) <= count:
        return list(range(len(scores)))
    best: list[int] = np.argsort(-scores, kind='stable')[:count].tolist()
    if label is not None and label not in best:
        best[-1] = label
    return best
