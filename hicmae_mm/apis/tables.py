"""Write results as tables with one row for each window."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hicmae_mm.utils.files import replaced_file


def window_rows(result: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Makes the table of a clip.

    Args:
        result: Result of the clip.

    Returns:
        One row for each window with ``start_seconds``, ``end_seconds``, ``label``, one column for each class and
        dimension, ``streams`` (joined by ``+``) and ``face_coverage``. Unknown values are empty.
    """
    rows = []
    for window in result['windows']:
        row = dict(start_seconds=window['start_seconds'], end_seconds=window['end_seconds'], label=window['label'])
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
    rows = window_rows(result)
    with replaced_file(path) as partial, partial.open('w', newline='', encoding='utf-8') as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path
