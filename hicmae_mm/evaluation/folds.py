"""Scores of a cross-validation: every fold, all folds pooled, mean and deviation, as the papers print them."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from mmengine.evaluator import Evaluator

from hicmae_mm.evaluation.functional import confusion_matrix
from hicmae_mm.evaluation.metrics import ClassificationMetric
from hicmae_mm.evaluation.metrics.base import unique_samples
from hicmae_mm.registry import METRICS
from hicmae_mm.utils.files import csv_text

Samples = list[dict[str, Any]]
Measures = dict[str, float]
# measures that belong together in a table, shown where a config computes all of them
_HEADLINES = (('weighted_f1', 'MSE', 'MER'), ('UAR', 'WAR'), ('macro_f1', 'AUC'), ('PCC', 'CCC'))
_SHARE = re.compile(r'(^|/)(UAR|WAR|AUC|ACC|recall|\w+_f1|top\d+)(/|$)')


@dataclass(frozen=True)
class FoldPredictions:
    """Stores what one checkpoint predicts on the test list of its fold.

    Attributes:
        fold: Number of the fold.
        seed: Random seed of the training.
        checkpoint: File name of the checkpoint.
        samples: Predictions and labels, as ``tools/test.py --out`` writes them.
    """

    fold: int
    seed: int
    checkpoint: str
    samples: Samples


class FoldEvaluator:
    """Applies the metrics of a config to stored predictions.

    Args:
        metrics: ``test_evaluator`` of the config.
        dataset_meta: ``classes`` or ``dimensions`` of the data set, which name measures per class or dimension.
    """

    def __init__(self, metrics: Any, dataset_meta: Mapping[str, Any] | None = None) -> None:
        if isinstance(metrics, Mapping) and 'metrics' in metrics:
            metrics = metrics['metrics']
        self.metrics = list(metrics) if isinstance(metrics, (list, tuple)) else [metrics]
        self.dataset_meta = dict(dataset_meta or {})

    def _build(self) -> Evaluator:
        evaluator = Evaluator([METRICS.build(dict(metric)) for metric in self.metrics])
        evaluator.dataset_meta = self.dataset_meta
        return evaluator

    def measure(self, samples: Samples) -> Measures:
        """Computes all measures of some predictions."""
        return {key: float(value) for key, value in self._build().offline_evaluate(samples).items()}

    def confusion(self, samples: Samples) -> np.ndarray | None:
        """Counts ``(C, C)`` of what the config's classification metric counts, None if it has no such metric."""
        for metric in self._build().metrics:
            if isinstance(metric, ClassificationMetric):
                metric.process({}, unique_samples(samples))
                scores, labels = metric.scores_and_labels(metric.results)
                return confusion_matrix(scores.argmax(axis=1), labels, scores.shape[1])
        return None


def pool(parts: Sequence[FoldPredictions]) -> Samples:
    """Joins the predictions of several folds to those of one test set, with continuous positions."""
    pooled: Samples = []
    for part in parts:
        start = len(pooled)
        samples = unique_samples(part.samples)
        pooled.extend({**sample, 'sample_idx': start + index} for index, sample in enumerate(samples))
    return pooled


def headline_measures(measures: Iterable[str], selected_by: Iterable[str] = ()) -> list[str]:
    """Returns the measures of a table: those that chose the best checkpoint, and UAR and WAR, PCC and CCC, ...

    Args:
        measures: All measures that the config computes.
        selected_by: ``save_best`` of the config.
    """
    known = dict.fromkeys(measures)
    chosen = [key for key in selected_by if key in known]
    for prefix in dict.fromkeys(key.rpartition('/')[0] for key in known):
        for names in _HEADLINES:
            keys = [f'{prefix}/{name}' if prefix else name for name in names]
            chosen += keys if all(key in known for key in keys) else []
    return list(dict.fromkeys(chosen)) or list(known)


def fold_table(
    predictions: Mapping[str, Sequence[FoldPredictions]],
    evaluator: FoldEvaluator,
    shown: Sequence[str] | None = None,
    selected_by: Iterable[str] = (),
) -> dict[str, Any]:
    """Measures every fold, the pooled predictions of all folds of a seed, and mean and deviation over folds and seeds.

    Args:
        predictions: ``'best'`` and ``'last'``, or one of them -> the predictions of every fold and seed.
        evaluator: The config's metrics.
        shown: Measures in the Markdown table; by default :func:`headline_measures`.
        selected_by: ``save_best`` of the config.

    Returns:
        ``folds``, ``seeds``, ``shown``, ``notes`` and ``results``: for ``best`` and ``last`` the ``runs`` with their
        measures, the measures ``pooled`` per seed (where there are several folds), and ``mean`` and ``std`` over the
        runs (sample standard deviation; where there are several). Plain values, ready for JSON.

    Raises:
        ValueError: If ``shown`` names a measure that the config does not compute.
    """
    runs = next(iter(predictions.values()))
    results = {kind: _measure_all(parts, evaluator) for kind, parts in predictions.items()}
    known = next(iter(results.values()))['runs'][0]['measures']
    unknown = [key for key in shown or () if key not in known]
    if unknown:
        raise ValueError(f'the config computes no measure {unknown[0]!r}; it computes {", ".join(known)}')
    return {
        'folds': sorted({run.fold for run in runs}),
        'seeds': sorted({run.seed for run in runs}),
        'shown': list(shown or headline_measures(known, selected_by)),
        'notes': _overlaps(runs),
        'results': results,
    }


def _measure_all(parts: Sequence[FoldPredictions], evaluator: FoldEvaluator) -> dict[str, Any]:
    runs = [
        {
            'fold': part.fold,
            'seed': part.seed,
            'checkpoint': part.checkpoint,
            'clips': len(unique_samples(part.samples)),
            'measures': evaluator.measure(part.samples),
        }
        for part in parts
    ]
    pooled = []
    for seed in sorted({part.seed for part in parts}):
        members = [part for part in parts if part.seed == seed]
        if len(members) > 1:
            samples = pool(members)
            entry = {'seed': seed, 'folds': [part.fold for part in members], 'clips': len(samples)}
            pooled.append({**entry, 'measures': evaluator.measure(samples)})
    return {'runs': runs, 'pooled': pooled, **_mean_and_std(runs)}


def _mean_and_std(entries: Sequence[Mapping[str, Any]]) -> dict[str, Measures]:
    """Computes mean and deviation over the entries with ``measures``; the result is empty for fewer than two."""
    if len(entries) < 2:
        return {}
    keys = [key for key in entries[0]['measures'] if all(key in entry['measures'] for entry in entries)]
    values = {key: np.array([entry['measures'][key] for entry in entries]) for key in keys}
    return {
        'mean': {key: float(column.mean()) for key, column in values.items()},
        'std': {key: float(column.std(ddof=1)) for key, column in values.items()},
    }


def _overlaps(runs: Sequence[FoldPredictions]) -> list[str]:
    """Returns a note if several folds test the same clip, so that it counts several times in the pooled measures."""
    owner: dict[str, int] = {}
    shared: set[str] = set()
    for run in runs:
        for sample in run.samples:
            name = str(sample.get('sample_id'))
            if owner.setdefault(name, run.fold) != run.fold:
                shared.add(name)
    if not shared:
        return []
    return [f'{len(shared)} clips, such as {min(shared)}, are in the test lists of several folds: pooled repeatedly.']


def to_json(table: Mapping[str, Any]) -> str:
    """Returns the whole table. A measure that is not defined (NaN) becomes null."""

    def defined(value: Any) -> Any:
        if isinstance(value, Mapping):
            return {key: defined(item) for key, item in value.items()}
        if isinstance(value, list):
            return [defined(item) for item in value]
        return None if isinstance(value, float) and not math.isfinite(value) else value

    return json.dumps(defined(table), indent=2) + '\n'


def to_csv(table: Mapping[str, Any]) -> str:
    """Returns one line per fold, the pooled result, mean and deviation, with all measures (not in percent)."""
    rows: list[dict[str, Any]] = []
    for kind, result in table['results'].items():
        rows += [{'checkpoint': kind, 'row': 'fold', **_flat(run)} for run in result['runs']]
        rows += [{'checkpoint': kind, 'row': 'pooled', **_flat(entry)} for entry in result['pooled']]
        rows += [{'checkpoint': kind, 'row': name, **result[name]} for name in ('mean', 'std') if name in result]
    return csv_text(rows)


def _flat(entry: Mapping[str, Any]) -> dict[str, Any]:
    kept = {'fold': entry.get('fold', ''), 'seed': entry['seed'], 'clips': entry['clips']}
    return {**kept, 'file': entry.get('checkpoint', ''), **entry['measures']}


def to_markdown(table: Mapping[str, Any]) -> str:
    """Returns a table for a paper: rows per fold, pooled, mean and deviation; best and last checkpoint side by side."""
    results, shown = table['results'], table['shown']
    has_seeds = len(table['seeds']) > 1
    head = ['fold', *(['seed'] if has_seeds else []), 'clips']
    head += [f'{kind} {key} (%)' if is_share(key) else f'{kind} {key}' for kind in results for key in shown]
    kinds = list(results.values())
    rows = []
    for entries in zip(*(kind['runs'] for kind in kinds)):
        seed = [entries[0]['seed']] if has_seeds else []
        rows.append([entries[0]['fold'], *seed, entries[0]['clips'], *_cells(entries, shown)])
    for entries in zip(*(kind['pooled'] for kind in kinds)):
        seed = [entries[0]['seed']] if has_seeds else []
        rows.append(['pooled', *seed, entries[0]['clips'], *_cells(entries, shown)])
    empty = [''] * (2 if has_seeds else 1)
    for name, group in (('mean ± std', 'runs'), ('pooled, mean ± std', 'pooled')):
        spreads = [_mean_and_std(kind[group]) for kind in kinds]
        if all(spreads):
            rows.append([name, *empty, *(_spread(spread, key) for spread in spreads for key in shown)])
    lines = [' | '.join(map(str, row)) for row in (head, ['---'] * len(head), *rows)]
    return '\n'.join([*(f'| {line} |' for line in lines), *(f'\n{note}' for note in table['notes'])]) + '\n'


def is_share(measure: str) -> bool:
    """Tells whether a measure lies between 0 and 1 and is shown in percent."""
    return _SHARE.search(measure) is not None


def _cells(entries: Iterable[Mapping[str, Any]], shown: Sequence[str]) -> list[str]:
    return [_number(entry['measures'].get(key, math.nan), key) for entry in entries for key in shown]


def _spread(spread: Mapping[str, Measures], key: str) -> str:
    return f'{_number(spread["mean"].get(key, math.nan), key)} ± {_number(spread["std"].get(key, math.nan), key)}'


def _number(value: float, measure: str) -> str:
    if not math.isfinite(value):
        return '-'
    return f'{100 * value:.2f}' if is_share(measure) else f'{value:.4f}'
