"""Features and lists of CMU-MOSI, CMU-MOSEI or CH-SIMS, from the public feature files of MMSA.

python tools/dataset_converters/feature_pickles.py MOSI/Processed/unaligned_50.pkl --out-dir data/mosi

Writes ``train.jsonl``, ``valid.jsonl`` and ``test.jsonl`` (sentiment and transcript of every clip), and the features of
every clip as ``features/{text,audio,video}/CLIP.npy``. Pickles can run code when they are read as usual; nothing of
this file is run.
"""

from __future__ import annotations

from hicmae_mm.commands.command_line import ArgumentParser, command

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from hicmae_mm.datasets.conversion.feature_pickles import read_feature_pickle, write_split


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Reads the command line."""
    parser = ArgumentParser(description='Convert a public feature file of MOSI, MOSEI or SIMS')
    parser.add_argument('source', type=Path, help='feature file (.pkl)')
    parser.add_argument('--out-dir', type=Path, required=True, help='folder of lists and features')
    return parser.parse_args(argv)


@command
def main(argv: Sequence[str] | None = None) -> int:
    """Converts."""
    args = parse_args(argv)
    for name, split in read_feature_pickle(args.source).items():
        report = write_split(split, args.out_dir, name)
        lengths = ', '.join(f'{stream} {length}' for stream, length in report.longest.items())
        print(f'{name}: {report.clips} clips; longest sequences: {lengths}')
        if report.replaced:
            print(f'{name}: {report.replaced} values were not finite and are 0 now')
    return 0


if __name__ == '__main__':
    sys.exit(main())
