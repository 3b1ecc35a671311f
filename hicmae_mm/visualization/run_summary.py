"""Summarises a training in a line: its best and last measures, how long it took, when it began."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from hicmae_mm.visualization.run_log import RunLog

_LOWER_IS_BETTER = re.compile(r'(^|/)(R?MSE|MAE)(/|$)|loss|error')
# measures that a table shows of its own accord, the first group of which a run has one
_HEADLINES = (('UAR', 'WAR'), ('PCC', 'CCC'), ('MER',), ('weighted_f1',))
FACTS = ('run', 'config', 'date', 'epochs', 'iterations', 'train_seconds')


def find_runs(path: str | Path) -> list[Path]:
    """Returns the work folders in a folder, sorted by name. Log files and folders without runs stay as they are.

    A work folder holds a folder per start, ``TIME/vis_data/TIME.json``.
    """
    path = Path(path)
    if not path.is_dir() or path.parent.name == 'vis_data' or (path / 'vis_data').is_dir():
        return [path]
    return sorted({file.parents[2] for file in path.glob('**/vis_data/*.json')}) or [path]


def lower_is_better(key: str) -> bool:
    """Tells whether a measure is an error or a loss: ``RMSE``, ``MAE/valence``, ``loss_video``."""
    return _LOWER_IS_BETTER.search(key) is not None


def default_measures(logs: Iterable[RunLog]) -> list[str]:
    """Chooses the measures of a table: the usual ones of validation, and the loss of runs without a validation."""
    shown: dict[str, None] = {}
    for log in logs:
        known = log.val_keys
        chosen = next((keys for keys in _HEADLINES if any(key in known for key in keys)), known[:2])
        shown |= dict.fromkeys(key for key in chosen if key in known)
        if not known:
            shown['loss'] = None
    return list(shown)


def summarize(log: RunLog, path: Path, measures: Sequence[str]) -> dict[str, Any]:
    """Facts and measures of a run, as plain values.

    Args:
        log: Log of the run.
        path: Its work folder, or its log file.
        measures: Keys of the log.

    Returns:
        ``FACTS`` (date as text, ``YYYY-MM-DD HH:MM``), and by measure ``best``, ``best_at`` (the epoch of it, or the
        iteration in runs that count those) and ``last``; None for a measure that was not logged.
    """
    folder = path if path.is_dir() else path.resolve().parents[min(2, len(path.resolve().parents) - 1)]
    if (folder / 'vis_data').is_dir():  # one start of several
        folder = folder.parent
    row: dict[str, Any] = {
        'run': log.name,
        'config': _config_name(folder),
        'date': _date(path),
        'epochs': max((line.get('epoch', 0) for line in log.train), default=0) or None,
        'iterations': log.train[-1]['iter'] if log.train else 0,
        'train_seconds': train_seconds(log),
    }
    for key in measures:
        row[key] = _extremes(log, key) if key in log.keys else None
    return row


def train_seconds(log: RunLog) -> float:
    """Seconds spent in training iterations, logged or not: every line gives the mean of those since the line before."""
    total, before = 0.0, 0
    for line in log.train:
        total += line.get('time', 0.0) * (line['iter'] - before)
        before = line['iter']
    return total


def _extremes(log: RunLog, key: str) -> dict[str, float]:
    positions, values = log.series(key)
    usable = np.nan_to_num(values, nan=np.inf if lower_is_better(key) else -np.inf)
    best = int(usable.argmin() if lower_is_better(key) else usable.argmax())
    return {'best': float(values[best]), 'best_at': float(positions[best]), 'last': float(values[-1])}


def _config_name(folder: Path) -> str:
    dumped = sorted(folder.glob('*.py'))
    return dumped[0].stem if dumped else ''


def _date(path: Path) -> str:
    """Returns the date of the first start, which is the name of MMEngine's folders, or the date of the log file."""
    files = sorted(path.glob('**/vis_data/*.json')) if path.is_dir() else [path]
    for name in (files[0].parents[1].name, files[0].stem):
        try:
            return f'{datetime.strptime(name, "%Y%m%d_%H%M%S"):%Y-%m-%d %H:%M}'
        except ValueError:
            continue
    return f'{datetime.fromtimestamp(files[0].stat().st_mtime):%Y-%m-%d %H:%M}'
