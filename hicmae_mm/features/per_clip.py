"""Write one file for each clip and feature, as MERTools and other programs of the field read them."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from hicmae_mm.datasets.stored_features import INDEX_FILE, Column, clip_file, feature_folder
from hicmae_mm.utils.files import replaced_file


def write_per_clip(
    blocks: Iterator[Mapping[str, Column]], folder: Path, columns: Mapping[str, Mapping[str, Any]]
) -> None:
    """Writes ``FEATURE-UTT/CLIP.npy`` or ``FEATURE-FRA/CLIP.npy``, and ``index.csv`` with words and single numbers.

    Args:
        blocks: Columns of consecutive clips.
        folder: Folder of the extraction. Folders of the same features from an earlier extraction are removed.
        columns: ``shape`` and ``is_ragged`` by column.

    Raises:
        ValueError: If the files of two clips would have the same name.
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
                    raise ValueError(f'clips {clips} would both be {file}: rename one, or use --layout table')
                owners[file] = sample_id
                for name, path in folders.items():
                    (path / file).parent.mkdir(parents=True, exist_ok=True)
                    np.save(path / file, block[name].of_clip(clip))
