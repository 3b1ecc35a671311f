"""Store an extraction in parts: files of consecutive clips, each written completely or not at all.

The number of a part determines its clips, independently of the rank that makes it. The files in the folder show which
parts are missing. So a run that was killed can continue with any number of ranks.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from hicmae_mm.datasets.stored_features import INDEX_FILE, INFO_FILE, PARQUET_FILE, Column
from hicmae_mm.utils.files import read_json_object, write_text

PARTS_FOLDER, SETTINGS_FILE, BAD_FILE = 'parts', 'settings.json', 'bad_clips.json'
OUTPUTS = (INFO_FILE, BAD_FILE, PARQUET_FILE, INDEX_FILE)
MADE_BY = 'extract_features'
_OFFSETS = '__offsets'  # ending of the names of arrays with the first row of each clip
_ABOUT = '__about'


def make_columns(rows: Sequence[Mapping[str, Any]], ragged: frozenset[str], float_type: str) -> dict[str, Column]:
    """Converts rows to columns.

    Args:
        rows: One row for each clip. All rows must have the same keys.
        ragged: Names of columns in which the number of rows differs between clips.
        float_type: Type of the stored features, ``'float32'`` or ``'float16'``.

    Returns:
        Columns by name.

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
    """Describes columns.

    Args:
        columns: Columns by name.

    Returns:
        ``dtype``, ``shape`` of a row, and ``is_ragged`` (whether clips have several rows) by column.
    """
    return {
        name: dict(
            dtype='str' if column.values.dtype.kind == 'U' else column.values.dtype.name,
            shape=list(column.values.shape[1:]),
            is_ragged=column.offsets is not None,
        )
        for name, column in columns.items()
    }


class PartSummary(NamedTuple):
    """Stores information about a part that can be read without its features.

    Attributes:
        indices: Numbers of the clips that have a row.
        bad: Reasons why the other clips have none, by number.
        columns: See :func:`describe_columns`. It is empty if no clip has a row.
        totals: Number of rows of all clips together, by column.
    """

    indices: list[int]
    bad: dict[int, dict[str, str]]
    columns: dict[str, dict[str, Any]]
    totals: dict[str, int]


class PartFolder:
    """Reads and writes the parts of an extraction.

    Args:
        folder: Folder of the extraction. The parts are in a folder inside of it.
        num_clips: Number N of clips in the whole list.
        part_size: Number of clips in a part.
    """

    def __init__(self, folder: Path, num_clips: int, part_size: int) -> None:
        self.folder = folder / PARTS_FOLDER
        self.num_clips, self.part_size = num_clips, part_size
        self.num_parts = -(-num_clips // part_size)

    def clips(self, number: int) -> range:
        """Lists the clips of a part.

        Args:
            number: Number of the part.

        Returns:
            Numbers of the clips.
        """
        return range(number * self.part_size, min((number + 1) * self.part_size, self.num_clips))

    def path(self, number: int) -> Path:
        """Names the file of a part.

        Args:
            number: Number of the part.

        Returns:
            Its path.
        """
        return self.folder / f'part-{number:07d}.npz'

    def missing(self) -> list[int]:
        """Lists the parts that do not exist.

        Returns:
            Their numbers.
        """
        there = {path.name for path in self.folder.glob('part-*.npz')}
        return [number for number in range(self.num_parts) if self.path(number).name not in there]

    def write(self, number: int, columns: Mapping[str, Column], bad: Mapping[int, dict[str, str]]) -> None:
        """Writes a part completely or not at all.

        Args:
            number: Number of the part.
            columns: Columns of the good clips.
            bad: Reasons for the other clips, by number.
        """
        arrays: dict[str, Any] = {name: column.values for name, column in columns.items()}
        arrays |= {name + _OFFSETS: column.offsets for name, column in columns.items() if column.offsets is not None}
        indices = columns['index'].values.tolist() if columns else []
        totals = {name: len(column.values) for name, column in columns.items()}
        arrays[_ABOUT] = np.array(json.dumps(PartSummary(indices, dict(bad), describe_columns(columns), totals)))
        self.folder.mkdir(parents=True, exist_ok=True)
        # the name has the process id, so that a process of an earlier run cannot write to the same file
        partial = self.path(number).with_suffix(f'.{os.getpid()}.partial')
        with partial.open('wb') as file:
            np.savez(file, **arrays)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(self.path(number))

    def summaries(self) -> Iterator[PartSummary]:
        """Reads the information about each part, without its features.

        Yields:
            The information.

        Raises:
            ValueError: If a part does not have its clips.
        """
        for number in range(self.num_parts):
            with np.load(self.path(number)) as arrays:
                found = PartSummary(*json.loads(str(arrays[_ABOUT])))
            summary = found._replace(bad={int(index): about for index, about in found.bad.items()})
            if sorted([*summary.indices, *summary.bad]) != list(self.clips(number)):
                raise ValueError(f'{self.path(number)} does not have the expected clips; delete it and run again')
            yield summary

    def blocks(self) -> Iterator[dict[str, Column]]:
        """Reads the columns of one part after the other. Parts without a good clip are skipped.

        Yields:
            Columns by name.
        """
        for number in range(self.num_parts):
            with np.load(self.path(number)) as arrays:
                content = dict(arrays)
            content.pop(_ABOUT)
            names = [name for name in content if not name.endswith(_OFFSETS)]
            if names:
                yield {name: Column(content[name], content.get(name + _OFFSETS)) for name in names}

    def remove(self) -> None:
        """Deletes all parts, and incomplete files of processes that were killed."""
        if self.folder.is_dir():
            for path in self.folder.iterdir():
                path.unlink(missing_ok=True)
            self.folder.rmdir()


def claim(folder: Path, settings: Mapping[str, Any], force: bool) -> bool:
    """Prepares a folder for features of these settings.

    Args:
        folder: The folder.
        settings: The settings.
        force: Whether to delete features that are already there.

    Returns:
        Whether the extraction is already complete.

    Raises:
        ValueError: If the folder has features of other settings, or other files.
    """
    path, wanted = folder / SETTINGS_FILE, json.loads(json.dumps(settings))
    found = read_json_object(path) if path.exists() else {}
    is_own = found.get('made_by') == MADE_BY
    if is_own and force:
        PartFolder(folder, 0, 1).remove()
        # the settings are deleted last, because they show another run that the folder belongs to an extraction
        for file in [folder / name for name in OUTPUTS] + sorted(folder.rglob('*.npy')) + [path]:
            file.unlink(missing_ok=True)
    elif is_own:
        different = [key for key in dict.fromkeys([*found, *wanted]) if found.get(key) != wanted.get(key)]
        if different:
            changes = ', '.join(f'{key}: {found.get(key)} there, {wanted.get(key)} requested' for key in different)
            raise ValueError(f'{folder} has features of other settings ({changes}); choose another folder, or --force')
        return (folder / INFO_FILE).exists()
    elif any(not file.name.startswith('.') for file in folder.iterdir()):
        raise ValueError(f'{folder} is not empty, and has no features; choose another folder')
    write_text(path, json.dumps(wanted, indent=1) + '\n')
    return False
