"""Draws one tested clip: some of its frames, its spectrogram, and what the model predicts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from hicmae_mm.visualization.reconstruction import draw_spectrogram, evenly_spaced
from hicmae_mm.visualization.style import COLORS, TEXT_SIZE, TITLE_SIZE, new_figure


def draw_prediction(
    frames: np.ndarray | None,
    spectrogram: np.ndarray | None,
    names: Sequence[str],
    predicted: Sequence[float],
    label: int | None = None,
    values: Sequence[float] | None = None,
    title: str = '',
    regression: bool = False,
    num_frames: int = 6,
    figure: Figure | None = None,
) -> Figure:
    """Draws one clip with its class scores (bars in percent) or its regressed values (beside the annotated ones).

    Args:
        frames: ``(T, H, W, 3)`` RGB, uint8 or 0..1; None for a model without pictures.
        spectrogram: ``(T, F)`` log-mel energies; None for a model without sound.
        names: C classes or D dimensions.
        predicted: C scores in 0..1, or D values.
        label: Annotated class, if known.
        values: D annotated values, if known.
        title: Text above the picture.
        regression: ``predicted`` are values, not scores.
        num_frames: Number of frames that are drawn, evenly spaced.
        figure: Figure to draw into; None makes one.

    Raises:
        ValueError: If there is not one name for every score.
    """
    if len(names) != len(predicted):
        raise ValueError(f'{len(predicted)} scores need as many names, got {len(names)}')
    scores_height = max(2.4, 0.34 * len(names) + 1)
    strip_height = 1.9 if frames is not None else 0
    figure = new_figure(9, scores_height + strip_height + 0.5, figure)
    figure.suptitle(title, fontsize=TITLE_SIZE)
    heights = [height for height in (strip_height, scores_height) if height]
    parts = figure.subfigures(len(heights), 1, squeeze=False, height_ratios=heights)[:, 0]
    if frames is not None:
        chosen = evenly_spaced(len(frames), num_frames)
        for cell, index in zip(parts[0].subplots(1, len(chosen), squeeze=False)[0], chosen):
            cell.imshow(frames[index])
            cell.set_title(f'frame {index + 1}', fontsize=TEXT_SIZE - 1)
            cell.set_axis_off()
    axes = parts[-1].subplots(1, 1 if spectrogram is None else 2, squeeze=False)[0]
    if spectrogram is not None:
        draw_spectrogram(axes[0], np.asarray(spectrogram))
        axes[0].set_ylabel('mel band', fontsize=TEXT_SIZE)
    if regression:
        draw_values(axes[-1], names, np.asarray(predicted), None if values is None else np.asarray(values))
    else:
        draw_scores(axes[-1], names, np.asarray(predicted), label)
    return figure


def draw_scores(axes: Axes, names: Sequence[str], scores: np.ndarray, label: int | None) -> None:
    """Draws class scores ``(C,)`` in 0..1 as bars in percent; the true class is bold, a wrong winner another colour."""
    winner = int(scores.argmax())
    colors = ['#BBBBBB'] * len(names)
    colors[winner] = COLORS[0] if label in (None, winner) else COLORS[1]
    bars = axes.barh(range(len(names)), 100 * scores, color=colors)
    axes.bar_label(bars, fmt='%.0f', fontsize=TEXT_SIZE - 1, padding=3)
    rows = [f'{name} (true)' if index == label else str(name) for index, name in enumerate(names)]
    axes.set_yticks(range(len(names)), rows)
    for index, text in enumerate(axes.get_yticklabels()):
        text.set_fontweight('bold' if index == label else 'normal')
    axes.invert_yaxis()
    axes.set_xlim(0, 108)
    axes.set_xlabel('score (%)', fontsize=TEXT_SIZE)
    axes.tick_params(labelsize=TEXT_SIZE - 1)
    axes.spines[['top', 'right']].set_visible(False)


def draw_values(axes: Axes, names: Sequence[str], predicted: np.ndarray, values: np.ndarray | None) -> None:
    """Draws predicted values ``(D,)`` beside the annotated ones."""
    rows = np.arange(len(names))
    if values is not None:
        axes.hlines(rows, np.minimum(predicted, values), np.maximum(predicted, values), color='#BBBBBB', linewidth=2)
        axes.plot(values, rows, 's', color=COLORS[1], markersize=8, label='annotated')
    axes.plot(predicted, rows, 'o', color=COLORS[0], markersize=8, label='predicted')
    axes.set_yticks(rows, list(names))
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.set_xlabel('value', fontsize=TEXT_SIZE)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=5))
    axes.tick_params(labelsize=TEXT_SIZE - 1)
    axes.legend(fontsize=TEXT_SIZE - 1, frameon=False)
    axes.spines[['top', 'right']].set_visible(False)
