"""Parts of an extraction: files of consecutive clips, each written whole, whichever rank has made it.

Which clips a part has follows from its number alone. What is missing is found by looking at the folder, so a run that
was killed goes on with any number of ranks.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from hicmae_mm.datasets.stored_features import INDEX_FILE, INFO_FILE, PARQUET_FILE, Column
from hicmae_mm.utils.files import write_text

PARTS_FOLDER, SETTINGS_FILE, BAD_FILE = 'parts', 'settings.json', 'bad_clips.json'
OUTPUTS = (INFO_FILE, BAD_FILE, PARQUET_FILE, INDEX_FILE)
MADE_BY = 'extract_features'
_OFFSETS = '__offsets'  # ending of the arrays that say where the rows of a clip begin
_ABOUT = '__about'


def make_columns(rows: Sequence[Mapping[str, Any]], ragged: frozenset[str], float_type: str) -> dict[str, Column]:
    """Turns rows into columns.

    Args:
        rows: Of clips, with equal keys.
        ragged: Columns whose rows per clip differ in number.
        float_type: In which features are kept, ``'float32'`` or ``'float16'``.

    Raises:
        ValueError: If the rows differ in their keys.
    """
    columns = {}
    for row in rows:
        if row.keys() != rows[0].keys():
            different = sorted(set(row) ^ set(rows[0]))
            raise ValueError(f'clip {row["sample_id"]!r} and {rows[0]["sample_id"]!r} differ in {different}')
    for name in rows[0] if rows else ():
        values = [np.asarray(row[name]) for row in rows]
        if name in ragged:
            offsets = np.cumsum([0, *map(len, values)])
            columns[name] = Column(_stored(np.concatenate(values), name, float_type), offsets)
        else:
            columns[name] = Column(_stored(np.stack(values), name, float_type))
    return columns


def _stored(values: np.ndarray, name: str, float_type: str) -> np.ndarray:
    is_feature = values.ndim > 1 and not name.startswith(('gt_', 'pred_')) and not name.endswith('_seconds')
    return values.astype(float_type) if is_feature and values.dtype.kind == 'f' else values


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


class PartSummary(NamedTuple):
    """What is known of a part without reading its features.

    Attributes:
        indices: Numbers of the clips that have a row.
        bad: Why each of the others has none.
        columns: See :func:`describe_columns`; empty if no clip has a row.
        totals: Rows of every column, of all clips together.
    """

    indices: list[int]
    bad: dict[int, dict[str, str]]
    columns: dict[str, dict[str, Any]]
    totals: dict[str, int]


class PartFolder:
    """The parts of an extraction.

    Args:
        folder: Of the extraction; parts lie in a folder below it.
        num_clips: N, of the whole list.
        part_size: Clips of a part.
    """

    def __init__(self, folder: Path, num_clips: int, part_size: int) -> None:
        self.folder = folder / PARTS_FOLDER
        self.num_clips, self.part_size = num_clips, part_size
        self.num_parts = -(-num_clips // part_size)

    def clips(self, number: int) -> range:
        """Numbers of the clips of a part."""
        return range(number * self.part_size, min((number + 1) * self.part_size, self.num_clips))

    def path(self, number: int) -> Path:
        """File of a part."""
        return self.folder / f'part-{number:07d}.npz'

    def missing(self) -> list[int]:
        """Numbers of the parts that are not there."""
        there = {path.name for path in self.folder.glob('part-*.npz')}
        return [number for number in range(self.num_parts) if self.path(number).name not in there]

    def write(self, number: int, columns: Mapping[str, Column], bad: Mapping[int, dict[str, str]]) -> None:
        """Writes a part, whole or not at all."""
        arrays: dict[str, Any] = {name: column.values for name, column in columns.items()}
        arrays |= {name + _OFFSETS: column.offsets for name, column in columns.items() if column.offsets is not None}
        indices = columns['index'].values.tolist() if columns else []
        totals = {name: len(column.values) for name, column in columns.items()}
        arrays[_ABOUT] = np.array(json.dumps(PartSummary(indices, dict(bad), describe_columns(columns), totals)))
        self.folder.mkdir(parents=True, exist_ok=True)
        # named after this process, lest one that outlived the run before writes to the same file
        partial = self.path(number).with_suffix(f'.{os.getpid()}.partial')
        with partial.open('wb') as file:
            np.savez(file, **arrays)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(self.path(number))

    def summaries(self) -> Iterator[PartSummary]:
        """Says of part after part what is in it, and reads no features for it.

        Raises:
            ValueError: If the clips of a part are not those that it should have.
        """
        for number in range(self.num_parts):
            with np.load(self.path(number)) as arrays:
                found = PartSummary(*json.loads(str(arrays[_ABOUT])))
            summary = found._replace(bad={int(index): about for index, about in found.bad.items()})
            if sorted([*summary.indices, *summary.bad]) != list(self.clips(number)):
                raise ValueError(f'{self.path(number)} does not have the clips it should have; delete it and run again')
            yield summary

    def blocks(self) -> Iterator[dict[str, Column]]:
        """Reads the columns of part after part, but those without a good clip."""
        for number in range(self.num_parts):
            with np.load(self.path(number)) as arrays:
                content = dict(arrays)
            content.pop(_ABOUT)
            names = [name for name in content if not name.endswith(_OFFSETS)]
            if names:
                yield {name: Column(content[name], content.get(name + _OFFSETS)) for name in names}

    def remove(self) -> None:
        """Deletes all parts, and what processes that died left of others."""
        if self.folder.is_dir():
            for path in self.folder.iterdir():
                path.unlink(missing_ok=True)
            self.folder.rmdir()


def claim(folder: Path, settings: Mapping[str, Any], force: bool) -> bool:
    """Makes a folder one of these settings.

    Returns:
        Whether it is complete already.

    Raises:
        ValueError: If it holds features of other settings, or something else.
    """
    path, wanted = folder / SETTINGS_FILE, json.loads(json.dumps(settings))
    found = json.loads(path.read_text(encoding='utf-8')) if path.exists() else {}
    is_own = found.get('made_by') == MADE_BY
    if is_own and force:
        PartFolder(folder, 0, 1).remove()
        # settings last: as long as they are there, another try knows that the folder is its own
        for file in [folder / name for name in OUTPUTS] + sorted(folder.glob('*.npy')) + [path]:
            file.unlink(missing_ok=True)
    elif is_own:
        different = [key for key in dict.fromkeys([*found, *wanted]) if found.get(key) != wanted.get(key)]
        if different:
            changes = ', '.join(f'{key}: {found.get(key)} there, {wanted.get(key)} asked for' for key in different)
            raise ValueError(f'{folder} has features of other settings ({changes}); choose another folder, or --force')
        return (folder / INFO_FILE).exists()
    elif any(not file.name.startswith('.') for file in folder.iterdir()):
        raise ValueError(f'{folder} is not empty, and holds no features; choose another folder')
    write_text(path, json.dumps(wanted, indent=1) + '\n')
    return False
