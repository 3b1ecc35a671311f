"""Converts a published HiCMAE checkpoint to this package's parameter names.

python tools/model_converters/hicmae_to_mm.py published.pth work_dirs/hicmae_base.safetensors \
    --config configs/hicmae_base_pretrain_voxceleb2.py
"""

from __future__ import annotations

from hicmae_mm.commands.command_line import ArgumentParser, command

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hicmae_mm.checkpoints.files import check_can_write, file_sha256, read_file, write_checkpoint
from hicmae_mm.checkpoints.loading import with_state_dict
from hicmae_mm.checkpoints.published_keys import check_published, map_published_keys
from hicmae_mm.checkpoints.weights import check_weights
from hicmae_mm.commands.trust import add_trust_option, named_trust_option
from hicmae_mm.config.facts import build_empty_model, checkpoint_meta
from hicmae_mm.config.overrides import load_config


def parse_args(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Reads the command line."""
    parser = ArgumentParser(description='Convert a published HiCMAE checkpoint')
    parser.add_argument('source', type=Path, help='checkpoint with the published parameter names')
    parser.add_argument('out', type=Path, help='file to write: .safetensors, or .pth')
    parser.add_argument(
        '--config',
        help='check strictly against this config (every key used, none missing), and store it with its classes',
    )
    parser.add_argument(
        '--weights',
        choices=['model', 'model_ema'],
        default='model',
        help='which weights of the file: the trained ones, or their moving average where the file has one',
    )
    add_trust_option(parser)
    return parser.parse_args(arguments)


def select_weights(content: Any, weights: str, source: Path) -> dict[str, Any]:
    """Returns the weights of a published file by published name.

    Raises:
        ValueError: If the file has no such weights, or they are ruined (NaN, infinite, integers).
    """
    if weights == 'model':
        return dict(with_state_dict(content, str(source))['state_dict'])
    if not isinstance(content, Mapping) or not isinstance(content.get(weights), Mapping):
        found = list(content)[:8] if isinstance(content, Mapping) else type(content).__name__
        raise ValueError(f'{str(source)!r} has no {weights!r}, only {found}; leave --weights out')
    check_weights(content[weights], str(source))
    return dict(content[weights])


def convert(
    source: Path, out: Path, config: str | None = None, weights: str = 'model', is_trusted: bool = False
) -> int:
    """Writes the converted checkpoint and returns its number of entries.

    Raises:
        FileNotFoundError: If there is no such source, or no such config.
        KeyError: If names are not those of a published checkpoint.
        ValueError: If it is no checkpoint, cannot be read safely, or does not fit the config.
    """
    check_can_write(out)
    content = read_file(source, is_trusted=is_trusted)
    published = select_weights(content, weights, source)
    state = map_published_keys(published)
    if config is not None:
        check_published(build_empty_model(load_config(config)), published)
    meta = checkpoint_meta(config) | {'source': source.name, 'source_sha256': file_sha256(source), 'weights': weights}
    epoch = content.get('epoch')
    if isinstance(epoch, int):
        meta['epoch'] = epoch
    write_checkpoint(out, state, meta)
    return len(state)


@command
def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the conversion."""
    args = parse_args(arguments)
    with named_trust_option():
        count = convert(args.source, args.out, args.config, args.weights, args.trust_source)
    print(f'{count} entries of {args.source} written to {args.out}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
