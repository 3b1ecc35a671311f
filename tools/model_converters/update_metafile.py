"""Brings configs/metafile.yml up to date with the configs there are.

python tools/model_converters/update_metafile.py

Sizes, work, task and data of every config are computed; published numbers, measured numbers and weights are kept.
"""

from __future__ import annotations

from hicmae_mm.commands.command_line import ArgumentParser, command

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from hicmae_mm.config.paths import configs_root
from hicmae_mm.measuring.metafile import read_metafile, update, write_metafile


def parse_args(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Reads the command line."""
    parser = ArgumentParser(description='Bring the metafile up to date with the configs')
    parser.add_argument(
        '--metafile', type=Path, default=configs_root() / 'metafile.yml', help='file to bring up to date'
    )
    return parser.parse_args(arguments)


@command
def main(arguments: Sequence[str] | None = None) -> int:
    """Updates."""
    args = parse_args(arguments)
    folder = args.metafile.resolve().parent
    old = read_metafile(args.metafile)
    new = update(old, sorted(folder.glob('*.py')), folder.parent)
    before, after = ({entry['Name'] for entry in content['Models']} for content in (old, new))
    write_metafile(args.metafile, new)
    print(f'{len(after)} configs in {args.metafile}')
    for verb, names in (('added', after - before), ('removed', before - after)):
        if names:
            print(f'{verb}: {", ".join(sorted(names))}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
