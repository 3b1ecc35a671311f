"""Emotion over the time of a clip: scores, sound, and where a face was seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from hicmae_mm.datasets.readers.audio import AudioReader, open_audio
from hicmae_mm.visualization.style import COLORS, LINE_STYLES, TEXT_SIZE, TITLE_SIZE, new_figure
from hicmae_mm.visualization.tracks import MOST_LINE_STEPS, Track, tracks_of

_MOST_LINES = len(COLORS)  # more classes than colours become a map
_MOST_STEPS = 600  # more cannot be told apart in a picture of this width
_MOST_PIECES_WITHOUT_LEGEND = 30  # pieces of the leading class; more are too narrow for their names
_READ_SECONDS = 30.0
_SOUND_COLOR = '#555555'
_ABSENT_COLOR = '#DDDDDD'


@dataclass(frozen=True)
class Envelope:
    """Stores the outline of a waveform.

    Attributes:
        seconds: Length of the sound.
        low: Lowest sample of each of N equal parts, ``(N,)`` in -1..1.
        high: Highest sample of each.
    """

    seconds: float
    low: np.ndarray
    high: np.ndarray


def read_envelope(
    sound: AudioReader | Path | np.ndarray | None, sample_rate_hz: int | None = None, parts: int = 900
) -> Envelope | None:
    """Computes the outline of a sound track. Of a long one, little is in memory at a time.

    Args:
        sound: A reader, a file with a sound track, or a waveform ``(S,)`` with its rate; None means no sound.
        sample_rate_hz: Sample rate of the waveform.
        parts: N at most.

    Returns:
        None without sound.

    Raises:
        MediaError: If the file has no sound track that can be read.
    """
    if sound is None:
        return None
    if isinstance(sound, np.ndarray):
        if not sample_rate_hz:
            raise ValueError(f'a waveform needs its sample_rate_hz, got {sample_rate_hz}')
        low, high = _extremes([sound], len(sound), parts)
        return Envelope(len(sound) / sample_rate_hz, low, high)
    reader = open_audio(sound) if isinstance(sound, Path) else sound
    try:
        step = max(1, int(_READ_SECONDS * reader.sample_rate_hz))
        starts = range(0, reader.num_samples, step)
        pieces = (reader.read(start, min(start + step, reader.num_samples)) for start in starts)
        low, high = _extremes(pieces, reader.num_samples, parts)
        return Envelope(reader.num_samples / reader.sample_rate_hz, low, high)
    finally:
        if isinstance(sound, Path):
            reader.close()


def _extremes(pieces: Any, num_samples: int, parts: int) -> tuple[np.ndarray, np.ndarray]:
    parts = max(1, min(parts, num_samples))
    low, high = np.zeros(parts), np.zeros(parts)
    at = 0
    for piece in pieces:
        slots = (np.arange(at, at + len(piece)) * parts) // num_samples
        np.minimum.at(low, slots, piece)
        np.maximum.at(high, slots, piece)
        at += len(piece)
    return low, high


def draw_timeline(
    result: Mapping[str, Any], envelope: Envelope | None = None, title: str | None = None, figure: Figure | None = None
) -> Figure:
    """Draws the predictions of a clip over time, its waveform, and when a face was seen.

    Of a clip with very many time steps it draws means over short parts, which the label of the time axis says.

    Args:
        result: Result of :class:`~hicmae_mm.apis.EmotionInferencer` for a clip.
        envelope: Envelope of the sound; see :func:`read_envelope`. None draws no sound.
        title: Text above the picture; None means name and overall prediction of the clip.
        figure: Drawn into this one if given.

    Raises:
        ValueError: If the result has no predictions.
    """
    complete = tracks_of(result)
    if not complete:
        raise ValueError(f'{result.get("name")}: nothing to draw, {result.get("error") or "the result is empty"}')
    tracks = [track.merged(_MOST_STEPS) for track in complete]
    labelled = next((track for track in tracks if track.is_score and len(track.names) <= _MOST_LINES), None)
    has_faces = bool(result['faces'])
    heights = [0.35] * (labelled is not None) + [_height_of(track) for track in tracks]
    heights += [1.1] * (envelope is not None) + [0.35] * has_faces
    figure = new_figure(9, sum(heights) + 0.9, figure)
    panels = figure.subplots(len(heights), 1, sharex=True, squeeze=False, height_ratios=heights)[:, 0]
    figure.suptitle(title_of(result) if title is None else title, fontsize=TITLE_SIZE)
    for axes in panels:
        axes.tick_params(labelsize=TEXT_SIZE - 1)
        axes.spines[['top', 'right']].set_visible(False)
    rest = list(panels)
    if labelled is not None:
        _draw_labels(rest.pop(0), labelled)
    for track in tracks:
        _draw_track(rest.pop(0), track)
    if envelope is not None:
        _draw_sound(rest.pop(0), envelope)
    if has_faces:
        _draw_faces(rest.pop(0), result)
    panels[-1].set_xlim(0, result['duration_seconds'])
    panels[-1].set_xlabel(f'time (s){_step_note(complete, tracks)}', fontsize=TEXT_SIZE)
    return figure


def _step_note(complete: Sequence[Track], drawn: Sequence[Track]) -> str:
    """Says how long the parts are of which means are drawn."""
    lengths = [np.median(np.diff(new.edges)) for old, new in zip(complete, drawn) if new is not old]
    return f'; drawn are means over {max(lengths):.2g} s' if lengths else ''


def title_of(result: Mapping[str, Any]) -> str:
    """Returns the name of a clip and its overall result: ``clip.mp4: HAP 63 %``."""
    parts = []
    if result.get('scores'):
        parts.append(f'{result["label"]} {100 * result["scores"][result["label"]]:.0f} %')
    if result.get('values'):
        parts.append(', '.join(f'{name} {value:.2f}' for name, value in result['values'].items()))
    return f'{result["name"]}: {", ".join(parts)}'


def _is_map(track: Track) -> bool:
    return len(track.names) > _MOST_LINES or track.is_dense


def _height_of(track: Track) -> float:
    return 1.0 + 0.2 * len(track.names) if _is_map(track) else 2.6


def _draw_labels(axes: Axes, track: Track) -> None:
    """Draws a band of the leading class. Neighbouring steps of one class form one piece."""
    edges, values, names = track.edges, track.values, track.names
    leading = np.where(np.isnan(values[:, 0]), -1, np.nan_to_num(values).argmax(axis=1))
    starts = np.flatnonzero(np.diff(leading, prepend=-2))
    for first, stop in zip(starts, [*starts[1:], len(leading)]):
        start, width, number = edges[first], edges[stop] - edges[first], leading[first]
        axes.broken_barh([(start, width)], (0, 1), color=_ABSENT_COLOR if number < 0 else COLORS[number])
        if number >= 0 and width > 0.014 * len(names[number]) * edges[-1]:
            text = axes.text(start + width / 2, 0.46, names[number], color=ink_on(COLORS[number]), weight='bold')
            text.set(ha='center', va='center')
    if len(starts) > _MOST_PIECES_WITHOUT_LEGEND:
        patches = [Patch(color=color, label=name) for color, name in zip(COLORS, names)]
        options = dict(fontsize=TEXT_SIZE - 2, frameon=False, handlelength=1, columnspacing=1, borderpad=0)
        axes.legend(handles=patches, ncols=2, loc='upper left', bbox_to_anchor=(1.0, 1.3), **options)
    _make_band(axes, 'emotion')


def ink_on(color: str) -> str:
    """Returns white or black, whichever is easier to read on a colour."""
    return 'white' if np.dot(to_rgb(color), (0.299, 0.587, 0.114)) < 0.55 else 'black'


def _make_band(axes: Axes, label: str) -> None:
    axes.set_ylim(0, 1)
    axes.set_yticks([])
    axes.set_ylabel(label, fontsize=TEXT_SIZE, rotation=0, ha='right', va='center')
    axes.spines[['left', 'bottom']].set_visible(False)
    axes.tick_params(bottom=False)


def _draw_track(axes: Axes, track: Track) -> None:
    edges, names = track.edges, track.names
    shown = 100 * track.values if track.is_score else track.values
    if _is_map(track):
        _draw_map(axes, track, shown)
        return
    is_long = len(shown) > MOST_LINE_STEPS
    for number, name in enumerate(names):
        steps = axes.stairs(shown[:, number], edges, label=name, baseline=None)
        style = '-' if is_long else LINE_STYLES[number // 2 % len(LINE_STYLES)]
        steps.set(color=COLORS[number], linestyle=style, linewidth=1 if is_long else 2)
    for start, end in zip(edges[:-1][np.isnan(shown[:, 0])], edges[1:][np.isnan(shown[:, 0])]):
        axes.axvspan(start, end, color=_ABSENT_COLOR, linewidth=0)
    if track.is_score:
        axes.set_ylim(0, 102)
    axes.set_ylabel(track.title, fontsize=TEXT_SIZE)
    axes.grid(alpha=0.3)
    axes.legend(fontsize=TEXT_SIZE - 1, frameon=False, loc='center left', bbox_to_anchor=(1.0, 0.5), handlelength=2.6)


def _draw_map(axes: Axes, track: Track, values: np.ndarray) -> None:
    """Draws one row for each name, because lines could not be told apart."""
    axes.set_facecolor(_ABSENT_COLOR)
    low, high = (0, 100) if track.is_score else (None, None)
    mesh = axes.pcolormesh(track.edges, np.arange(len(track.names) + 1), values.T, cmap='cividis', vmin=low, vmax=high)
    axes.set_yticks(np.arange(len(track.names)) + 0.5, track.names)
    axes.invert_yaxis()
    bar = axes.figure.colorbar(mesh, ax=axes, pad=0.01)
    bar.set_label(track.title, fontsize=TEXT_SIZE)


def _draw_sound(axes: Axes, envelope: Envelope) -> None:
    middles = (np.arange(len(envelope.low)) + 0.5) * envelope.seconds / len(envelope.low)
    axes.fill_between(middles, envelope.low, envelope.high, color=_SOUND_COLOR, linewidth=0)
    loudest = max(float(np.abs([envelope.low, envelope.high]).max()), 1e-3)
    axes.set_ylim(-1.05 * loudest, 1.05 * loudest)
    axes.set_ylabel('sound', fontsize=TEXT_SIZE)


def _draw_faces(axes: Axes, result: Mapping[str, Any]) -> None:
    """Draws a band that is dark where a face was found. Every searched frame counts until the next one."""
    times = [face['seconds'] for face in result['faces']]
    widths = np.diff([*times, max(result['duration_seconds'], times[-1])])
    for is_seen, color in ((True, COLORS[0]), (False, _ABSENT_COLOR)):
        spans = [(t, w) for t, w, face in zip(times, widths, result['faces']) if (face['box'] is not None) == is_seen]
        axes.broken_barh(spans, (0, 1), color=color, linewidth=0)
    _make_band(axes, 'face seen')
