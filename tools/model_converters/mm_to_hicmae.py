"""Converts a checkpoint of this package to the parameter names of the published HiCMAE implementation.

python tools/model_converters/mm_to_hicmae.py work_dirs/hicmae_base_cremad/fold1/epoch_50.pth published.pth
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
from hicmae_mm.checkpoints.published_keys import published_keys
from hicmae_mm.checkpoints.trained_parts import refuse_adapters
from hicmae_mm.utils.files import replaced_file


def parse_args(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Reads the command line."""
    parser = ArgumentParser(description='Convert a checkpoint to the published parameter names')
    parser.add_argument('source', type=Path, help='checkpoint of this package, .pth or .safetensors')
    parser.add_argument('out', type=Path, help='file to write, .pth: a dictionary with the weights under "model"')
    return parser.parse_args(arguments)


def convert(source: Path, out: Path) -> int:
    """Writes the checkpoint under published names and returns its number of entries.

    The weights are those that the source validates with: the moving average, if it was trained with one.

    Raises:
        FileNotFoundError: If there is no such source.
        KeyError: If the published implementation lacks some components.
        ValueError: If it is no checkpoint, or the name to write does not end in ``.pth``.
    """
    if out.suffix not in TORCH_SUFFIXES:
        raise ValueError(f'{str(out)!r}: the published implementation reads files of torch.save; end the name in .pth')
    checkpoint = read_checkpoint(source)
    refuse_adapters(checkpoint['state_dict'], str(source))
    state = {name.removeprefix('module.'): value.clone() for name, value in checkpoint['state_dict'].items()}
    content = {'model': published_keys(state), 'source': source.name, 'source_sha256': file_sha256(source)}
    epoch = checkpoint.get('meta', {}).get('epoch')
    if isinstance(epoch, int):
        content['epoch'] = epoch
    with replaced_file(out) as partial, partial.open('wb') as file:
        torch.save(content, file)
    return len(state)


@command
def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the conversion."""
    args = parse_args(arguments)
    count = convert(args.source, args.out)
    print(f'{count} entries of {args.source} written to {args.out}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
