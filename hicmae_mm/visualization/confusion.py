"""Draws a confusion matrix."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from hicmae_mm.visualization.style import TEXT_SIZE, TITLE_SIZE, new_figure


def draw_confusion_matrix(
    confusion: np.ndarray,
    class_names: Sequence[str],
    title: str = '',
    include_values: bool = True,
    color_map: str = 'Blues',
    figure: Figure | None = None,
) -> Figure:
    """Draws shares of every true class (rows sum to 100 %), so that unequal class sizes do not hide errors.

    Args:
        confusion: Counts ``(C, C)``, row = label, column = prediction.
        class_names: Names of the C classes.
        title: Text above the picture.
        include_values: Whether to write percent and count into the cells (percent only above 8 classes).
        color_map: Name of a matplotlib colour map.
        figure: Figure to draw into; None makes one.

    Raises:
        ValueError: If the matrix is not square or the number of names differs.
    """
    confusion = np.asarray(confusion)
    size = len(class_names)
    if confusion.shape != (size, size):
        raise ValueError(f'a confusion matrix of {size} classes must be ({size}, {size}), got {confusion.shape}')
    support = confusion.sum(axis=1, keepdims=True)
    percent = 100 * np.divide(confusion, support, out=np.zeros(confusion.shape), where=support > 0)
    side = min(4.2 + 0.55 * size, 14)
    figure = new_figure(side + 1.8, side, figure)
    axes = figure.add_subplot()
    image = axes.imshow(percent, cmap=color_map, vmin=0, vmax=100)
    bar = figure.colorbar(image, ax=axes, shrink=0.8, label='share of the true class (%)')
    bar.ax.yaxis.label.set_fontsize(TEXT_SIZE)
    rows = [f'{name} ({count})' for name, count in zip(class_names, support[:, 0])]
    crowded = size > 8 or max(len(str(name)) for name in class_names) > 8
    axes.set_xticks(range(size), list(class_names), rotation=45 if crowded else 0, ha='right' if crowded else 'center')
    axes.set_yticks(range(size), rows)
    axes.tick_params(labelsize=TEXT_SIZE, length=0)
    axes.set_xlabel('predicted class', fontsize=TEXT_SIZE + 1)
    axes.set_ylabel('true class (clips)', fontsize=TEXT_SIZE + 1)
    axes.set_title(title, fontsize=TITLE_SIZE)
    axes.set_xticks(np.arange(1, size) - 0.5, minor=True)
    axes.set_yticks(np.arange(1, size) - 0.5, minor=True)
    axes.grid(which='minor', color='white', linewidth=1.5)
    axes.tick_params(which='minor', length=0)
    if include_values:
        _write_cells(axes, percent, confusion)
    return figure


def _write_cells(axes: Axes, percent: np.ndarray, confusion: np.ndarray) -> None:
    many = len(percent) > 8
    size = max(5, TEXT_SIZE - len(percent) // 5) if many else TEXT_SIZE
    for row, column in np.ndindex(*percent.shape):
        share = percent[row, column]
        text = f'{share:.0f}' if many else f'{share:.0f}%\n{confusion[row, column]}'
        color = 'white' if share > 55 else 'black'
        axes.text(column, row, text, ha='center', va='center', color=color, fontsize=size)
