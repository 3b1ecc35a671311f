"""Holds what all figures share: colours that colour-blind readers can tell apart, sizes for a README, writing to disk.

Figures are made without pyplot, so nothing depends on a display, no global state changes and none stays open.
"""

from __future__ import annotations

from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from hicmae_mm.utils.files import replaced_file

# Okabe and Ito's palette without its yellow, which is too pale for lines on white
COLORS = ('#0072B2', '#D55E00', '#009E73', '#CC79A7', '#E69F00', '#56B4E9', '#000000')
LINE_STYLES = ('-', '--', ':', '-.')
MARKERS = ('o', 's', '^', 'D', 'v', 'P', 'X')
SPECTROGRAM_COLORS = 'magma'
MASK_COLOR = '#B0B0B0'
TITLE_SIZE = 13
TEXT_SIZE = 11
DPI = 120


def new_figure(width_inches: float, height_inches: float, figure: Figure | None = None) -> Figure:
    """Makes an empty figure with tight layout. A given figure, for example from pyplot, is resized instead."""
    if figure is None:
        figure = Figure(layout='constrained', dpi=DPI)
        FigureCanvasAgg(figure)
    figure.set_layout_engine('constrained')
    figure.set_size_inches(width_inches, height_inches)
    return figure


def save_figure(figure: Figure, path: str | Path) -> Path:
    """Writes a figure; the suffix (``.png``, ``.pdf``, ``.svg``) chooses the format, the folder is made if missing.

    Raises:
        ValueError: If the suffix is no format that matplotlib writes.
    """
    path = Path(path)
    formats = figure.canvas.get_supported_filetypes()
    if path.suffix.lstrip('.').lower() not in formats:
        raise ValueError(f'cannot write a figure to {path}: its suffix must be one of {", ".join(sorted(formats))}')
    with replaced_file(path) as partial:
        figure.savefig(partial, dpi=DPI, format=path.suffix.lstrip('.').lower())
    return path
