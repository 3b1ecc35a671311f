"""Converts a checkpoint of this package to the parameter names of a published system.

python tools/model_converters/mm_to_published.py mae_dfer work_dirs/mae_dfer_dfew/fold1/epoch_100.pth published.pth
"""

from __future__ import annotations

from hicmae_mm.commands.command_line import ArgumentParser, command

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import torch

from hicmae_mm.checkpoints.files import TORCH_SUFFIXES, file_sha256
from hicmae_mm.checkpoints.loading import read_checkpoint
from hicmae_mm.checkpoints.systems import rules_of, system_names
from hicmae_mm.checkpoints.trained_parts import refuse_adapters
from hicmae_mm.utils.files import replaced_file


def parse_args(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Reads the command line."""
    parser = ArgumentParser(description='Convert a checkpoint to the parameter names of a published system')
    parser.add_argument('system', choices=system_names(), help='system whose names are wanted')
    parser.add_argument('source', type=Path, help='checkpoint of this package, .pth or .safetensors')
    parser.add_argument('out', type=Path, help='file to write, .pth: a dictionary with the weights under "model"')
    return parser.parse_args(arguments)


def convert(system: str, source: Path, out: Path) -> int:
    """Writes the checkpoint under published names and returns its number of entries.

    Raises:
        FileNotFoundError: If there is no such source.
        KeyError: If the published system lacks some components.
        ValueError: If it is no checkpoint, or the name to write does not end in ``.pth``.
    """
    if out.suffix not in TORCH_SUFFIXES:
        raise ValueError(f'{str(out)!r}: the published systems read files of torch.save; end the name in .pth')
    checkpoint = read_checkpoint(source)
    refuse_adapters(checkpoint['state_dict'], str(source))
    state = {name.removeprefix('module.'): value.clone() for name, value in checkpoint['state_dict'].items()}
    content = {'model': rules_of(system).to_published(state), 'source': source.name}
    content['source_sha256'] = file_sha256(source)
    with replaced_file(out) as partial, partial.open('wb') as file:
        torch.save(content, file)
    return len(content['model'])


@command
def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the conversion."""
    args = parse_args(arguments)
    count = convert(args.system, args.source, args.out)
    print(f'{count} entries of {args.source} written to {args.out}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
