"""Convert a result to plain values that the page can draw."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from hicmae_mm.apis.clip import NO_FACE
from hicmae_mm.apis.tables import frame_rows, window_rows
from hicmae_mm.apis.web.problems import VisitorError
from hicmae_mm.utils.files import csv_text
from hicmae_mm.visualization.hooks.prediction_visualization import safe_file_name
from hicmae_mm.visualization.timeline import Envelope
from hicmae_mm.visualization.tracks import MOST_LINE_STEPS, Track, tracks_of

MOST_LINES = 7
"""Number of classes in the chart. More colours are hard to distinguish; table and files contain all classes."""
_MOST_STEPS = 600  # of a chart; more cannot be told apart in the width of the page
_SHOWN_WARNINGS = ('frames per second', 'left out', 'a face was seen')
_WORDS = {
    'ang': 'anger',
    'dis': 'disgust',
    'fea': 'fear',
    'hap': 'happiness',
    'neu': 'neutral',
    'sad': 'sadness',
    'sur': 'surprise',
}


@dataclass(frozen=True)
class Pictures:
    """Pictures of a clip that the page shows with its scores.

    Attributes:
        envelope: Envelope of its sound. None without sound.
        spectrogram: See :func:`~hicmae_mm.apis.web.pictures.spectrogram`.
        strip: See :func:`~hicmae_mm.apis.web.pictures.face_strip`.
    """

    envelope: Envelope | None = None
    spectrogram: dict[str, Any] | None = None
    strip: list[dict[str, Any]] = field(default_factory=list)


def spoken(name: str) -> str:
    """Writes the name of a class in words.

    Args:
        name: Name of the class.

    Returns:
        The words.

    Example:
        >>> from hicmae_mm.apis.web.view import spoken
        >>> spoken('HAP')
        'happiness'
    """
    return _WORDS.get(name.lower(), name.replace('_', ' '))


def problem_view(problem: VisitorError) -> dict[str, Any]:
    """Makes the values with which the page shows a problem.

    Args:
        problem: The error.

    Returns:
        The values, with ``kind='problem'``.
    """
    return dict(kind='problem', title=problem.title, advice=problem.advice, file=problem.file)


def result_view(result: Mapping[str, Any], pictures: Pictures, is_video: bool) -> dict[str, Any]:
    """Makes the values with which the page shows a result.

    Args:
        result: Result of a clip from :class:`~hicmae_mm.apis.EmotionInferencer`.
        pictures: Pictures of the clip.
        is_video: Whether the page plays it as a video.

    Returns:
        A dictionary with ``kind='result'``. ``panels`` are charts over the time, each with ``title``, ``unit``,
        ``form``, ``low``, ``high``, ``edges`` ((N + 1,) seconds) and ``series`` (``name``, ``overall``, ``values``
        (N,), where None means no score). The form is ``'lines'``; ``'long lines'`` of very many steps; or ``'rows'``,
        where lines would hide each other. ``headline``, ``strip``, ``face_spans``, ``sound``, ``spectrogram``,
        ``notes`` and ``rows`` are shown around them. ``files`` contains the texts of the downloads.
    """
    envelope = pictures.envelope
    return dict(
        kind='result',
        name=result['name'],
        media='video' if is_video else 'audio',
        seconds=result['duration_seconds'],
        model=result['model'],
        headline=_headline(result),
        panels=[_panel(track) for track in tracks_of(result)],
        strip=pictures.strip,
        face_spans=_face_spans(result),
        sound=None
        if envelope is None
        else dict(seconds=envelope.seconds, low=_rounded(envelope.low), high=_rounded(envelope.high)),
        spectrogram=pictures.spectrogram,
        notes=notes(result),
        rows=[{name: _shown(value) for name, value in row.items()} for row in window_rows(result)],
        files=dict(
            stem=safe_file_name(str(result['name']).rpartition('.')[0] or str(result['name'])),
            json=json.dumps(result, indent=2) + '\n',
            csv=csv_text(window_rows(result)),
            frames=csv_text(frame_rows(result)) if result.get('frames') else None,
        ),
    )


def _rounded(values: np.ndarray) -> list[float]:
    rounded: list[float] = np.round(values, 3).tolist()
    return rounded


def _shown(value: Any) -> str:
    return f'{value:.2f}' if isinstance(value, float) else str(value)


def _headline(result: Mapping[str, Any]) -> dict[str, str]:
    if result['scores']:
        percent = f'{100 * result["scores"][result["label"]]:.0f} %'
        return dict(text=spoken(result['label']), value=percent)
    return dict(text=', '.join(f'{spoken(name)} {value:.2f}' for name, value in result['values'].items()), value='')


def _panel(complete: Track) -> dict[str, Any]:
    track = complete.merged(_MOST_STEPS)
    names, factor = track.names, 100 if track.is_score else 1
    overall = [factor * track.overall[name] for name in names]
    kept = sorted(np.argsort(overall)[::-1][:MOST_LINES].tolist())
    finite = track.values[np.isfinite(track.values)]
    low, high = (0.0, 100.0) if track.is_score else (float(finite.min(initial=0)), float(finite.max(initial=1)))
    left_out = '' if len(kept) == len(names) else f', the {len(kept)} highest of {len(names)}'
    step = np.median(np.diff(track.edges))
    means = '' if track is complete else f', means over {step:.2g} s'
    return dict(
        title=f'{track.title}{left_out}{means}',
        unit='%' if track.is_score else '',
        form='rows' if track.is_dense else 'long lines' if len(track.values) > MOST_LINE_STEPS else 'lines',
        low=low,
        high=high,
        edges=_rounded(track.edges),
        series=[
            dict(
                name=spoken(names[number]),
                overall=round(overall[number], 3),
                values=[None if np.isnan(value) else round(factor * float(value), 3) for value in column],
            )
            for number, column in ((number, track.values[:, number]) for number in kept)
        ],
    )


def _face_spans(result: Mapping[str, Any]) -> list[list[Any]]:
    """Joins neighbouring frames to spans ``[start, end, whether a face was seen]``."""
    spans: list[list[Any]] = []
    for face in result['faces']:
        is_seen = face['box'] is not None
        if spans and spans[-1][2] == is_seen:
            continue
        if spans:
            spans[-1][1] = face['seconds']
        spans.append([face['seconds'], result['duration_seconds'], is_seen])
    return spans


def notes(result: Mapping[str, Any]) -> list[str]:
    """Writes notes about a result in plain words.

    Args:
        result: Result of a clip.

    Returns:
        One text for each note.
    """
    windows = result['windows']
    total = len(windows)
    said = []
    lost = [window for window in windows if not window['streams']]
    if lost:
        why = 'no face was found' if NO_FACE in lost[0]['absent_streams'].values() else 'picture or sound is missing'
        said.append(f'In {len(lost)} of {total} parts {why}; they have no scores and are hatched.')
    for stream, noun in (('video', 'a face'), ('audio', 'sound')):
        without = sum(bool(window['streams']) and stream in window['absent_streams'] for window in windows)
        if without:
            where = 'The whole recording was' if without == total else f'{without} of {total} parts were'
            said.append(f'{where} judged without {noun}. Expect worse scores.')
    return said + [text for text in result['warnings'] if any(part in text for part in _SHOWN_WARNINGS)]
