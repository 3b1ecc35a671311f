"""Tells where the files of a sample are."""

from __future__ import annotations

from typing import Any

from mmengine.fileio import join_path

from hicmae_mm.datasets.errors import MediaError


def path_below(results: dict[str, Any], path: str, stream: str = '') -> str:
    """Joins a path to the data set's folder of a stream (``data_prefix``), or to its ``data_root``.

    Args:
        results: The results of the pipeline.
        path: Relative path; an absolute path stays as it is.
        stream: Name of the stream.
    """
    folders = results.get('data_folders', {})
    joined: str = join_path(folders.get(stream, folders.get('', '')), path)
    return joined


def cell_of(results: dict[str, Any], column: str) -> Any:
    """Returns the value of a column of the sample's row.

    Raises:
        ValueError: If the list has no such column.
        MediaError: If the cell is empty.
    """
    columns = results.get('columns', {})
    if column not in columns:
        raise ValueError(
            f'{results.get("position", "the sample")}: the list has no column {column!r}, only {sorted(columns)}; '
            'tables and JSON lists name columns (docs/data_format.md)'
        )
    if columns[column] is None or columns[column] == '':
        raise MediaError(f'the column {column!r} is empty')
    return columns[column]
