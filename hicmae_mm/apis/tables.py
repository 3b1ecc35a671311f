"""Write results as tables with one row for each window."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hicmae_mm.utils.files import csv_text, write_text


def window_rows(result: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Makes the table of a clip.

    Args:
        result: Result of the clip.

    Returns:
        One row for each window with ``start_seconds``, ``end_seconds``, ``label``, one column for each class and
        dimension, ``streams`` (joined by ``+``) and ``face_coverage``. If windows are utterances, ``speaker`` and
        ``text`` come before the label. Unknown values are empty.
    """
    rows = []
    said = ('speaker', 'text') if any(window.get('text') is not None for window in result['windows']) else ()
    for window in result['windows']:
        row = {name: window[name] for name in ('start_seconds', 'end_seconds', *said, 'label')}
        for kind in ('scores', 'values'):
            row.update(window[kind] or dict.fromkeys(result[kind] or (), None))
        row.update(streams='+'.join(window['streams']), face_coverage=window['face_coverage'])
        rows.append({key: '' if value is None else value for key, value in row.items()})
    return rows


def write_window_csv(result: Mapping[str, Any], path: Path) -> Path:
    """Writes the rows of :func:`window_rows` and a header line with the column names.

    Args:
        result: Result of the clip.
        path: The file.

    Returns:
        ``path``.
    """
    return _write(window_rows(result), path)


def frame_rows(result: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Makes the table of the predictions per frame.

    Args:
        result: Result of the clip.

    Returns:
        One row for each frame with ``frame``, ``seconds``, and for each target a column of labels and one for each
        entry, named ``TARGET.ENTRY``. Unknown values are empty. Empty for a model without predictions per frame.
    """
    frames = dict(result['frames'] or {})
    seconds = frames.pop('seconds', None)
    columns: dict[str, list[Any]] = {} if seconds is None else {'seconds': seconds}
    for target, found in frames.items():
        if 'label' in found:
            columns[target] = found['label']
        for name, values in {**found.get('scores', {}), **found.get('values', {})}.items():
            columns[f'{target}.{name}'] = values
    rows = zip(*columns.values(), strict=True)
    return [
        {'frame': number, **{name: '' if value is None else value for name, value in zip(columns, row)}}
        for number, row in enumerate(rows)
    ]


def write_frame_csv(result: Mapping[str, Any], path: Path) -> Path:
    """Writes the rows of :func:`frame_rows` and a header line with the column names.

    Args:
        result: Result of the clip, of a model with predictions per frame.
        path: The file.

    Returns:
        ``path``.
    """
    return _write(frame_rows(result), path)


def _write(rows: list[dict[str, Any]], path: Path) -> Path:
    write_text(path, csv_text(rows))
    return path
