"""Reads features that ``tools/extract_features.py`` wrote, all at once or clip by clip."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path, PurePosixPath
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np

from hicmae_mm.datasets.arrays import load_array
from hicmae_mm.datasets.tables import import_parquet
from hicmae_mm.utils.files import read_json_object

FORMATS = ('parquet', 'npy', 'per-clip')
INFO_FILE, INDEX_FILE, PARQUET_FILE = 'features.json', 'index.csv', 'features.parquet'
_FIX = 'extract the features again (extract_features.py --force)'


class Column(NamedTuple):
    """Values of a column for consecutive clips.

    Attributes:
        values: ``(N, ...)``, or the rows of all clips, one clip after the other, if clips have several.
        offsets: ``(N + 1,)`` int64, where the rows of every clip begin; None means one row per clip.
    """

    values: np.ndarray
    offsets: np.ndarray | None = None

    def of_clip(self, clip: int) -> np.ndarray:
        """Returns the value of one clip."""
        return self.values[clip] if self.offsets is None else self.values[self.offsets[clip] : self.offsets[clip + 1]]


def read_info(folder: str | Path) -> dict[str, Any]:
    """Reads ``features.json``: the format, the numbers of clips, all columns, and how the features were made.

    Args:
        folder: Folder that ``tools/extract_features.py`` wrote.

    Returns:
        Its content.

    Raises:
        FileNotFoundError: If the folder has no features, or their extraction has not finished.
        ValueError: If the file is damaged.
    """
    path = Path(folder) / INFO_FILE
    if not path.is_file():
        raise FileNotFoundError(f'{path} does not exist; extract_features.py writes it last: has it finished?')
    content = read_json_object(path, _FIX)
    columns = content.get('columns')
    if content.get('format') not in FORMATS or not isinstance(columns, dict):
        raise ValueError(
            f'{path}: expected the columns, and a format of {FORMATS}, got {content.get("format")!r}; {_FIX}'
        )
    for name, facts in columns.items():
        if not isinstance(facts, dict) or not {'dtype', 'shape', 'is_ragged'} <= set(facts):
            raise ValueError(f'{path}: the column {name!r} must have dtype, shape and is_ragged; {_FIX}')
    return content


def load_features(folder: str | Path, columns: Sequence[str] | None = None) -> dict[str, Any]:
    """Loads features in the order of the annotation list.

    Args:
        folder: Folder that ``tools/extract_features.py`` wrote.
        columns: Names of columns. None means all.

    Returns:
        An array ``(N, ...)`` for each column, or a list of N arrays if clips have several rows (views or time steps).
        Arrays of the npy format are memory-mapped.

    Raises:
        FileNotFoundError: If the folder has no features, or their extraction has not finished.
        ValueError: If a column does not exist.
    """
    info = read_info(folder)
    names = _chosen(folder, info, columns)
    blocks = list(_blocks(Path(folder), info, names))
    found: dict[str, Any] = {}
    for name in names:
        parts = [block[name] for block in blocks]
        if info['columns'][name]['is_ragged']:
            found[name] = [part.of_clip(clip) for part in parts for clip in range(len(part.offsets) - 1)]  # type: ignore[arg-type]
        else:
            found[name] = parts[0].values if len(parts) == 1 else np.concatenate([part.values for part in parts])
    return found


def iterate_features(folder: str | Path, columns: Sequence[str] | None = None) -> Iterator[dict[str, Any]]:
    """Reads one clip after the other, so that the memory does not grow with the number of clips.

    Args:
        folder: Folder that ``tools/extract_features.py`` wrote.
        columns: Names of columns. None means all.

    Yields:
        A dictionary with the values of one clip.

    Raises:
        FileNotFoundError: If the folder has no features, or their extraction has not finished.
        ValueError: If a column does not exist.
    """
    info = read_info(folder)
    names = _chosen(folder, info, columns)
    for block in _blocks(Path(folder), info, names):
        first = block[names[0]]
        count = len(first.values) if first.offsets is None else len(first.offsets) - 1
        for clip in range(count):
            yield {name: block[name].of_clip(clip) for name in names}


def _chosen(folder: str | Path, info: dict[str, Any], columns: Sequence[str] | None) -> list[str]:
    unknown = [name for name in columns or () if name not in info['columns']]
    if unknown or (columns is not None and not columns):
        raise ValueError(f'{folder} has no columns {unknown or "chosen"}; there are {list(info["columns"])}')
    return list(info['columns'] if columns is None else columns)


def _blocks(folder: Path, info: dict[str, Any], names: list[str]) -> Iterator[dict[str, Column]]:
    """Yields columns of consecutive clips."""
    if info['format'] == 'npy':
        yield _npy_columns(folder, info, names)
        return
    if info['format'] == 'per-clip':
        yield _per_clip_columns(folder, info, names)
        return
    pa, pq = import_parquet()
    path = folder / PARQUET_FILE
    try:
        with pq.ParquetFile(path) as file:
            for group in range(file.num_row_groups):
                table = file.read_row_group(group, columns=names)
                yield {name: _from_arrow(pa, table.column(name), info['columns'][name]) for name in names}
    except FileNotFoundError:
        raise FileNotFoundError(f'{path} does not exist; {_FIX}') from None
    except (pa.ArrowException, AttributeError, KeyError, OSError, TypeError, ValueError) as error:
        raise ValueError(f'{path} is damaged, or does not fit {INFO_FILE} ({error}); {_FIX}') from error


def _from_arrow(pa: ModuleType, chunks: Any, facts: dict[str, Any]) -> Column:
    array, offsets = chunks.combine_chunks(), None
    if isinstance(array, pa.ChunkedArray):
        array = array.chunk(0)
    if facts['is_ragged']:
        offsets = array.offsets.to_numpy() - array.offsets[0].as_py()
        array = array.flatten()
    for _ in facts['shape']:
        array = array.flatten()
    values = array.to_numpy(zero_copy_only=False)
    if facts['dtype'] == 'str':
        values = values.astype(str)
    return Column(values.reshape(-1, *facts['shape']), offsets)


def _indexed_columns(
    folder: Path, info: Mapping[str, Any], names: Sequence[str], load: Callable[[str, Sequence[str]], Column]
) -> dict[str, Column]:
    """Reads columns of the index file itself, and others by a function of their name and the names of all clips."""
    path = folder / INDEX_FILE
    with path.open(encoding='utf-8', newline='') as file:
        lines = list(csv.reader(file))
    if not lines or any(len(line) != len(lines[0]) for line in lines):
        raise ValueError(f'{path} has no header, or lines of different lengths; {_FIX}')
    index = dict(zip(lines[0], zip(*lines[1:])))
    found = {}
    for name in names:
        kind = info['columns'][name]['dtype']
        try:
            found[name] = (
                Column(np.array(index[name]).astype(str if kind == 'str' else kind))
                if name in index
                else load(name, index.get('sample_id', ()))
            )
        except FileNotFoundError as error:
            raise FileNotFoundError(
                f'{error.filename} does not exist, but {folder / INFO_FILE} lists it; {_FIX}'
            ) from None
        except (TypeError, ValueError, EOFError) as error:
            raise ValueError(f'{folder}: the column {name!r} cannot be read ({error}); {_FIX}') from error
        offsets = found[name].offsets
        count = len(found[name].values) if offsets is None else len(offsets) - 1
        if count != len(lines) - 1:
            raise ValueError(f'{folder}: {name!r} is of {count} clips, {INDEX_FILE} of {len(lines) - 1}; {_FIX}')
    return found


def _npy_columns(folder: Path, info: dict[str, Any], names: list[str]) -> dict[str, Column]:
    def load(name: str, sample_ids: Sequence[str]) -> Column:  # noqa: ARG001
        values = np.load(folder / f'{name}.npy', mmap_mode='r' if info['num_rows'] else None)
        is_ragged = info['columns'][name]['is_ragged']
        return Column(values, load_array(folder / f'{name}_offsets.npy') if is_ragged else None)

    return _indexed_columns(folder, info, names, load)


def feature_folder(name: str, is_ragged: bool) -> str:
    """Returns the folder of a feature: ``-UTT`` for one row per clip, ``-FRA`` for several (as in MERTools)."""
    return f'{name}-{"FRA" if is_ragged else "UTT"}'


def clip_file(sample_id: str) -> PurePosixPath:
    """Returns the path of a clip below the folder of a feature: its path in the list with the suffix ``.npy``."""
    path = PurePosixPath(sample_id)
    if path.is_absolute() or '..' in path.parts:
        path = PurePosixPath(path.name)
    return path.with_name(f'{path.stem}.npy')


def _per_clip_columns(folder: Path, info: Mapping[str, Any], names: Sequence[str]) -> dict[str, Column]:
    """Reads the columns of all clips, in the order of the list."""

    def load(name: str, sample_ids: Sequence[str]) -> Column:
        is_ragged = info['columns'][name]['is_ragged']
        path = folder / feature_folder(name, is_ragged)
        values = [load_array(path / clip_file(sample_id)) for sample_id in sample_ids]
        if is_ragged:
            return Column(np.concatenate(values), np.cumsum([0, *map(len, values)]))
        return Column(np.stack(values))

    return _indexed_columns(folder, info, names, load)


class StoredFeature:
    """Looks up one column of a folder of features by the names of the clips.

    Args:
        folder: That ``tools/extract_features.py`` wrote.
        column: Name of the column; None takes the only column of features.

    Raises:
        FileNotFoundError: If the folder has no features, or their extraction has not finished.
        ValueError: If there is no such column, the folder has several, or two clips have one name.
    """

    def __init__(self, folder: str | Path, column: str | None = None) -> None:
        info = read_info(folder)
        features = [name for name, facts in info['columns'].items() if facts['shape'] and not _is_about_clip(name)]
        if column is None and len(features) != 1:
            raise ValueError(f'{folder} has the features {features}; name one of them as column')
        self.column = features[0] if column is None else column
        loaded = load_features(folder, ['sample_id', self.column])
        names = [str(name) for name in loaded['sample_id']]
        self._places = {name: place for place, name in enumerate(names)}
        if len(self._places) < len(names):
            twice = next(name for place, name in enumerate(names) if self._places[name] != place)
            raise ValueError(
                f'{folder}: two clips have the name {twice!r}, so a clip cannot be found by its name; name every clip '
                'of the list once, and extract again'
            )
        self._values = loaded[self.column]

    def of(self, sample_id: str) -> np.ndarray | None:
        """Reads the feature of a clip; None if the folder does not have the clip."""
        place = self._places.get(sample_id)
        return None if place is None else self._values[place]


@lru_cache(maxsize=16)
def open_stored_feature(folder: str, column: str | None) -> StoredFeature:
    """Opens a column of features once per process; see :class:`StoredFeature`."""
    return StoredFeature(folder, column)


def _is_about_clip(name: str) -> bool:
    return name.startswith(('gt_', 'pred_')) or name.endswith('_seconds')
