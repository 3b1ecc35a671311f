"""Makes the synthetic corpus: drawn talking faces with synthesised voices, as real mp4 and wav files.

    python tools/dataset_converters/make_synthetic.py --out data/synthetic

Run again, it goes on where it was stopped; a finished corpus costs nothing.
"""

from __future__ import annotations

from hicmae_mm.commands.command_line import ArgumentParser, command

import argparse
import sys
from collections.abc import Sequence
from dataclasses import fields

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from hicmae_mm.datasets.synthetic import (
    CorpusConfig,
    plan_clips,
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
    columns = (
        TextColumn('{task.description}'),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as progress:
        task = progress.add_task('clips', total=len(plan_clips(config)))
        for num_done in write_corpus(args.out, config, args.num_workers, args.force):
            progress.update(task, completed=num_done)
    console.print(f'{len(plan_clips(config))} clips in {args.out}: train.csv, test.csv, pretrain.csv, corpus.json')
    console.print('with what is said: train_words.csv, test_words.csv, words.txt')
    console.print('as conversations: train_talks.csv, test_talks.csv')
    num_workers = args.num_workers if args.num_workers > 1 else 0
    if args.recordings:
        for num_done in write_recordings(args.out, num_workers=num_workers):
            print(f'{num_done} recordings')
        console.print(f'with labels of every frame: {args.out}/recordings/train.csv, test.csv')
    if args.descriptions:
        write_descriptions(args.out, num_workers)
        console.print('with what is known of each clip: train_described.csv, test_described.csv, described_words.txt')


if __name__ == '__main__':
    sys.exit(main())
