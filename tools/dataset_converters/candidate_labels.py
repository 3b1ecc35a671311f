"""Writes a list with candidate labels at random, to study training on noisy partial labels.

python tools/dataset_converters/candidate_labels.py data/synthetic/train.csv --classes ANG DIS FEA HAP NEU SAD \
    --partial-rate 0.3 --noise-rate 0.3

Writes ``train_candidates.csv`` beside each list: a table with the candidates as ``label`` (``ANG|SAD``) and the class
as ``true_label``, which training does not read.
"""

from __future__ import annotations

from hicmae_mm.commands.command_line import ArgumentParser, command

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from hicmae_mm.datasets.conversion.candidate_labels import CandidateRates, with_candidates
from hicmae_mm.datasets.conversion.lists import write_whole
from hicmae_mm.datasets.labels import LabelParser
from hicmae_mm.utils.files import csv_text


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Reads the command line."""
    parser = ArgumentParser(description='Write a list with candidate labels at random')
    parser.add_argument(
        'lists', type=Path, nargs='+', help="list 'video audio label', or a table with the column label; or several"
    )
    classes = parser.add_mutually_exclusive_group(required=True)
    classes.add_argument('--classes', nargs='+', help='names of the classes, in the order of their indices')
    classes.add_argument('--num-classes', type=int, help='number of classes, if labels are indices')
    parser.add_argument(
        '--partial-rate', type=float, required=True, help='probability of every other class to be a candidate'
    )
    parser.add_argument(
        '--noise-rate', type=float, default=0.0, help='probability that the true class is none (default: %(default)s)'
    )
    parser.add_argument(
        '--seed', type=int, default=0, help='seed of the first list, from which others count on (default: %(default)s)'
    )
    parser.add_argument('--out', type=Path, help='table of one list (default: LIST_candidates.csv beside the list)')
    args = parser.parse_args(argv)
    if args.out is not None and len(args.lists) > 1:
        parser.error('--out names the table of one list: leave it out')
    return args


@command
def main(argv: Sequence[str] | None = None) -> int:
    """Draws and writes."""
    args = parse_args(argv)
    labels = LabelParser('classification', num_classes=args.num_classes, classes=tuple(args.classes or ()))
    rates = CandidateRates(args.partial_rate, args.noise_rate)
    for seed, path in enumerate(args.lists, args.seed):
        rows, candidates = with_candidates(path, labels, rates, seed)
        out = args.out or path.with_name(f'{path.stem}_candidates.csv')
        write_whole({out: csv_text(rows)})
        print(f'{len(rows)} clips with {candidates.sum(axis=1).mean():.2f} candidates on average are in {out}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
