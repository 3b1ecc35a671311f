"""Shows what a model attends to: maps over tokens, drawn over frames and spectrogram, and bars over words."""

from __future__ import annotations

from collections.abc import Mapping
from textwrap import wrap

import cv2
import numpy as np
from matplotlib import colormaps
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure, SubFigure
from matplotlib.ticker import MaxNLocator

from hicmae_mm.visualization.reconstruction import draw_spectrogram, evenly_spaced
from hicmae_mm.visualization.style import COLORS, TEXT_SIZE, TITLE_SIZE, new_figure

HEAT_COLORS = 'inferno'
_ROW_INCHES = 9.0  # a strip's width
_BARS_INCHES = 2.2
_SATURATED = 0.05  # share of the tokens above the upper end of a map's scale


def draw_attention(
    frames: np.ndarray | None,
    spectrogram: np.ndarray | None,
    maps: Mapping[str, Mapping[str, np.ndarray]],
    labels: Mapping[str, Mapping[str, str]],
    title: str = '',
    num_frames: int = 8,
    frame_shift_seconds: float = 0.01,
    figure: Figure | None = None,
) -> Figure:
    """Draws a clip: frames and strips of ``video``, the spectrogram and panels of ``audio``, bars of other streams.

    Every map has its own scale, whose ends are written beside it, for the contrast of a rollout falls with every layer.
    It ends where the highest twentieth begins: single tokens that all others attend to would hide the rest.

    Args:
        frames: ``(T, H, W, 3)`` uint8; None for a model without pictures.
        spectrogram: ``(T, F)`` log-mel energies; None for a model without sound.
        maps: By stream and kind, the relevance on the token grid, ``(T', H', W')`` of video, ``(T', F')`` of audio,
            ``(T',)`` of a sequence such as a text.
        labels: By stream and kind, what the map shows.
        title: Put above the picture.
        num_frames: Frames drawn, evenly spaced.
        frame_shift_seconds: Time between two rows of the spectrogram.
        figure: Drawn into this one if given.

    Raises:
        ValueError: If there is no stream.
    """
    heights = []
    if frames is not None:
        count = min(num_frames, len(frames))
        heights.append(
            (len(maps['video']) + 1) * (_ROW_INCHES / count * frames.shape[1] / frames.shape[2] + 0.08) + 0.4
        )
    if spectrogram is not None:
        heights.append(2.6 if len(maps['audio']) < 3 else 4.8)
    sequences = [name for name in maps if name not in ('video', 'audio')]
    heights += [_BARS_INCHES for _ in sequences]
    if not heights:
        raise ValueError('no stream to draw')
    figure = new_figure(10.6, sum(heights) + (0.5 if title else 0), figure)
    figure.suptitle(title, fontsize=TITLE_SIZE)
    parts = figure.subfigures(len(heights), 1, squeeze=False, height_ratios=heights)[:, 0]
    if frames is not None:
        _draw_frames(parts[0], frames, maps['video'], labels['video'], num_frames)
    if spectrogram is not None:
        _draw_sound(parts[0 if frames is None else 1], spectrogram, maps['audio'], labels['audio'], frame_shift_seconds)
    for part, name in zip(parts[len(heights) - len(sequences) :], sequences):
        _draw_bars(part, name, maps[name], labels[name])
    return figure


def overlay(frame: np.ndarray, heat: np.ndarray, limits: tuple[float, float]) -> np.ndarray:
    """Colours a grey frame ``(H, W, 3)`` by a map ``(H', W')`` in 0..1: dark = low end, bright = high end."""
    height, width = frame.shape[:2]
    grey = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY).astype(np.float32)[..., None] / 255
    large = cv2.resize(heat.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR)
    scaled = np.clip((large - limits[0]) / max(limits[1] - limits[0], 1e-9), 0, 1)
    colored = colormaps[HEAT_COLORS](scaled)[..., :3].astype(np.float32)
    picture: np.ndarray = np.clip(0.4 * grey + 0.75 * colored * (0.5 + 0.5 * grey), 0, 1)
    return picture


def _limits(heat: np.ndarray) -> tuple[float, float]:
    return float(heat.min()), float(np.quantile(heat, 1 - _SATURATED))


def _scale(low: float, high: float) -> str:
    return f'{low:.1f} to {high:.1f} × mean'


def _draw_frames(
    part: SubFigure,
    frames: np.ndarray,
    maps: Mapping[str, np.ndarray],
    labels: Mapping[str, str],
    num_frames: int,
) -> None:
    chosen = evenly_spaced(len(frames), num_frames)
    cells = part.subplots(len(maps) + 1, len(chosen), squeeze=False, gridspec_kw={'wspace': 0.02, 'hspace': 0.02})
    for cell in cells.flat:
        cell.set(xticks=[], yticks=[])
        cell.spines[:].set_visible(False)
    for cell, index in zip(cells[0], chosen):
        cell.imshow(frames[index], interpolation='nearest')
        cell.set_title(f'frame {index + 1}', fontsize=TEXT_SIZE - 1)
    cells[0][0].set_ylabel('model input', fontsize=TEXT_SIZE - 2)
    for row, (kind, heat) in zip(cells[1:], maps.items()):
        limits = _limits(heat)
        for cell, index in zip(row, chosen):
            cell.imshow(overlay(frames[index], heat[index * len(heat) // len(frames)], limits))
        row[0].set_ylabel('\n'.join([*wrap(labels[kind], 16), _scale(*limits)]), fontsize=TEXT_SIZE - 3)
    mappable = ScalarMappable(Normalize(0, 1), cmap=HEAT_COLORS)
    bar = part.colorbar(mappable, ax=cells[1:].ravel().tolist(), pad=0.01, fraction=0.02, ticks=[0, 1])
    bar.ax.set_yticklabels(['least', 'top 5 %'], fontsize=TEXT_SIZE - 2)


def _draw_sound(
    part: SubFigure,
    spectrogram: np.ndarray,
    maps: Mapping[str, np.ndarray],
    labels: Mapping[str, str],
    frame_shift_seconds: float,
) -> None:
    columns = len(maps) + 1 if len(maps) < 3 else 2
    rows = -(-(len(maps) + 1) // columns)
    cells = part.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
    flat = cells.ravel()
    draw_spectrogram(flat[0], spectrogram, frame_shift_seconds)
    flat[0].set_title('model input', fontsize=TEXT_SIZE - 1)
    extent = (0, len(spectrogram) * frame_shift_seconds, 0, spectrogram.shape[1])
    low, high = float(spectrogram.min()), float(spectrogram.max())
    for cell, (kind, heat) in zip(flat[1:], maps.items()):
        limits = _limits(heat)
        grey = np.repeat((255 * (spectrogram - low) / max(high - low, 1e-9)).astype(np.uint8)[..., None], 3, axis=2)
        cell.imshow(overlay(grey, heat, limits).transpose(1, 0, 2), origin='lower', aspect='auto', extent=extent)
        cell.set_title(f'{labels[kind]} ({_scale(*limits)})', fontsize=TEXT_SIZE - 2)
        cell.tick_params(labelsize=TEXT_SIZE - 1)
        cell.set_xlabel('time (s)', fontsize=TEXT_SIZE)
    for cell in cells[:, 0]:
        cell.set_ylabel('mel band', fontsize=TEXT_SIZE)
    for cell in cells[:-1].ravel():
        cell.set_xlabel('')


def _draw_bars(part: SubFigure, name: str, maps: Mapping[str, np.ndarray], labels: Mapping[str, str]) -> None:
    """Draws the relevance of every token of a sequence."""
    for cell, (kind, values) in zip(part.subplots(1, len(maps), squeeze=False)[0], maps.items()):
        cell.bar(np.arange(1, len(values) + 1), values, color=COLORS[0])
        cell.axhline(1.0, color='black', linewidth=0.6)
        cell.set_title(labels[kind], fontsize=TEXT_SIZE - 2)
        cell.set_xlabel(f'token of {name}', fontsize=TEXT_SIZE)
        cell.set_ylabel('× mean', fontsize=TEXT_SIZE)
        cell.xaxis.set_major_locator(MaxNLocator(integer=True))
        cell.tick_params(labelsize=TEXT_SIZE - 1)
