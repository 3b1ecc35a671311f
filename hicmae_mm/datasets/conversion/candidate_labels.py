"""Draws candidate labels at random, to study training on noisy partial labels."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hicmae_mm.datasets.labels import LabelParser
from hicmae_mm.datasets.tables import is_table, read_table
from hicmae_mm.datasets.text_files import read_rows, shown

TRUE_LABEL = 'true_label'


@dataclass(frozen=True)
class CandidateRates:
    """States how candidates are drawn.

    Attributes:
        partial: Probability of every other class to be a candidate.
        noise: Probability that a class drawn evenly from the others stands in the place of the true one, which is then
            no candidate.

    Raises:
        ValueError: If a rate is outside of 0..1, or exactly 1.
    """

    partial: float
    noise: float

    def __post_init__(self) -> None:
        for name, rate in (('partial', self.partial), ('noise', self.noise)):
            if not 0 <= rate < 1:
                raise ValueError(f'the {name} rate must lie in 0..1, 1 excluded, got {rate}')


def draw_candidates(labels: Sequence[int], num_classes: int, rates: CandidateRates, seed: int = 0) -> np.ndarray:
    """Draws candidates of clips. The same arguments give the same candidates.

    Args:
        labels: Class of each of N clips.
        num_classes: Number of classes C, at least 2.
        rates: Rates of other and of wrong candidates.
        seed: Seed of the random numbers.

    Returns:
        ``(N, C)`` bool; every row has a candidate.

    Raises:
        ValueError: If there are fewer than two classes.
    """
    if num_classes < 2:
        raise ValueError(f'candidates need at least 2 classes, got {num_classes}')
    rng = np.random.default_rng(seed)
    true = np.asarray(labels)
    others = (true + rng.integers(1, num_classes, len(true))) % num_classes  # evenly one of the other classes
    given = np.where(rng.random(len(true)) < rates.noise, others, true)
    candidates = rng.random((len(true), num_classes)) < rates.partial
    rows = np.arange(len(true))
    candidates[rows, true] = False
    candidates[rows, given] = True
    return candidates


def with_candidates(
    path: Path, labels: LabelParser, rates: CandidateRates, seed: int = 0
) -> tuple[list[dict[str, Any]], np.ndarray]:
    """Reads a list of clips with a class each, and draws candidates for all of them.

    Args:
        path: List ``video audio label``, or a table with the column ``label``.
        labels: Parser of the classes.
        rates: How candidates are drawn.
        seed: Seed of the random numbers.

    Returns:
        Rows of a table with the candidates as ``label`` and the class as ``true_label``, and which classes are
        candidates, ``(N, C)``.

    Raises:
        ValueError: If the list is empty, or a clip has no class.
    """
    rows, classes = [], []
    for position, row in _rows(path):
        try:
            parsed = labels.parse([row.get('label')])
            if set(parsed) != {'gt_label'}:
                raise ValueError(f'label {shown(row.get("label"))} is more than one class')
        except ValueError as error:
            raise ValueError(f'{path}, {position}: {error}') from error
        classes.append(parsed['gt_label'])
        cells = {name: ' '.join(map(str, cell)) if isinstance(cell, list) else cell for name, cell in row.items()}
        rows.append(cells | {TRUE_LABEL: row['label']})
    if not rows:
        raise ValueError(f'{path} lists no clips')
    candidates = draw_candidates(classes, labels.num_classes or 0, rates, seed)
    names = labels.classes or tuple(map(str, range(labels.num_classes or 0)))
    for row, chosen in zip(rows, candidates, strict=True):
        row['label'] = '|'.join(names[index] for index in np.flatnonzero(chosen).tolist())
    return rows, candidates


def _rows(path: Path) -> Iterable[tuple[str, dict[str, Any]]]:
    """Yields the position and the columns of every clip of a list."""
    if is_table(path):
        yield from read_table(path)
        return
    for number, fields in read_rows(path):
        if len(fields) < 3:
            raise ValueError(f"{path}, line {number}: expected 'video audio label', got {len(fields)} columns")
        row: dict[str, Any] = dict(video=fields[0], audio=fields[1], label=fields[2])
        yield f'line {number}', row | (dict(values=' '.join(fields[3:])) if fields[3:] else {})
