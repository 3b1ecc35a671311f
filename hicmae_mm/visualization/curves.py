"""Training curves: what a run logged, over epochs or iterations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from hicmae_mm.visualization.style import COLORS, LINE_STYLES, MARKERS, TEXT_SIZE, TITLE_SIZE, new_figure


@dataclass(frozen=True)
class Curve:
    """Describes one line of a picture.

    Attributes:
        label: Name of the curve in the legend.
        x: Positions ``(N,)``.
        y: Values ``(N,)``.
        panel: Curves of one panel share axes; the name labels the y axis.
        is_share: True if values are meant to lie in 0 to 1; a panel whose values all do shows that whole range.
    """

    label: str
    x: np.ndarray
    y: np.ndarray
    panel: str
    is_share: bool = False


def smooth(values: np.ndarray, window_size: int) -> np.ndarray:
    """Computes the running mean ``(N,)`` over ``window_size`` values; the first ones average what there is.

    Raises:
        ValueError: If the window is shorter than 1.
    """
    if window_size < 1:
        raise ValueError(f'the window must hold at least 1 value, got {window_size}')
    total = np.concatenate([[0.0], np.cumsum(np.asarray(values, dtype=np.float64))])
    last = np.arange(1, len(values) + 1)
    first = np.maximum(last - window_size, 0)
    means: np.ndarray = (total[last] - total[first]) / (last - first)
    return means


def draw_curves(
    curves: Sequence[Curve],
    x_label: str,
    title: str = '',
    figure: Figure | None = None,
) -> Figure:
    """Draws every panel's curves in its own axes. Colour, dash and marker all differ, so print and eyes may be poor.

    Raises:
        ValueError: If there is no curve.
    """
    if not curves:
        raise ValueError('no curve to draw')
    panels = list(dict.fromkeys(curve.panel for curve in curves))
    columns = len(panels) if len(panels) <= 3 else 2
    rows = -(-len(panels) // columns)
    figure = new_figure({1: 6.4, 2: 9.6, 3: 12.6}[columns], 3.8 * rows, figure)
    for index, panel in enumerate(panels):
        axes = figure.add_subplot(rows, columns, index + 1)
        _draw_panel(axes, [curve for curve in curves if curve.panel == panel], panel, x_label)
    if title:
        figure.suptitle(title, fontsize=TITLE_SIZE)
    return figure


def _draw_panel(axes: Axes, curves: Sequence[Curve], panel: str, x_label: str) -> None:
    for index, curve in enumerate(curves):
        axes.plot(
            curve.x,
            curve.y,
            label=curve.label,
            color=COLORS[index % len(COLORS)],
            linestyle=LINE_STYLES[index % len(LINE_STYLES)],
            marker=MARKERS[index % len(MARKERS)] if len(curve.x) <= 60 else None,
            markersize=4,
            linewidth=1.8,
        )
    if all(curve.is_share and np.all((curve.y >= 0) & (curve.y <= 1)) for curve in curves):
        axes.set_ylim(0, 1.02)
    axes.set_xlabel(x_label, fontsize=TEXT_SIZE)
    axes.set_ylabel(panel, fontsize=TEXT_SIZE)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
    axes.tick_params(labelsize=TEXT_SIZE - 1)
    axes.spines[['top', 'right']].set_visible(False)
    axes.grid(alpha=0.3)
    axes.legend(fontsize=TEXT_SIZE - 1, frameon=False)
