"""Converts a published checkpoint of another system to this package's parameter names.

python tools/model_converters/published_to_mm.py mae_dfer published.pth work_dirs/mae_dfer.safetensors
"""

from __future__ import annotations

from hicmae_mm.commands.command_line import ArgumentParser, command

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from hicmae_mm.checkpoints.files import check_can_write, file_sha256, read_file, write_checkpoint
from hicmae_mm.checkpoints.loading import with_state_dict
from hicmae_mm.checkpoints.systems import rules_of, system_names
from hicmae_mm.commands.trust import add_trust_option, named_trust_option
from hicmae_mm.config.facts import build_empty_model, checkpoint_meta
from hicmae_mm.config.overrides import load_config


def parse_args(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Reads the command line."""
    parser = ArgumentParser(description='Convert a published checkpoint of another system')
    parser.add_argument('system', choices=system_names(), help='system that the file belongs to')
    parser.add_argument('source', type=Path, help='checkpoint with the published parameter names')
    parser.add_argument('out', type=Path, help='file to write: .safetensors, or .pth')
    parser.add_argument(
        '--config',
        help='check strictly against this config (every key used, none missing), and store it with its classes',
    )
    add_trust_option(parser)
    return parser.parse_args(arguments)


def convert(system: str, source: Path, out: Path, config: str | None = None, is_trusted: bool = False) -> int:
    """Writes the converted checkpoint and returns its number of entries.

    Raises:
        FileNotFoundError: If there is no such source, or no such config.
        KeyError: If names are not those of this system.
        ValueError: If it is no checkpoint, cannot be read safely, or does not fit the config.
    """
    check_can_write(out)
    rules = rules_of(system)
    published = dict(with_state_dict(read_file(source, is_trusted=is_trusted), str(source))['state_dict'])
    state = rules.to_ours(published)
    if config is not None:
        rules.check(build_empty_model(load_config(config)), state)
    meta = checkpoint_meta(config) | {'source': source.name, 'source_sha256': file_sha256(source), 'system': system}
    write_checkpoint(out, state, meta)
    return len(state)


@command
def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the conversion."""
    args = parse_args(arguments)
    with named_trust_option():
        count = convert(args.system, args.source, args.out, args.config, args.trust_source)
    print(f'{count} entries of {args.source} written to {args.out}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
