"""One file per clip and feature, as MERTools and other programs of the field read them."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from hicmae_mm.features.parts import Column
from hicmae_mm.utils.files import replaced_file

INDEX_FILE = 'index.csv'


def feature_folder(name: str, is_ragged: bool) -> str:
    """Name of a feature's folder: ``-UTT`` for one row per clip, ``-FRA`` for several (MERTools' endings)."""
    return f'{name}-{"FRA" if is_ragged else "UTT"}'


def clip_file(sample_id: str) -> PurePosixPath:
    """Where the files of a clip lie below a feature's folder: its path in the list with ``.npy`` for its ending."""
    path = PurePosixPath(sample_id)
    if path.is_absolute() or '..' in path.parts:
        path = PurePosixPath(path.name)
    return path.with_name(f'{path.stem}.npy')


def write_per_clip(
    blocks: Iterator[Mapping[str, Column]], folder: Path, columns: Mapping[str, Mapping[str, Any]]
) -> None:
    """Writes ``FEATURE-UTT/CLIP.npy`` or ``FEATURE-FRA/CLIP.npy``, and ``index.csv`` of words and numbers.

    Args:
        blocks: Columns of consecutive clips.
        folder: Of the extraction. What an earlier one left in the features' folders is removed.
        columns: By name, ``shape`` and ``is_ragged``.

    Raises:
        ValueError: Two clips whose files would have one name.
    """
    listed = [name for name, facts in columns.items() if not facts['shape'] and not facts['is_ragged']]
    folders = {
        name: folder / feature_folder(name, facts['is_ragged']) for name, facts in columns.items() if name not in listed
    }
    for path in folders.values():
        shutil.rmtree(path, ignore_errors=True)
    owners: dict[PurePosixPath, str] = {}
    with (
        replaced_file(folder / INDEX_FILE) as partial,
        partial.open('w', encoding='utf-8', newline='') as lines,
    ):
        table = csv.writer(lines)
        table.writerow(listed)
        for block in blocks:
            table.writerows(zip(*(block[name].values.tolist() for name in listed)))
            for clip, sample_id in enumerate(block['sample_id'].values.tolist()):
                file = clip_file(sample_id)
                if file in owners:
                    clips = f'{owners[file]!r} and {sample_id!r}'
                    raise ValueError(f'clips {clips} would both be {file}: rename one, or take --layout table')
                owners[file] = sample_id
                for name, path in folders.items():
                    (path / file).parent.mkdir(parents=True, exist_ok=True)
                    np.save(path / file, block[name].of_clip(clip))


def read_per_clip(folder: Path, info: Mapping[str, Any], names: Sequence[str]) -> dict[str, Column]:
    """Columns of all clips, in the order of the list."""
    with (folder / INDEX_FILE).open(encoding='utf-8', newline='') as file:
        lines = list(csv.reader(file))
    index = dict(zip(lines[0], zip(*lines[1:])))
    found = {}
    for name in names:
        facts = info['columns'][name]
        if name in index:
            found[name] = Column(np.array(index[name]).astype(str if facts['dtype'] == 'str' else facts['dtype']))
            continue
        path = folder / feature_folder(name, facts['is_ragged'])
        values = [np.load(path / clip_file(sample_id)) for sample_id in index['sample_id']]
        if facts['is_ragged']:
            offsets = np.cumsum([0, *map(len, values)])
            found[name] = Column(np.concatenate(values), offsets)
        else:
            found[name] = Column(np.stack(values))
    return found
