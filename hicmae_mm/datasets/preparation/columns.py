"""Do the columns of a table hold the other streams that a training will ask for: features and words?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.fileio import join_path

from hicmae_mm.datasets.errors import MediaError
from hicmae_mm.datasets.transforms.features import load_feature_file

Problem = tuple[str, str, str]  # kind, stream, what is wrong in words
_TEXT_COLUMNS = ('text', 'transcript')


def check_columns(rows: Sequence[Mapping[str, Any]], data_root: str) -> list[list[Problem]]:
    """Checks columns of features and words.

    A column is of features if one of its cells names a ``.npy`` file. The features of a column must have one width,
    that of most clips. ``text`` and ``transcript`` are columns of words.

    Args:
        rows: The columns of every clip.
        data_root: Folder that paths start from.

    Returns:
        The problems of every row. A row without the stream is no problem if the cell is empty: then the clip lacks it.
    """
    names = dict.fromkeys(name for row in rows for name in row)
    problems: list[list[Problem]] = [[] for _ in rows]
    for name in names:
        cells = [row.get(name) for row in rows]
        if any(_is_feature(cell) for cell in cells):
            found = _check_features(cells, data_root)
        elif name in _TEXT_COLUMNS:
            found = [_check_words(cell) for cell in cells]
        else:
            continue
        for of_clip, problem in zip(problems, found, strict=True):
            of_clip += [] if problem is None else [(problem[0], name, problem[1])]
    return problems


def _is_feature(cell: Any) -> bool:
    return isinstance(cell, str) and cell.lower().endswith('.npy')


def _check_words(cell: Any) -> tuple[str, str] | None:
    if cell is None or cell == '':
        return None
    if not isinstance(cell, str):
        return 'broken', f'expected words, got {type(cell).__name__}'
    return None if cell.strip() else ('silent', 'the words are white space only; leave the cell empty')


def _check_features(cells: Sequence[Any], data_root: str) -> list[tuple[str, str] | None]:
    found: list[tuple[str, str] | None] = [None] * len(cells)
    widths: dict[int, int] = {}
    for row, cell in enumerate(cells):
        if cell is None or cell == '':
            continue
        try:
            widths[row] = _width(Path(join_path(data_root, str(cell))))
        except FileNotFoundError as error:
            found[row] = 'missing', str(error)
        except MediaError as error:
            found[row] = 'broken', str(error)
    usual = Counter(widths.values()).most_common(1)
    for row, width in widths.items():
        if width != usual[0][0]:
            found[row] = 'mismatched', f'{cells[row]} has vectors of length {width}, {usual[0][1]} others {usual[0][0]}'
    return found


def _width(path: Path) -> int:
    feature = load_feature_file(path)
    if feature.ndim not in (1, 2) or not feature.size or feature.dtype.kind not in 'fiu':
        raise MediaError(f'{path}: expected numbers (D,) or (T, D), got {feature.dtype} {feature.shape}')
    if not np.isfinite(feature).all():
        raise MediaError(f'{path}: the feature has values that are not finite; extract it again')
    return int(feature.shape[-1])
