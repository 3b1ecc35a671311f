"""From parts to the final files: one Parquet file, or an array per column that can be mapped into memory."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from hicmae_mm.features.parts import BAD_FILE, INFO_FILE, Column, PartFolder
from hicmae_mm.utils.files import replaced_file, write_text

FORMATS = ('parquet', 'npy')
PARQUET_FILE, INDEX_FILE = 'features.parquet', 'index.csv'
METADATA_KEY = b'hicmae_mm'


def import_parquet() -> tuple[ModuleType, ModuleType]:
    """``pyarrow`` and ``pyarrow.parquet``.

    Raises:
        ImportError: If it is not installed; the fix is named.
    """
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise ImportError(
            'Parquet needs pyarrow: pip install "hicmae_mm[features]", or write npy files (--format npy)'
        ) from error
    return pyarrow, pyarrow.parquet


def describe_columns(columns: Mapping[str, Column]) -> dict[str, dict[str, Any]]:
    """``dtype``, ``shape`` of a row, and ``is_ragged`` (clips have several rows) of every column."""
    return {
        name: dict(
            dtype='str' if column.values.dtype.kind == 'U' else column.values.dtype.name,
            shape=list(column.values.shape[1:]),
            is_ragged=column.offsets is not None,
        )
        for name, column in columns.items()
    }


def merge(parts: PartFolder, folder: Path, file_format: str, info: Mapping[str, Any]) -> dict[str, Any]:
    """Writes the final files, ``features.json`` last, and deletes the parts.

    Args:
        parts: All of them, complete.
        folder: Of the extraction.
        file_format: ``'parquet'`` or ``'npy'``.
        info: What ``features.json`` says beside columns and numbers; ``definitions`` go with the columns.

    Returns:
        The content of ``features.json``.

    Raises:
        ValueError: If all clips are bad, or parts differ in their columns.
    """
    columns, num_rows, bad = _survey(parts)
    _write_bad(folder, bad)
    if not columns:
        raise ValueError(f'none of {parts.num_clips} clips could be read, see {folder / BAD_FILE}')
    definitions = info['definitions']
    described = {name: {**facts, 'what': definitions.get(name, '')} for name, facts in columns.items()}
    rest = {key: value for key, value in info.items() if key != 'definitions'}
    content = dict(format=file_format, num_clips=parts.num_clips, num_rows=num_rows, num_bad=len(bad))
    content |= dict(columns=described, **rest)
    blocks = (block for block, _ in parts.read_all() if block)
    if file_format == 'parquet':
        _write_parquet(blocks, folder / PARQUET_FILE, content)
    else:
        _write_npy(blocks, folder, num_rows, content, _totals(parts))
    write_text(folder / INFO_FILE, json.dumps(content, indent=1, ensure_ascii=False) + '\n')
    parts.remove()
    return content


def _survey(parts: PartFolder) -> tuple[dict[str, dict[str, Any]], int, list[dict[str, Any]]]:
    """Columns, number of rows, and bad clips of all parts."""
    columns: dict[str, dict[str, Any]] = {}
    num_rows, bad = 0, []
    for block, bad_here in parts.read_all():
        bad += [dict(index=index, **about) for index, about in sorted(bad_here.items())]
        if not block:
            continue
        num_rows += len(block['index'].values)
        found = describe_columns(block)
        columns = columns or found
        if found != columns:
            different = sorted(name for name in {*found, *columns} if found.get(name) != columns.get(name))
            first = int(block['index'].values[0])
            raise ValueError(f'clips from number {first} on differ from those before in the columns {different}')
    return columns, num_rows, bad


def _write_bad(folder: Path, bad: Sequence[Mapping[str, Any]]) -> None:
    if bad:
        write_text(folder / BAD_FILE, json.dumps(bad, indent=1, ensure_ascii=False) + '\n')
    else:
        (folder / BAD_FILE).unlink(missing_ok=True)


def _write_parquet(blocks: Iterator[dict[str, Column]], path: Path, content: Mapping[str, Any]) -> None:
    """One row group per part, so that memory stays flat."""
    pa, pq = import_parquet()
    metadata = {METADATA_KEY: json.dumps(content, ensure_ascii=False).encode()}
    with replaced_file(path) as partial, ExitStack() as stack:
        writer = None
        for block in blocks:
            arrays = {name: _to_arrow(pa, column) for name, column in block.items()}
            table = pa.table(arrays).replace_schema_metadata(metadata)
            if writer is None:
                writer = stack.enter_context(pq.ParquetWriter(partial, table.schema))
            writer.write_table(table, row_group_size=max(len(table), 1))


def _to_arrow(pa: ModuleType, column: Column) -> Any:
    """Rows of several values are lists of fixed size, clips of several rows lists of those."""
    values = column.values
    array = pa.array(values.tolist() if values.dtype.kind == 'U' else values.ravel())
    for size in reversed(values.shape[1:]):
        array = pa.FixedSizeListArray.from_arrays(array, size)
    if column.offsets is not None:
        array = pa.LargeListArray.from_arrays(pa.array(column.offsets, pa.int64()), array)
    return array


def _totals(parts: PartFolder) -> dict[str, int]:
    """Rows of all clips together, of every column whose clips have several."""
    totals: dict[str, int] = {}
    for block, _ in parts.read_all():
        for name, column in block.items():
            if column.offsets is not None:
                totals[name] = totals.get(name, 0) + len(column.values)
    return totals


def _write_npy(
    blocks: Iterator[dict[str, Column]],
    folder: Path,
    num_rows: int,
    content: Mapping[str, Any],
    totals: Mapping[str, int],
) -> None:
    """``index.csv`` has what is one number or word per clip; every other column is an array in a file of its own."""
    columns: dict[str, dict[str, Any]] = content['columns']
    listed = [name for name, facts in columns.items() if not facts['shape'] and not facts['is_ragged']]
    arrays = {name: facts for name, facts in columns.items() if name not in listed}
    with ExitStack() as stack:
        index = stack.enter_context(replaced_file(folder / INDEX_FILE))
        lines = stack.enter_context(index.open('w', encoding='utf-8', newline=''))
        table = csv.writer(lines)
        table.writerow(listed)
        maps: dict[str, Any] = {}
        for name, facts in arrays.items():
            shape = (totals.get(name, num_rows), *facts['shape'])
            maps[name] = _open_array(stack, folder / f'{name}.npy', facts['dtype'], shape)
            if facts['is_ragged']:
                file = folder / f'{name}_offsets.npy'
                maps[f'{name}_offsets'] = _open_array(stack, file, 'int64', (num_rows + 1,))
        done, filled = 0, dict.fromkeys(arrays, 0)
        for block in blocks:
            count = len(block['index'].values)
            table.writerows(zip(*(block[name].values.tolist() for name in listed)))
            for name in arrays:
                column, start = block[name], filled[name]
                maps[name][start : start + len(column.values)] = column.values
                if column.offsets is not None:
                    maps[f'{name}_offsets'][done : done + count + 1] = column.offsets + start
                filled[name] += len(column.values)
            done += count
        lines.flush()
        for array in maps.values():
            array.flush()


def _open_array(stack: ExitStack, path: Path, dtype: str, shape: tuple[int, ...]) -> np.memmap:
    partial = stack.enter_context(replaced_file(path))
    return np.lib.format.open_memmap(partial, mode='w+', dtype=np.dtype(dtype), shape=shape)
