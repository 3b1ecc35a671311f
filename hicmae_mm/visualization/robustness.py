"""Curves of a measure over the strength of degradations, with intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure

from hicmae_mm.visualization.style import COLORS, TEXT_SIZE, TITLE_SIZE, new_figure


@dataclass(frozen=True)
class RobustnessPanel:
    """Describes one panel: a measure at several levels of a degradation.

    Attributes:
        title: Name of the degradation.
        axis: Name and unit of the levels.
        levels: Levels, from the weakest to the strongest.
        values: Value at each level.
        lows: Lower bounds of the intervals.
        highs: Upper bounds of the intervals.
    """

    title: str
    axis: str
    levels: Sequence[float]
    values: Sequence[float]
    lows: Sequence[float]
    highs: Sequence[float]


def draw_robustness(
    panels: Sequence[RobustnessPanel], measure: str, clean: float, chance: float | None = None, title: str = ''
) -> Figure:
    """Draws a panel per degradation. Levels are equally spaced and become stronger to the right.

    Args:
        panels: The panels, at least one.
        measure: Name of the measure.
        clean: Its value without degradation, a dashed line.
        chance: Its value by chance, a dotted line; None draws none.
        title: Title of the figure.

    Raises:
        ValueError: If there is no panel.
    """
    if not panels:
        raise ValueError('no panel to draw')
    columns = min(len(panels), 4)
    rows = -(-len(panels) // columns)
    figure = new_figure(3.2 * columns, 2.7 * rows)
    lowest = min([clean, *([] if chance is None else [chance]), *(low for panel in panels for low in panel.lows)])
    highest = max([clean, *(high for panel in panels for high in panel.highs)])
    for index, panel in enumerate(panels):
        axes = figure.add_subplot(rows, columns, index + 1)
        places = range(len(panel.levels))
        axes.fill_between(places, panel.lows, panel.highs, color=COLORS[0], alpha=0.2, linewidth=0)
        axes.plot(places, panel.values, color=COLORS[0], marker='o', markersize=4, linewidth=1.8)
        axes.axhline(clean, color='0.3', linestyle='--', linewidth=1)
        if chance is not None:
            axes.axhline(chance, color='0.3', linestyle=':', linewidth=1)
        margin = 0.05 * (highest - lowest or 1.0)
        axes.set_ylim(lowest - margin, highest + margin)
        axes.set_xticks(list(places), [f'{level:g}' for level in panel.levels])
        axes.set_title(panel.title, fontsize=TEXT_SIZE)
        axes.set_xlabel(panel.axis, fontsize=TEXT_SIZE - 1)
        if index % columns == 0:
            axes.set_ylabel(measure, fontsize=TEXT_SIZE)
        axes.tick_params(labelsize=TEXT_SIZE - 2)
        axes.spines[['top', 'right']].set_visible(False)
    if title:
        figure.suptitle(title, fontsize=TITLE_SIZE)
    return figure
