"""Folds by speaker, and statistics of the voice, of a folder with emotional speech: sound without pictures.

python tools/dataset_converters/speech.py /corpora/EmoDB --emodb --out-dir data/emodb

Class and speaker of a recording come from its path or from a table. Writes ``fold1/train.csv``, ``fold1/test.csv`` and
so on (tables with audio, label and speaker), the statistics of every recording in ``voice/``, and ``config.py``, which
``tools/kfold.py`` trains and tests. The statistics are normalised by speaker; no label is used for that.
"""

from __future__ import annotations

from hicmae_mm.commands.command_line import ArgumentParser, command

import argparse
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from hicmae_mm.config.paths import configs_root
from hicmae_mm.datasets.speech import (
    EMODB,
    Naming,
    Recording,
    check_recordings,
    read_statistics,
    recordings_by_name,
    recordings_of_table,
    speaker_folds,
    write_corpus,
)

BASE_CONFIG = 'audio/voice_statistics_emodb.py'


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Reads the command line."""
    parser = ArgumentParser(description='Folds by speaker, and statistics of the voice, of a folder of recordings')
    parser.add_argument('data_root', type=Path, metavar='DATA_ROOT', help='folder of the recordings')
    parser.add_argument('--out-dir', type=Path, required=True, metavar='DIR', help='folder of lists and statistics')
    parser.add_argument('--emodb', action='store_true', help='the names are those of EmoDB, such as 03a01Wa.wav')
    parser.add_argument(
        '--table', type=Path, metavar='FILE', help='table with the columns audio (below DATA_ROOT), label and speaker'
    )
    parser.add_argument(
        '--label-pattern',
        type=pattern,
        default=pattern(r'^([^/]+)/'),
        metavar='REGEX',
        help='finds the class in the path below DATA_ROOT, as its first group (default: the first folder)',
    )
    parser.add_argument(
        '--speaker-pattern', type=pattern, metavar='REGEX', help='finds the speaker in the path below DATA_ROOT'
    )
    parser.add_argument('--folds', type=int, metavar='N', help='groups of speakers (default: one fold per speaker)')
    parser.add_argument('--without', nargs='+', default=[], metavar='CLASS', help='leave these classes out')
    parser.add_argument('--skip-broken', action='store_true', help='leave out recordings that cannot be used')
    args = parser.parse_args(argv)
    if sum([args.emodb, args.table is not None, args.speaker_pattern is not None]) != 1:
        parser.error('name one of --emodb, --table and --speaker-pattern: they say who speaks')
    return args


def pattern(text: str) -> re.Pattern[str]:
    """Reads a regular expression with a group."""
    try:
        compiled = re.compile(text)
    except re.error as error:
        raise argparse.ArgumentTypeError(f'{text!r} is not a regular expression: {error}') from error
    if not compiled.groups:
        raise argparse.ArgumentTypeError(f'{text!r} has no group in round brackets, which says what to take')
    return compiled


def recordings_of(args: argparse.Namespace) -> list[Recording]:
    """Lists the recordings as the options say."""
    if not args.data_root.is_dir():
        raise FileNotFoundError(f'DATA_ROOT {args.data_root} is not a folder')
    if args.table is not None:
        return recordings_of_table(args.table, args.data_root)
    naming = EMODB if args.emodb else Naming(args.label_pattern, args.speaker_pattern)
    return recordings_by_name(args.data_root, naming)


@command
def main(argv: Sequence[str] | None = None) -> int:
    """Converts."""
    args = parse_args(argv)
    recordings = check_recordings(recordings_of(args), set(args.without))
    speaker_folds(recordings, args.folds)  # says what is wrong before the sound is read
    recordings, statistics, broken = read_statistics(recordings, args.skip_broken)
    for line in broken:
        print(f'left out: {line}')
    folds = speaker_folds(check_recordings(recordings), args.folds)
    config = write_corpus(args.out_dir, folds, recordings, statistics, configs_root() / BASE_CONFIG)
    for name, fold in folds.items():
        speakers = sorted({recording.speaker for recording in fold['test']})
        print(f'{name}: train/test {len(fold["train"])}/{len(fold["test"])}, tests {", ".join(speakers)}')
    classes = sorted({recording.label for recording in recordings})
    print(f'{len(recordings)} recordings of {len(classes)} classes: {", ".join(classes)}')
    print(f'train and test: python tools/kfold.py {config} --folds 1-{len(folds)}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
