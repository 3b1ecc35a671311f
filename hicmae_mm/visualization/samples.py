"""Shows what a pipeline makes of a clip: frames after its steps, hidden patches grey, and the spectrogram."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure, SubFigure

from hicmae_mm.visualization.reconstruction import draw_spectrogram, evenly_spaced
from hicmae_mm.visualization.style import MASK_COLOR, TEXT_SIZE, TITLE_SIZE, new_figure

_ROW_WIDTH = 9.3  # inches


@dataclass
class PipelineTrace:
    """Collects what is worth seeing of a clip on its way through a pipeline, of the first view only.

    Attributes:
        frames: ``(T, H, W, 3)`` uint8 by the name of the step that made them.
        spectrogram: ``(T, F)``, None for a clip without sound.
        masks: Hidden patches ``(N,)`` bool by stream.
        grids: Patches along each axis by stream, ``(T, H, W)`` or ``(T, F)``, N in all.
        sequences: Numbers of other streams, such as features, ``(T, D)`` or ``(T,)`` by stream.
    """

    frames: dict[str, np.ndarray] = field(default_factory=dict)
    spectrogram: np.ndarray | None = None
    masks: dict[str, np.ndarray] = field(default_factory=dict)
    grids: dict[str, tuple[int, ...]] = field(default_factory=dict)
    sequences: dict[str, np.ndarray] = field(default_factory=dict)


def expand_mask(mask: np.ndarray, grid: Sequence[int], shape: Sequence[int]) -> np.ndarray:
    """Expands a mask of patches ``(N,)`` to a mask of entries of ``shape``, which the grid must divide.

    Raises:
        ValueError: If it does not.
    """
    if len(mask) != np.prod(grid) or any(size % cells for size, cells in zip(shape, grid)):
        raise ValueError(f'a mask of {len(mask)} patches on a grid {tuple(grid)} does not cover {tuple(shape)}')
    cells = mask.reshape(tuple(grid))
    for axis, (size, count) in enumerate(zip(shape, grid)):
        cells = cells.repeat(size // count, axis=axis)
    return cells


def draw_trace(trace: PipelineTrace, title: str = '', num_frames: int = 8, figure: Figure | None = None) -> Figure:
    """Draws a strip of frames for every step, the spectrogram, and other sequences; hidden patches are grey.

    Args:
        trace: Trace of one clip.
        title: Put above the picture.
        num_frames: Frames drawn of each strip, evenly spaced.
        figure: Drawn into this one if given.

    Raises:
        ValueError: If there is nothing to draw, or a mask does not fit.
    """
    rows = {
        step: _with_mask(frames, trace, is_last=step == [*trace.frames][-1]) for step, frames in trace.frames.items()
    }
    heights = [_ROW_WIDTH / min(num_frames, len(f)) * f.shape[1] / f.shape[2] + 0.35 for f in rows.values()]
    if trace.spectrogram is not None:
        heights.append(2.6)
    heights += [1.6] * len(trace.sequences)
    if not heights:
        raise ValueError('no stream to draw')
    figure = new_figure(10, sum(heights) + (0.5 if title else 0), figure)
    figure.suptitle(title, fontsize=TITLE_SIZE)
    parts = figure.subfigures(len(heights), 1, squeeze=False, height_ratios=heights)[:, 0]
    for part, (step, frames) in zip(parts, rows.items()):
        _draw_strip(part, step, frames, num_frames)
    rest = list(parts[len(rows) :])
    if trace.spectrogram is not None:
        _draw_sound(rest.pop(0), trace)
    for part, (name, values) in zip(rest, trace.sequences.items(), strict=True):
        _draw_sequence(part, name, values)
    return figure


def _with_mask(frames: np.ndarray, trace: PipelineTrace, is_last: bool) -> np.ndarray:
    """Frames in 0..1; those of the last step with hidden patches grey."""
    shown = frames.astype(np.float32) / 255
    if is_last and 'video' in trace.masks:
        shown[expand_mask(trace.masks['video'], trace.grids['video'], frames.shape[:3])] = to_rgb(MASK_COLOR)
    return shown


def _draw_strip(part: SubFigure, step: str, frames: np.ndarray, num_frames: int) -> None:
    chosen = evenly_spaced(len(frames), num_frames)
    cells = part.subplots(1, len(chosen), squeeze=False, gridspec_kw={'wspace': 0.02})[0]
    for cell, index in zip(cells, chosen):
        cell.imshow(frames[index], interpolation='nearest')
        cell.set(xticks=[], yticks=[])
        cell.spines[:].set_visible(False)
        cell.set_title(f'frame {index + 1}', fontsize=TEXT_SIZE - 2)
    height, width = frames.shape[1:3]
    cells[0].set_ylabel(f'{step}\n{width} x {height}', fontsize=TEXT_SIZE - 1)


def _draw_sound(part: SubFigure, trace: PipelineTrace) -> None:
    values: np.ma.MaskedArray = np.ma.array(trace.spectrogram)
    if 'audio' in trace.masks:
        values.mask = expand_mask(trace.masks['audio'], trace.grids['audio'], values.shape)
    axes = part.subplots()
    image = draw_spectrogram(axes, values)
    axes.set_ylabel('mel band', fontsize=TEXT_SIZE)
    part.colorbar(image, ax=axes, pad=0.01).set_label('log energy (normalised)', fontsize=TEXT_SIZE - 1)


def _draw_sequence(part: SubFigure, name: str, values: np.ndarray) -> None:
    """Returns a map of the vectors over time, or a curve of one number."""
    axes = part.subplots()
    if values.ndim == 1 or 1 in values.shape:
        axes.plot(values.ravel(), linewidth=0.8)
        axes.set_xlim(0, max(values.size - 1, 1))
        size = f'{values.size}'
    else:
        image = axes.imshow(values.T, aspect='auto', interpolation='nearest', cmap='cividis')  # (D, T)
        part.colorbar(image, ax=axes, pad=0.01)
        size = f'{values.shape[0]} x {values.shape[1]}'
    axes.set_ylabel(f'{name}\n{size}', fontsize=TEXT_SIZE - 1)
    axes.tick_params(labelsize=TEXT_SIZE - 2)
