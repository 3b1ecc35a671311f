"""Compares the predictions of two models on the same clips: is the difference more than luck?

python tools/analysis_tools/compare_runs.py first.pkl second.pkl --out comparison.json

UAR and WAR (CCC for values) with a paired bootstrap over clips, and McNemar's exact test. A difference whose 95 %
interval holds 0 is no progress. The test says nothing about other training seeds: compare several.
"""

from __future__ import annotations

from hicmae_mm.commands.command_line import ArgumentParser, command

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from hicmae_mm.evaluation.comparison import (
    Difference,
    accuracy,
    concordance,
    mcnemar,
    paired_bootstrap,
    unweighted_recall,
)
from hicmae_mm.evaluation.predictions import Samples, read_predictions, scores_and_labels, values_and_targets
from hicmae_mm.utils.files import write_text


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Reads the command line."""
    parser = ArgumentParser(description='Compare two sets of predictions')
    parser.add_argument('first', help='predictions (.pkl, tools/test.py --out)')
    parser.add_argument('second', help='predictions of another model on the same clips')
    parser.add_argument(
        '--resamples', type=int, default=10000, help='resamples of the bootstrap (default: %(default)s)'
    )
    parser.add_argument('--seed', type=int, default=0, help='seed of the bootstrap (default: %(default)s)')
    parser.add_argument('--out', help='also write the numbers to this .json file')
    args = parser.parse_args(argv)
    if args.resamples < 100:
        parser.error('--resamples must be at least 100')
    return args


def align(first: Samples, second: Samples) -> tuple[Samples, Samples]:
    """Orders both by sample.

    Raises:
        ValueError: If they are not predictions of the same clips.
    """
    by_name = [{str(sample.get('sample_id')): sample for sample in samples} for samples in (first, second)]
    for names, samples in zip(by_name, (first, second)):
        if len(names) != len(samples):
            raise ValueError('clips must differ in their sample_id to be paired')
    differing = sorted(by_name[0].keys() ^ by_name[1].keys())
    if differing:
        raise ValueError(
            f'the predictions are of different clips: {len(differing)} are in one file only ({differing[0]!r})'
        )
    names = sorted(by_name[0])
    return [by_name[0][name] for name in names], [by_name[1][name] for name in names]


def compare(first: Samples, second: Samples, num_resamples: int, seed: int) -> dict[str, Any]:
    """Returns all comparisons, as plain values.

    Raises:
        ValueError: If the labels differ, or there is nothing to compare.
    """
    measures = {}
    report: dict[str, Any] = {'clips': len(first)}
    if 'pred_score' in first[0]:
        (scores_1, labels), (scores_2, other_labels) = scores_and_labels(first), scores_and_labels(second)
        if not np.array_equal(labels, other_labels):
            raise ValueError('the two files disagree about the labels of the clips')
        chosen = scores_1.argmax(axis=1), scores_2.argmax(axis=1)
        for name, measure in (('UAR', unweighted_recall), ('WAR', accuracy)):
            measures[name] = [measure(predictions, labels) for predictions in chosen]
        report['mcnemar'] = asdict(mcnemar(*chosen, labels))
    if 'pred_values' in first[0]:
        (values_1, targets), (values_2, other_targets) = values_and_targets(first), values_and_targets(second)
        if not np.allclose(targets, other_targets):
            raise ValueError('the two files disagree about the annotated values')
        for index in range(targets.shape[1]):
            name = 'CCC' if targets.shape[1] == 1 else f'CCC/{index}'
            measures[name] = [concordance(v[:, index], targets[:, index]) for v in (values_1, values_2)]
    if not measures:
        raise ValueError('the predictions have neither pred_score nor pred_values')
    for name, pair in measures.items():
        report[name] = asdict(paired_bootstrap(*pair, len(first), num_resamples, seed))
    return report


def lines(report: dict[str, Any]) -> list[str]:
    """Returns the report for a reader."""
    text = [f'{report["clips"]} clips']
    for name, value in report.items():
        if name in ('clips', 'mcnemar'):
            continue
        difference = Difference(**value)
        verdict = 'no difference shown' if difference.low <= 0 <= difference.high else 'differs'
        text.append(
            f'{name:6} {difference.first:.4f} -> {difference.second:.4f}, difference '
            f'{difference.second - difference.first:+.4f}, 95 % [{difference.low:+.4f}, {difference.high:+.4f}], '
            f'p = {difference.p_value:.4f}: {verdict}'
        )
    if 'mcnemar' in report:
        test = report['mcnemar']
        text.append(
            f'McNemar: {test["only_first"]} clips only the first gets right, {test["only_second"]} only the second, '
            f'p = {test["p_value"]:.4f}'
        )
    return text


@command
def main(argv: Sequence[str] | None = None) -> int:
    """Compares."""
    args = parse_args(argv)
    pair = align(read_predictions(args.first), read_predictions(args.second))
    report = compare(*pair, args.resamples, args.seed)
    print('\n'.join(lines(report)))
    if args.out is not None:
        write_text(Path(args.out), json.dumps(report, indent=2) + '\n')
    return 0


if __name__ == '__main__':
    sys.exit(main())
