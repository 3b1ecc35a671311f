"""Prints a config with everything that it inherits and overrides.

python tools/misc/print_config.py configs/hicmae_base_cremad.py --cfg-options train_dataloader.batch_size=8
python tools/misc/print_config.py configs/hicmae_small_cremad.py --origins   # names the file each value comes from
"""

from __future__ import annotations

from hicmae_mm.commands.command_line import ArgumentParser, command

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import mmengine

from hicmae_mm.config.origins import config_origins
from hicmae_mm.config.override_values import OverrideAction
from hicmae_mm.config.overrides import load_config
from hicmae_mm.utils.files import replaced_file


def parse_args(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Reads the command line."""
    parser = ArgumentParser(description='Print a whole config')
    parser.add_argument('config', help='config file')
    parser.add_argument(
        '--origins',
        action='store_true',
        help='print one value a line, as --cfg-options spells it, and where it comes from',
    )
    parser.add_argument('--save-path', help='also write it to this file (.py, .yml or .json)')
    parser.add_argument('--cfg-options', nargs='+', action=OverrideAction, help='key=value, overrides of the config')
    return parser.parse_args(arguments)


@command
def main(arguments: Sequence[str] | None = None) -> None:
    """Prints."""
    args = parse_args(arguments)
    cfg = load_config(args.config, args.cfg_options)
    if args.origins:
        for key, origin in sorted(config_origins(args.config, cfg).items(), key=_in_numeric_order):
            print(f'{key} = {origin.value!r}  # {origin.source}')
    else:
        print(f'Config:\n{cfg.pretty_text}')
    if args.save_path:
        if Path(args.save_path).suffix not in ('.py', '.yml', '.json'):
            raise ValueError(f'--save-path must end in .py, .yml or .json, got {args.save_path}')
        with replaced_file(Path(args.save_path)) as partial:
            if args.save_path.endswith('.py'):
                partial.write_text(cfg.pretty_text, encoding='utf-8')
            else:
                mmengine.dump(cfg.to_dict(), partial, file_format=Path(args.save_path).suffix[1:])


def _in_numeric_order(item: tuple[str, object]) -> list[tuple[int, str]]:
    """Returns the sort key that puts item 2 of a list before item 10."""
    return [(int(part), '') if part.isdigit() else (-1, part) for part in item[0].split('.')]


if __name__ == '__main__':
    sys.exit(main())
