"""Folds by speaker, and statistics of the voice, of a folder with emotional speech: sound without pictures.

python tools/dataset_converters/speech.py /corpora/EmoDB --emodb --out-dir data/emodb
python tools/dataset_converters/speech.py /corpora/EmoDB --emodb --out-dir data/emodb --train

Class and speaker of a recording come from its path or from a table. Writes ``fold1/train.csv``, ``fold1/test.csv`` and
so on (tables with audio, label and speaker), the statistics of every recording in ``voice/``, and ``config.py``, which
``tools/kfold.py`` trains and tests; ``--train`` runs it, and ends with the table of all folds. The statistics are
normalised by speaker; no label is used for that. ``--stratified 5`` is for corpora whose speakers are not known.
"""

from __future__ import annotations

from hicmae_mm.commands.command_line import ArgumentParser, command

import argparse
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from hicmae_mm.config.paths import configs_root, tools_root
from hicmae_mm.datasets.speech import (
    EMODB,
    Fold,
    Naming,
    Recording,
    check_recordings,
    read_statistics,
    recordings_by_name,
    recordings_of_table,
    speaker_folds,
    stratified_folds,
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
    parser.add_argument(
        '--stratified',
        type=int,
        metavar='N',
        help='speakers are not known: N random folds with equal shares of classes',
    )
    parser.add_argument(
        '--train',
        type=int,
        nargs='?',
        const=1,
        metavar='SEEDS',
        help='train and test all folds (default: with one seed)',
    )
    parser.add_argument('--without', nargs='+', default=[], metavar='CLASS', help='leave these classes out')
    parser.add_argument('--skip-broken', action='store_true', help='leave out recordings that cannot be used')
    args = parser.parse_args(argv)
    check_options(parser, args)
    return args


def check_options(parser: ArgumentParser, args: argparse.Namespace) -> None:
    """Ends the program if the options do not say who speaks, or cannot be used together."""
    tells_speakers = sum([args.emodb, args.table is not None, args.speaker_pattern is not None])
    if args.stratified is not None and (args.emodb or args.speaker_pattern is not None or args.folds is not None):
        parser.error(
            '--stratified is for speakers that are not known: leave --emodb, --speaker-pattern and --folds out'
        )
    if tells_speakers != 1 and not (args.stratified is not None and tells_speakers == 0):
        parser.error(
            'name one of --emodb, --table and --speaker-pattern: they say who speaks; if that is not known, use '
            '--stratified 5'
        )
    if args.train is not None and args.train < 1:
        parser.error(f'--train must be at least 1, got {args.train}')


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
        return recordings_of_table(args.table, args.data_root, has_speakers=args.stratified is None)
    naming = EMODB if args.emodb else Naming(args.label_pattern, args.speaker_pattern)
    return recordings_by_name(args.data_root, naming)


def folds_of(recordings: Sequence[Recording], args: argparse.Namespace) -> dict[str, Fold]:
    """Splits the recordings as the options say."""
    if args.stratified is None:
        return speaker_folds(recordings, args.folds)
    return stratified_folds(recordings, args.stratified)


@command
def main(argv: Sequence[str] | None = None) -> int:
    """Converts."""
    args = parse_args(argv)
    recordings = check_recordings(recordings_of(args), set(args.without))
    folds_of(recordings, args)  # says what is wrong before the sound is read
    recordings, statistics, broken = read_statistics(recordings, args.skip_broken)
    for line in broken:
        print(f'left out: {line}')
    folds = folds_of(check_recordings(recordings), args)
    config = write_corpus(args.out_dir, folds, recordings, statistics, configs_root() / BASE_CONFIG)
    for name, fold in folds.items():
        speakers = ', '.join(sorted({recording.speaker for recording in fold['test']}))
        tests = f', tests {speakers}' if speakers else ''
        print(f'{name}: train/test {len(fold["train"])}/{len(fold["test"])}{tests}')
    classes = sorted({recording.label for recording in recordings})
    print(f'{len(recordings)} recordings of {len(classes)} classes: {", ".join(classes)}')
    if args.stratified is not None:
        print(
            'warning: speakers are not known, so the same person can be in the training and the test part. The scores '
            'are higher than for new speakers'
        )
    if args.train is None:
        print(f'train and test: python tools/kfold.py {config} --folds 1-{len(folds)}')
        return 0
    kfold = [str(tools_root() / 'kfold.py'), str(config), '--folds', f'1-{len(folds)}', '--repeats', str(args.train)]
    kfold += ['--work-dir', str(args.out_dir / 'folds')]
    return subprocess.run([sys.executable, *kfold], check=False).returncode


if __name__ == '__main__':
    sys.exit(main())
