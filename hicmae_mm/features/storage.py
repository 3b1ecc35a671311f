"""Merge parts into final files: one Parquet file, one memory-mappable array for each column, or files for each clip."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from hicmae_mm.datasets.stored_features import INDEX_FILE, INFO_FILE, PARQUET_FILE, Column
from hicmae_mm.datasets.tables import import_parquet
from hicmae_mm.features.parts import BAD_FILE, PartFolder
from hicmae_mm.features.per_clip import write_per_clip
from hicmae_mm.utils.files import replaced_file, write_text

FORMATS = ('parquet', 'npy', 'per-clip')
METADATA_KEY = b'hicmae_mm'


def merge(parts: PartFolder, folder: Path, file_format: str, info: Mapping[str, Any]) -> dict[str, Any]:
    """Writes the final files, with ``features.json`` as the last one, and deletes the parts.

    Args:
        parts: The parts, which must be complete.
        folder: Folder of the extraction.
        file_format: ``'parquet'``, ``'npy'`` or ``'per-clip'``.
        info: Content of ``features.json`` in addition to columns and numbers. Its ``definitions`` are added to the
            columns.

    Returns:
        The content of ``features.json``.

    Raises:
        ValueError: If no clip could be read, parts have different columns, or two clips would have the same file.
    """
    found = _survey(parts)
    _write_bad(folder, found.bad)
    if not found.columns:
        raise ValueError(f'none of {parts.num_clips} clips has features, see {folder / BAD_FILE}')
    definitions = info['definitions']
    described = {name: {**facts, 'what': definitions.get(name, '')} for name, facts in found.columns.items()}
    rest = {key: value for key, value in info.items() if key != 'definitions'}
    content = dict(format=file_format, num_clips=parts.num_clips, num_rows=found.num_rows, num_bad=len(found.bad))
    content |= dict(columns=described, **rest)
    if file_format == 'parquet':
        _write_parquet(parts.blocks(), folder / PARQUET_FILE, content)
    elif file_format == 'per-clip':
        write_per_clip(parts.blocks(), folder, found.columns)
    else:
        _write_npy(parts.blocks(), folder, found)
    write_text(folder / INFO_FILE, json.dumps(content, indent=1, ensure_ascii=False) + '\n')
    parts.remove()
    return content


@dataclass
class _Survey:
    """Stores information about all parts together."""

    columns: dict[str, dict[str, Any]] = field(default_factory=dict)
    totals: Counter[str] = field(default_factory=Counter)
    num_rows: int = 0
    bad: list[dict[str, Any]] = field(default_factory=list)


def _survey(parts: PartFolder) -> _Survey:
    found = _Survey()
    for part in parts.summaries():
        found.bad += [dict(index=index, **about) for index, about in sorted(part.bad.items())]
        found.num_rows += len(part.indices)
        found.totals.update(part.totals)
        known = found.columns = found.columns or part.columns
        if part.columns and part.columns != known:
            different = sorted(name for name in {*part.columns, *known} if part.columns.get(name) != known.get(name))
            raise ValueError(f'clips from number {part.indices[0]} on differ from those before in {different}')
    return found


def _write_bad(folder: Path, bad: Sequence[Mapping[str, Any]]) -> None:
    if bad:
        write_text(folder / BAD_FILE, json.dumps(bad, indent=1, ensure_ascii=False) + '\n')
    else:
        (folder / BAD_FILE).unlink(missing_ok=True)


def _write_parquet(blocks: Iterator[dict[str, Column]], path: Path, content: Mapping[str, Any]) -> None:
    """Writes one row group for each part, so that the memory does not grow with the number of clips."""
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
    """Converts a row of several values to a list of fixed size, and a clip of several rows to a list of such lists."""
    values = column.values
    array = pa.array(values.tolist() if values.dtype.kind == 'U' else values.ravel())
    for size in reversed(values.shape[1:]):
        array = pa.FixedSizeListArray.from_arrays(array, size)
    if column.offsets is not None:
        array = pa.LargeListArray.from_arrays(pa.array(column.offsets, pa.int64()), array)
    return array


def _write_npy(blocks: Iterator[dict[str, Column]], folder: Path, survey: _Survey) -> None:
    """Writes columns with one number or word for each clip to ``index.csv``, and other columns to one file each."""
    listed = [name for name, facts in survey.columns.items() if not facts['shape'] and not facts['is_ragged']]
    arrays = {name: facts for name, facts in survey.columns.items() if name not in listed}
    with ExitStack() as stack:
        index = stack.enter_context(replaced_file(folder / INDEX_FILE))
        lines = stack.enter_context(index.open('w', encoding='utf-8', newline=''))
        table = csv.writer(lines)
        table.writerow(listed)
        maps: dict[str, Any] = {}
        for name, facts in arrays.items():
            shape = (survey.totals[name], *facts['shape'])
            maps[name] = _open_array(stack, folder / f'{name}.npy', facts['dtype'], shape)
            if facts['is_ragged']:
                file = folder / f'{name}_offsets.npy'
                maps[f'{name}_offsets'] = _open_array(stack, file, 'int64', (survey.num_rows + 1,))
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
