"""Brings configs/metafile.yml, and those of other systems in its folders, up to date with the configs there are.

python tools/model_converters/update_metafile.py
python tools/model_converters/update_metafile.py --metafile configs/svfap/metafile.yml

Sizes, work, task and data of every config are computed; published numbers, measured numbers and weights are kept.
"""

from __future__ import annotations

from hicmae_mm.commands.command_line import ArgumentParser, command

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from hicmae_mm.config.paths import configs_root
from hicmae_mm.measuring.metafile import project_root, read_metafile, update, write_metafile


def parse_args(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Reads the command line."""
    parser = ArgumentParser(description='Bring the metafile up to date with the configs')
    parser.add_argument('--metafile', type=Path, help='file to bring up to date; default: all below configs/')
    return parser.parse_args(arguments)


def bring_up_to_date(metafile: Path) -> None:
    """Updates a metafile and says what was added and removed."""
    old = read_metafile(metafile)
    new = update(old, sorted(metafile.resolve().parent.glob('*.py')), project_root(metafile))
    before, after = ({entry['Name'] for entry in content['Models']} for content in (old, new))
    write_metafile(metafile, new)
    print(f'{len(after)} configs in {metafile}')
    for verb, names in (('added', after - before), ('removed', before - after)):
        if names:
            print(f'{verb}: {", ".join(sorted(names))}')


@command
def main(arguments: Sequence[str] | None = None) -> int:
    """Updates."""
    args = parse_args(arguments)
    for metafile in [args.metafile] if args.metafile else sorted(configs_root().rglob('metafile.yml')):
        bring_up_to_date(metafile)
    return 0


if __name__ == '__main__':
    sys.exit(main())
