"""Draws the plots of docs/benchmarks.md."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from PIL import Image

from benchmarks.tables import DATA_TITLES, PUBLISHED_DATA, PUBLISHED_MODEL, TITLES, done, gigabytes
from hicmae_mm.visualization.style import COLORS, TEXT_SIZE, TITLE_SIZE, new_figure, save_figure

STAGES = ('read', 'decode', 'transform', 'collate')
GREY = '#909090'
WIDTH_INCHES = 7.5


def draw_all(results: Mapping[str, Any], folder: Path) -> Iterator[Path]:
    """Draws what has been measured."""
    for part, draw in (('model', draw_model), ('data', draw_data)):
        if part in results and (found := done(results[part])):
            yield draw(found, folder / f'{part}.png')


def draw_model(found: Mapping[str, Any], path: Path) -> Path:
    """Bars of the share of the matrix-multiply rate and of peak memory."""
    figure = new_figure(WIDTH_INCHES, 3.4)
    left, right = figure.subplots(1, 2)
    names = list(found)
    by_variant = [{report['variant']: report for report in found[name]} for name in names]
    published = [PUBLISHED_MODEL.get(name, (np.nan, None)) for name in names]
    series = {
        'published (reference machine)': [(value, np.nan if memory is None else memory) for value, memory in published],
        'its style, measured here': [bars_of(reports.get('baseline')) for reports in by_variant],
        'hicmae_mm': [bars_of(reports['plain']) for reports in by_variant],
    }
    for axes, column, title in (
        (left, 0, 'Share of the matrix-multiply rate'),
        (right, 1, 'Peak memory, GB'),
    ):
        for index, (label, values) in enumerate(series.items()):
            places = np.arange(len(names)) + 0.27 * (index - 1)
            heights = [pair[column] for pair in values]
            bars = axes.bar(places, heights, 0.25, label=label, color=(GREY, COLORS[4], COLORS[0])[index])
            axes.bar_label(bars, ['' if np.isnan(h) else f'{h:.2f}' for h in heights], fontsize=TEXT_SIZE - 3)
        axes.set_xticks(range(len(names)), [TITLES[name] for name in names], fontsize=TEXT_SIZE - 1)
        axes.set_title(title, fontsize=TITLE_SIZE)
        tidy(axes)
    left.set_ylim(0, 1.05)
    handles, labels = left.get_legend_handles_labels()
    figure.legend(handles, labels, loc='outside lower center', ncols=3, fontsize=TEXT_SIZE - 1, frameon=False)
    return shrink(save_figure(figure, path))


def bars_of(report: Mapping[str, Any] | None) -> tuple[float, float]:
    """Returns share of the rate and GB of a report, or nothing of one that is not there."""
    if report is None:
        return np.nan, np.nan
    return report['matmul_fraction'], gigabytes(report['peak_memory_mb'])


def draw_data(found: Mapping[str, Any], path: Path) -> Path:
    """Bars of milliseconds per clip: the published pipeline's, and this one's by stage."""
    names = [name for name in found if name in PUBLISHED_DATA]
    figure = new_figure(WIDTH_INCHES, 1.3 + 0.85 * len(names))
    axes = figure.subplots()
    for row, name in enumerate(names):
        plainly = found.get(f'published_{"pretrain" if name == "shards" else name}')
        label = {} if row else {'label': 'published (reference machine)'}
        bar(axes, row - 0.27, 0.0, PUBLISHED_DATA[name], GREY, label, is_last=True)
        if plainly is not None:
            label = {} if row else {'label': 'its steps written plainly, here'}
            bar(axes, row, 0.0, 1000 * plainly['seconds_per_clip'], '#C8C8C8', label, is_last=True)
        start = 0.0
        for color, stage in zip((COLORS[3], COLORS[1], COLORS[0], COLORS[2]), STAGES):
            length = found[name]['milliseconds_per_clip'][stage]
            label = {} if row else {'label': stage}
            bar(axes, row + 0.27, start, length, color, label, is_last=stage == STAGES[-1])
            start += length
    axes.set_yticks(range(len(names)), [DATA_TITLES[name].replace(', ', '\n') for name in names])
    axes.invert_yaxis()
    axes.set_xlabel('milliseconds per clip, one thread', fontsize=TEXT_SIZE)
    axes.margins(x=0.1)
    tidy(axes)
    figure.legend(loc='outside lower center', ncols=3, fontsize=TEXT_SIZE - 1, frameon=False)
    return shrink(save_figure(figure, path))


def bar(
    axes: Axes, place: float, start: float, length: float, color: str, label: dict[str, str], is_last: bool
) -> None:
    """Draws a horizontal bar, or a part of one. The last part is labelled with the sum."""
    axes.barh(place, length, 0.25, left=start, color=color, **label)
    if is_last:
        axes.text(start + length, place, f' {start + length:.0f}', va='center', fontsize=TEXT_SIZE - 2)


def tidy(axes: Axes) -> None:
    """Hides the parts of the frame that show nothing."""
    axes.spines[['top', 'right']].set_visible(False)
    axes.tick_params(labelsize=TEXT_SIZE - 1)


def shrink(path: Path) -> Path:
    """Rewrites a picture with a palette, which is a quarter of the size."""
    with Image.open(path) as image:
        small = image.convert('RGB').quantize(64)
    small.save(path, optimize=True)
    return path
