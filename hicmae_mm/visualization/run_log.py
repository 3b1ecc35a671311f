"""Reading what a run logged: MMEngine's JSON lines, of one file or of a whole work folder."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from hicmae_mm.utils.files import read_regular

_POSITIONS = {'epoch', 'iter', 'step'}
_MOST_BYTES = 1 << 30
_BOOKKEEPING = {'epoch', 'iter', 'step', 'time', 'data_time', 'memory', 'base_lr'}


@dataclass
class RunLog:
    """Reads the log of one run.

    Attributes:
        name: Name of the run, for legends.
        train: One dict per logged training iteration, with ``iter`` and usually ``epoch``.
        val: One dict per validation, with ``step``: the epoch, or the iteration of runs that count those.
    """

    name: str
    train: list[dict[str, Any]] = field(default_factory=list)
    val: list[dict[str, Any]] = field(default_factory=list)

    @property
    def counts_epochs(self) -> bool:
        """Returns whether training lines name their epoch."""
        return bool(self.train) and 'epoch' in self.train[0]

    @property
    def keys(self) -> list[str]:
        """Returns the names that can be drawn, those of the training first."""
        return list(dict.fromkeys(key for line in (*self.train, *self.val) for key in line if key != 'step'))

    @property
    def val_keys(self) -> list[str]:
        """Measures of validation."""
        return list(dict.fromkeys(key for line in self.val for key in line if key not in _BOOKKEEPING))

    def iters_per_epoch(self) -> float:
        """Iterations of an epoch, from lines at the same place of two epochs; a lower bound if there is one epoch."""
        firsts: dict[int, int] = {}
        lines = [line for line in self.train if line.get('epoch')]
        for line in lines:
            firsts[line['epoch']] = min(line['iter'], firsts.get(line['epoch'], line['iter']))
        epochs = sorted(firsts)
        gaps = [firsts[b] - firsts[a] for a, b in pairwise(epochs) if b == a + 1]
        longest = max((line['iter'] / line['epoch'] for line in lines), default=1.0)
        return max(float(np.median(gaps)) if gaps else longest, longest)

    def series(self, key: str) -> tuple[np.ndarray, np.ndarray]:
        """Positions and values of a key; positions are epochs if the run counts them, else iterations.

        Raises:
            ValueError: If nothing was logged under that name; what was is listed.
        """
        lines = [line for line in self.train if key in line]
        if lines:
            length = self.iters_per_epoch() if self.counts_epochs else 1.0
            return np.array([line['iter'] / length for line in lines]), _values(lines, key)
        lines = [line for line in self.val if key in line]
        if not lines:
            raise ValueError(f'{self.name} has no key {key!r}; it has {", ".join(self.keys) or "no line at all"}')
        return np.array([line['step'] for line in lines], dtype=float), _values(lines, key)


def read_run_log(path: str | Path) -> RunLog:
    """Reads a JSON log, or a work folder with the logs of a run and of its resumptions.

    Where a resumed run repeats an iteration or epoch, the later one counts.

    Args:
        path: ``.json`` file, or a folder: a work folder (``*/vis_data/*.json`` below it) or one time stamp of it.

    Raises:
        FileNotFoundError: If there is no such file, or no log below the folder.
        ValueError: If a line is not JSON; it is named.
    """
    path = Path(path)
    files = [path]
    if path.is_dir():
        files = sorted(file for file in path.glob('**/vis_data/*.json') if file.stem not in ('config', 'scalars'))
    if not files or not files[0].is_file():
        raise FileNotFoundError(f'no log at {path}: expected a .json file or a work folder with */vis_data/*.json')
    train: dict[int, dict[str, Any]] = {}
    val: dict[int, dict[str, Any]] = {}
    for line in (line for file in files for line in _read_lines(file)):
        if 'iter' in line and 'lr' in line:
            train[line['iter']] = line
        elif 'step' in line:
            val[line['step']] = line
    name = path.name if path.is_dir() else _run_name(path)
    return RunLog(name, [train[i] for i in sorted(train)], [val[i] for i in sorted(val)])


def _run_name(path: Path) -> str:
    """Returns the name of a run: its work folder, since a log is ``work_dir/time/vis_data/time.json``."""
    parents = path.resolve().parents
    return parents[2].name if path.parent.name == 'vis_data' and len(parents) > 3 else path.stem


def _read_lines(path: Path) -> Iterable[dict[str, Any]]:
    try:
        lines = read_regular(path, _MOST_BYTES).decode('utf-8').splitlines()
    except UnicodeDecodeError as error:
        raise ValueError(f'{path} is no log: it is not UTF-8 text ({error.reason})') from error
    for number, text in enumerate(lines, start=1):
        if not text.strip():
            continue
        try:
            line = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise ValueError(f'{path}, line {number} is not JSON: {getattr(error, "msg", error)}') from error
        if not isinstance(line, dict):
            raise ValueError(f'{path}, line {number}: expected a dict per line, as MMEngine logs them')
        for key in _POSITIONS & line.keys():
            if isinstance(line[key], bool) or not isinstance(line[key], int) or line[key] < 0:
                raise ValueError(f'{path}, line {number}: {key} is {str(line[key])[:60]!r}, expected a count')
        yield line


def _values(lines: list[dict[str, Any]], key: str) -> np.ndarray:
    bad = [line[key] for line in lines if not isinstance(line[key], (int, float))]
    if bad:
        raise ValueError(f'{key} is {str(bad[0])[:60]!r} in a line of the log, expected numbers')
    return np.array([line[key] for line in lines], dtype=float)
