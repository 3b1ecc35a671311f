"""Reads tables whose header names columns: CSV, JSON lines and Parquet."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from hicmae_mm.datasets.records import is_column_name
from hicmae_mm.datasets.text_files import decode_text, read_rows, read_text, shown, text_lines, unique_object

_HEAD_BYTES = 2**16  # enough for the first line of any table
_TELLING_NAMES = {'video', 'audio', 'label', 'values', 'sample_id', 'streams', 'start', 'end', 'text', 'speaker'}
_OPTIONAL = {'values', 'sample_id', 'speaker', 'streams', 'start', 'end'}  # an empty cell is as no cell
_BATCH_ROWS = 4096


def import_parquet() -> tuple[ModuleType, ModuleType]:
    """Imports ``pyarrow`` and ``pyarrow.parquet``.

    Raises:
        ImportError: If pyarrow is not installed. The message names the fix.
    """
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise ImportError(
            'Parquet needs pyarrow: pip install "hicmae_mm[features]", or write npy files (--format npy)'
        ) from error
    return pyarrow, pyarrow.parquet


def is_table(path: Path) -> bool:
    """Tells whether a file is a table with named columns: by its name, or because its first line names columns.

    Text lists ``video audio label`` have no such line. The names of a header are separated by commas, semicolons or
    tabs.
    """
    if path.suffix.lower() in ('.parquet', '.jsonl'):
        return True
    with path.open('rb') as file:
        head = file.read(_HEAD_BYTES)
    try:
        line = next((line for line in text_lines(decode_text(head, path, errors='replace')) if line.strip()), '')
    except ValueError:
        return False
    mark = next((mark for mark in ',\t;' if mark in line), ',')
    names = [name.strip().strip('"') for name in line.split(mark)]
    is_header = all(names)
    if mark == '\t' or len(names) == 1:  # also the form of a line of a text list
        return is_header and all(map(is_column_name, names)) and bool(set(names) & _TELLING_NAMES)
    return is_header and (all(map(is_column_name, names)) or bool(set(names) & _TELLING_NAMES))


def read_table(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yields the position (``'line 3'`` or ``'row 3'``) and the columns of every row. Empty cells are None.

    Args:
        path: A file for which :func:`is_table` is true.

    Raises:
        ImportError: If pyarrow is needed and not installed.
        ValueError: If the file is damaged, or a row does not have the columns of the header.
    """
    readers = {'.parquet': _parquet_rows, '.jsonl': _json_rows}
    for position, row in readers.get(path.suffix.lower(), _csv_rows)(path):
        yield position, {name: cell for name, cell in row.items() if cell is not None or name not in _OPTIONAL}


def _csv_rows(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    rows = read_rows(path, ',')
    _, header = next(rows, (0, []))
    if not header:
        raise ValueError(f'{path} is empty: its first line must name the columns')
    _check_header(header, path)
    for number, fields in rows:
        if len(fields) != len(header):
            raise ValueError(
                f'{path}, line {number}: {len(fields)} columns, the header names {len(header)} ({", ".join(header)}); '
                'put cells that contain the separator in double quotes'
            )
        row: dict[str, Any] = {name: field or None for name, field in zip(header, fields)}
        if row.get('streams'):
            row['streams'] = row['streams'].replace('|', ' ').split()
        yield f'line {number}', row


def _json_rows(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    for number, line in enumerate(text_lines(read_text(path)), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line, object_pairs_hook=unique_object)
            if not isinstance(row, dict):
                raise ValueError(f'expected a JSON object of named columns, got {shown(row)}')
            _check_header(list(row), path)
        except (ValueError, RecursionError) as error:
            raise ValueError(f'{path}, line {number}: not a row of JSON lines ({error})') from error
        yield f'line {number}', row


def _parquet_rows(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    pa, pq = import_parquet()
    try:
        with pq.ParquetFile(path) as file:
            header = list(file.schema_arrow.names)
            _check_header(header, path)
            number = 0
            for batch in file.iter_batches(_BATCH_ROWS):
                for row in batch.to_pylist():
                    number += 1
                    yield f'row {number}', row
    except (pa.ArrowException, OSError) as error:
        raise ValueError(f'{path}: not a Parquet file that can be read ({error}); write it again') from error


def _check_header(names: list[str], path: Path) -> None:
    wrong = [name for name in names if not name or names.count(name) > 1]
    if wrong:
        raise ValueError(f'{path}: the header has the column {shown(wrong[0])} twice, or without a name')
