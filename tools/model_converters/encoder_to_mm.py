"""Fits a vision transformer of another project to one encoder of a config, to start training from.

python tools/model_converters/encoder_to_mm.py videomae.pth work_dirs/start.pth \
    --kind videomae --stream video --config my_config.py
"""

from __future__ import annotations

from hicmae_mm.commands.command_line import ArgumentParser, command

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hicmae_mm.checkpoints.encoder_init import FILLABLE, LAYOUTS, convert_encoder
from hicmae_mm.checkpoints.files import check_can_write, file_sha256, read_file, write_checkpoint
from hicmae_mm.checkpoints.loading import read_checkpoint, with_state_dict
from hicmae_mm.commands.trust import add_trust_option, named_trust_option
from hicmae_mm.config.facts import build_empty_model
from hicmae_mm.config.override_values import OverrideAction
from hicmae_mm.config.overrides import load_config
from hicmae_mm.models.encoders import PromptedViTEncoder, VisionTransformerEncoder
from hicmae_mm.version import __version__


def parse_args(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Reads the command line."""
    parser = ArgumentParser(description="Fit another project's vision transformer to one encoder of a config")
    parser.add_argument('source', type=Path, help='checkpoint of a vision transformer')
    parser.add_argument('out', type=Path, help='file to write, .pth or .safetensors, for load_from')
    parser.add_argument('--kind', required=True, choices=list(LAYOUTS), help='system whose names the checkpoint has')
    parser.add_argument('--stream', required=True, help='the encoder to fill, e.g. video or audio')
    parser.add_argument('--config', required=True, help='config whose encoder is to be filled')
    parser.add_argument('--cfg-options', nargs='+', action=OverrideAction, help='key=value, overrides of the config')
    parser.add_argument('--layers', nargs='+', type=int, help='layers to take where the depths differ, e.g. 0 2 4 6')
    parser.add_argument(
        '--source-grid',
        nargs='+',
        type=int,
        help="tokens per axis of the checkpoint's position table, (time, rows, columns) or (time, mel); told from its "
        'length by default',
    )
    parser.add_argument(
        '--add-to', type=Path, help='checkpoint whose entries are kept, e.g. the one written for the other encoder'
    )
    add_trust_option(parser)
    return parser.parse_args(arguments)


def find_encoder(
    config: str, stream: str, options: dict[str, Any] | None
) -> VisionTransformerEncoder | PromptedViTEncoder:
    """Builds the encoder of a config on the meta device, without memory.

    Raises:
        FileNotFoundError: If there is no such config.
        ValueError: If there is no such stream, or the encoder has another architecture.
    """
    encoders = getattr(build_empty_model(load_config(config, options)), 'encoders', {})
    if stream not in encoders:
        raise ValueError(f'{config} has no encoder {stream!r}, only {list(encoders)}')
    encoder = encoders[stream]
    if not isinstance(encoder, FILLABLE):
        known = ' and '.join(kind.__name__ for kind in FILLABLE)
        raise ValueError(f'encoders.{stream} of {config} is a {type(encoder).__name__}; {known} can be filled')
    return encoder


def convert(args: argparse.Namespace) -> list[str]:
    """Writes the checkpoint and returns what was adapted or left out.

    Raises:
        FileNotFoundError: If a file does not exist.
        ValueError: If there is an error as in :func:`find_encoder` or
            :func:`hicmae_mm.checkpoints.encoder_init.convert_encoder`.
    """
    check_can_write(args.out)
    encoder = find_encoder(args.config, args.stream, args.cfg_options)
    content = read_file(args.source, is_trusted=args.trust_source)
    weights = with_state_dict(content, str(args.source))['state_dict']
    converted = convert_encoder(weights, encoder, args.kind, args.layers, args.source_grid)
    state, meta = {}, {'hicmae_mm_version': __version__, 'sources': {}}
    if args.add_to is not None:
        kept = read_checkpoint(args.add_to)
        state, meta = dict(kept['state_dict']), {'sources': {}, **kept.get('meta', {})}
    state |= {f'encoders.{args.stream}.{name}': value for name, value in converted.state.items()}
    meta['sources'][args.stream] = {
        'kind': args.kind,
        'source': args.source.name,
        'source_sha256': file_sha256(args.source),
        'notes': converted.notes,
    }
    write_checkpoint(args.out, state, meta)
    return [f'{len(converted.state)} entries for encoders.{args.stream}', *converted.notes]


@command
def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the conversion."""
    args = parse_args(arguments)
    with named_trust_option():
        notes = convert(args)
    print(*notes, f'written to {args.out}: give it as load_from', sep='\n')
    return 0


if __name__ == '__main__':
    sys.exit(main())
