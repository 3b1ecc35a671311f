"""Panels of masked pre-training: what went in, what the model saw, what it made of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure, SubFigure
from matplotlib.image import AxesImage

from hicmae_mm.visualization.style import MASK_COLOR, SPECTROGRAM_COLORS, TEXT_SIZE, TITLE_SIZE, new_figure

if TYPE_CHECKING:
    from torch import Tensor

STAGES = {'original': 'original', 'masked': 'model input', 'reconstruction': 'reconstruction'}


def unnormalise_video(video: Tensor, mean: Sequence[float], std: Sequence[float]) -> np.ndarray:
    """Turns normalised frames ``(3, T, H, W)`` into RGB ``(T, H, W, 3)`` in 0..1.

    Args:
        video: Frames as the model receives them.
        mean: Mean of the data preprocessor, on 0..255.
        std: Deviation of the data preprocessor, on 0..255.
    """
    frames = video.detach().float().cpu().permute(1, 2, 3, 0).numpy()  # (3, T, H, W) -> (T, H, W, 3)
    pictures: np.ndarray = np.clip((frames * np.asarray(std) + np.asarray(mean)) / 255, 0, 1)
    return pictures


def evenly_spaced(length: int, count: int) -> np.ndarray:
    """Returns at most ``count`` of the indices ``0 .. length - 1``, evenly spaced from the first one."""
    count = min(count, length)
    return np.arange(count) * length // count


def draw_reconstruction(
    streams: Mapping[str, Mapping[str, Tensor]],
    mean: Sequence[float],
    std: Sequence[float],
    title: str = '',
    num_frames: int = 8,
    frame_shift_seconds: float = 0.01,
    figure: Figure | None = None,
) -> Figure:
    """Draws one clip: a strip of frames per stage for pictures, a panel per stage for spectrograms.

    Args:
        streams: By stream, ``original``, ``masked`` and ``reconstruction`` of one clip, in the model's input space:
            pictures ``(3, T, H, W)``, spectrograms ``(1, T, F)``. What differs between original and masked is drawn
            grey in the latter.
        mean: Mean of the data preprocessor, on 0..255.
        std: Deviation of the data preprocessor, on 0..255.
        title: Text above the picture.
        num_frames: Number of frames that are drawn, evenly spaced.
        frame_shift_seconds: Time between two rows of a spectrogram.
        figure: Figure to draw into; None makes one.

    Raises:
        ValueError: If a stream is neither a picture sequence nor a spectrogram, or there is none.
    """
    heights = {name: _panel_height(name, stages['original'], num_frames) for name, stages in streams.items()}
    if not heights:
        raise ValueError('no stream to draw')
    figure = new_figure(10, sum(heights.values()) + (0.5 if title else 0), figure)
    if title:
        figure.suptitle(title, fontsize=TITLE_SIZE)
    parts = figure.subfigures(len(streams), 1, squeeze=False, height_ratios=list(heights.values()))[:, 0]
    for part, (_, stages) in zip(parts, streams.items()):
        if stages['original'].ndim == 4:
            _draw_strips(part, stages, mean, std, num_frames)
        else:
            _draw_spectrograms(part, stages, frame_shift_seconds)
    return figure


def _panel_height(name: str, original: Tensor, num_frames: int) -> float:
    if original.ndim == 4 and original.shape[0] == 3:
        _, length, height, width = original.shape
        return 3 * 9.3 / min(num_frames, length) * height / width + 0.4
    if original.ndim == 3 and original.shape[0] == 1:
        return 2.9
    raise ValueError(
        f'stream {name!r} of shape {tuple(original.shape)} cannot be drawn: expected pictures (3, T, H, W) or a '
        'spectrogram (1, T, F)'
    )


def _draw_strips(
    part: SubFigure, stages: Mapping[str, Tensor], mean: Sequence[float], std: Sequence[float], num_frames: int
) -> None:
    length = stages['original'].shape[1]
    chosen = evenly_spaced(length, num_frames)
    axes = part.subplots(len(STAGES), len(chosen), squeeze=False, gridspec_kw={'wspace': 0.02, 'hspace': 0.02})
    hidden = (stages['masked'] != stages['original']).any(dim=0).cpu().numpy()  # (T, H, W)
    for row, (stage, label) in zip(axes, STAGES.items()):
        frames = unnormalise_video(stages[stage], mean, std)
        if stage == 'masked':
            frames[hidden] = to_rgb(MASK_COLOR)
        for cell, index in zip(row, chosen):
            cell.imshow(frames[index], interpolation='nearest')
            cell.set(xticks=[], yticks=[])
            cell.spines[:].set_visible(False)
        row[0].set_ylabel(label, fontsize=TEXT_SIZE)
    for cell, index in zip(axes[0], chosen):
        cell.set_title(f'frame {index + 1}', fontsize=TEXT_SIZE - 1)


def _draw_spectrograms(part: SubFigure, stages: Mapping[str, Tensor], frame_shift_seconds: float) -> None:
    axes = part.subplots(1, len(STAGES), sharey=True)
    original = stages['original'][0].detach().float().cpu().numpy()
    hidden = (stages['masked'] != stages['original'])[0].cpu().numpy()
    limits = float(original.min()), float(original.max())
    images = []
    for cell, (stage, label) in zip(axes, STAGES.items()):
        values = stages[stage][0].detach().float().cpu().numpy()
        shown = np.ma.array(values, mask=hidden & (stage == 'masked'))
        images.append(draw_spectrogram(cell, shown, frame_shift_seconds, limits))
        cell.set_title(label, fontsize=TEXT_SIZE)
    axes[0].set_ylabel('mel band', fontsize=TEXT_SIZE)
    bar = part.colorbar(images[0], ax=list(axes), shrink=0.9, pad=0.01)
    bar.set_label('log energy (normalised)', fontsize=TEXT_SIZE - 1)


def draw_spectrogram(
    axes: Axes,
    values: np.ndarray,
    frame_shift_seconds: float = 0.01,
    limits: tuple[float, float] | None = None,
) -> AxesImage:
    """Draws ``(T, F)`` log-mel energies with time (s) along x and mel bands upwards; masked entries are grey."""
    colors = colormaps[SPECTROGRAM_COLORS].with_extremes(bad=MASK_COLOR)
    seconds = len(values) * frame_shift_seconds
    low, high = limits or (None, None)
    axes.set_xlabel('time (s)', fontsize=TEXT_SIZE)
    axes.tick_params(labelsize=TEXT_SIZE - 1)
    return axes.imshow(
        values.T,
        origin='lower',
        aspect='auto',
        interpolation='nearest',
        cmap=colors,
        vmin=low,
        vmax=high,
        extent=(0, seconds, 0, values.shape[1]),
    )
