"""Compares sets of emotion words by the measures of the MER challenges' open-vocabulary tracks.

By the emotion wheels of MER2025 and MER2026, whose public files are not part of this package:

python tools/analysis_tools/open_vocabulary.py predicted.csv truth.csv --wheels MER2026/wheels

By the groups that a language model has made for MER2024:

python tools/analysis_tools/open_vocabulary.py predicted.csv truth.csv --groups groups.json

Words are predicted by a file of lists (.csv, .json, .jsonl), which may hold answers of a language model, or by a model
of classes (.pkl of tools/test.py --out, with --config for the names of its classes).
"""

from __future__ import annotations

from hicmae_mm.commands.command_line import ArgumentParser, command

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hicmae_mm.config.folds import dataset_meta
from hicmae_mm.config.overrides import load_config
from hicmae_mm.evaluation.emotion_wheels import EDITIONS, LEVELS
from hicmae_mm.evaluation.functional.open_vocabulary import all_wheel_measures, wheel_means
from hicmae_mm.evaluation.metrics import OpenVocabularyMetric
from hicmae_mm.evaluation.predictions import PICKLES, read_predictions
from hicmae_mm.evaluation.word_lists import read_columns
from hicmae_mm.utils.files import write_text


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Reads the command line."""
    parser = ArgumentParser(description='Compare sets of emotion words')
    parser.add_argument(
        'predictions', type=Path, help='predicted words by clip (.csv, .json, .jsonl), or a .pkl of scores'
    )
    parser.add_argument('truth', type=Path, help='true words by clip (.csv, .json, .jsonl)')
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument(
        '--wheels', help="folder of the challenge's wheel1.xlsx to wheel5.xlsx, synonym.xlsx, format.csv"
    )
    source.add_argument('--groups', help='groups of words by clip (.csv, .json, .jsonl), as MER2024 stores them')
    parser.add_argument('--edition', type=int, choices=EDITIONS, default=2026, help='edition of the wheels')
    parser.add_argument('--levels', type=int, nargs='+', choices=LEVELS, default=[1], help='rings of the wheels')
    parser.add_argument('--config', help='config whose data set names the classes of a .pkl')
    parser.add_argument(
        '--class-words', nargs='+', help='word for each class in order, where names of classes are short like ANG'
    )
    parser.add_argument('--threshold', type=float, help='score from which on a class counts; default: the best alone')
    parser.add_argument('--out', type=Path, help='also write all measures to this file (.json)')
    return parser.parse_args(argv)


def predicted_samples(path: Path) -> list[dict[str, Any]]:
    """Reads the samples of a file of predictions, with scores or with words."""
    if path.suffix in PICKLES:
        return read_predictions(path)
    return [dict(sample_id=name, pred_words=words or []) for name, words in read_columns(path).items()]


def measure(args: argparse.Namespace) -> dict[str, Any]:
    """Computes all measures: those of each wheel and their means, or those of the groups."""
    samples = predicted_samples(args.predictions)
    metric = OpenVocabularyMetric(
        args.wheels, args.groups, args.edition, args.levels, str(args.truth), args.class_words, args.threshold
    )
    if args.predictions.suffix in PICKLES and args.class_words is None:
        if args.config is None:
            raise ValueError(f'{args.predictions} holds scores of classes; --config or --class-words names the classes')
        metric.dataset_meta = dataset_meta(load_config(args.config))
    truth = metric.truth or {}
    samples = [sample for sample in samples if {sample['sample_id'], Path(sample['sample_id']).stem} & set(truth)]
    if not samples:
        raise ValueError(f'{args.predictions} and {args.truth} have no clip in common; clips are known by their names')
    if len(samples) < len(truth):
        print(f'{len(samples)} of the {len(truth)} clips of {args.truth} are predicted; the others do not count')
    metric.process({}, samples)
    results = metric.results
    if metric.wheels is None:
        return {**metric.compute_metrics(results), 'samples': len(results)}
    pairs = [(result['truth'], result['predicted']) for result in results]
    measures = all_wheel_measures(pairs, metric.wheels, args.levels)
    return {**measures, **{f'OV_{level}': value for level, value in wheel_means(measures).items()}}


@command
def main(argv: Sequence[str] | None = None) -> int:
    """Measures."""
    args = parse_args(argv)
    measures = measure(args)
    if args.out is not None:
        write_text(args.out, json.dumps(measures, indent=1) + '\n')
    for name, value in measures.items():
        if isinstance(value, dict):
            text = '  '.join(
                f'{key} {part:.4f}' if key != 'samples' else f'clips {part}' for key, part in value.items()
            )
        else:
            text = f'{value:.4f}' if isinstance(value, float) else str(value)
        print(f'{name:<14}  {text}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
