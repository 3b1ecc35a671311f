"""Makes the synthetic corpus: drawn talking faces with synthesised voices, as real mp4 and wav files.

    python tools/dataset_converters/make_synthetic.py --out data/synthetic

Run again, it goes on where it was stopped; clips that are finished cost nothing. What --recordings, --descriptions and
--compounds ask for is made again.
"""

from __future__ import annotations

from hicmae_mm.commands.command_line import ArgumentParser, command

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import fields

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from hicmae_mm.datasets.synthetic import (
    COMPOUNDS,
    CorpusConfig,
    plan_clips,
    write_compounds,
    write_corpus,
    write_descriptions,
    write_recordings,
)


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Reads the command line; every field of ``CorpusConfig`` is an option."""
    parser = ArgumentParser(description='Make the synthetic audio-visual emotion corpus.')
    parser.add_argument('--out', default='data/synthetic', help='folder of the corpus (default: %(default)s)')
    parser.add_argument('--num-workers', type=int, default=2, help='processes (default: %(default)s)')
    parser.add_argument('--force', action='store_true', help='make everything again')
    parser.add_argument(
        '--recordings',
        action='store_true',
        help='also join the labelled clips of every actor to a long recording with labels of every frame',
    )
    parser.add_argument(
        '--descriptions', action='store_true', help='also list words, valence, arousal and action units of every clip'
    )
    parser.add_argument(
        '--compounds', action='store_true', help='also join clips to compound emotions, and do what --descriptions does'
    )
    for field in fields(CorpusConfig):
        kind = float if field.name == 'fps' else int
        option = '--' + field.name.replace('_', '-')
        parser.add_argument(option, type=kind, default=field.default, help='(default: %(default)s)')
    return parser.parse_args(argv)


@command
def main(argv: Sequence[str] | None = None) -> None:
    """Makes the corpus and shows progress."""
    args = parse_args(argv)
    config = CorpusConfig(**{field.name: getattr(args, field.name) for field in fields(CorpusConfig)})
    console = Console()
    num_clips, num_workers = len(plan_clips(config)), args.num_workers if args.num_workers > 1 else 0
    show(console, 'clips', num_clips, write_corpus(args.out, config, args.num_workers, args.force))
    console.print(f'{num_clips} clips in {args.out}: train.csv, test.csv, pretrain.csv, corpus.json')
    console.print('with what is said: train_words.csv, test_words.csv, words.txt')
    console.print('as conversations: train_talks.csv, test_talks.csv')
    if args.recordings:
        num_actors = config.num_train_actors + config.num_test_actors
        show(console, 'recordings', num_actors, write_recordings(args.out, num_workers=num_workers))
        console.print(f'with labels of every frame: {args.out}/recordings/train.csv, test.csv')
    if args.descriptions or args.compounds:
        write_descriptions(args.out, num_workers)
        console.print('with what is known of each clip: train_described.csv, test_described.csv, described_words.txt')
    if args.compounds:
        num_takes = config.num_train_actors * config.num_train_takes + config.num_test_actors * config.num_test_takes
        show(console, 'compounds', num_takes * len(COMPOUNDS), write_compounds(args.out, num_workers))
        console.print(f'of compound emotions: {args.out}/compounds/train.csv, test.csv')


def show(console: Console, title: str, total: int, counts: Iterator[int]) -> None:
    """Shows how many files are done while they are made."""
    columns = (
        TextColumn('{task.description}'),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as progress:
        task = progress.add_task(title, total=total)
        for num_done in counts:
            progress.update(task, completed=num_done)


if __name__ == '__main__':
    sys.exit(main())
