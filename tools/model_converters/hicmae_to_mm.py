"""Converts a published HiCMAE checkpoint to this package's parameter names.

python tools/model_converters/hicmae_to_mm.py published.pth work_dirs/hicmae_base.pth \
    --config configs/hicmae_base_pretrain_voxceleb2.py
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from pathlib import Path

import torch
from mmengine.config import Config

from hicmae_mm.registry import MODELS
from hicmae_mm.utils.checkpoint import read_checkpoint
from hicmae_mm.utils.published_keys import load_published, map_published_keys


def parse_args() -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description='Convert a published HiCMAE checkpoint')
    parser.add_argument('source', type=Path, help='checkpoint with the published parameter names')
    parser.add_argument('out', type=Path, help='file to write')
    parser.add_argument('--config', help='check strictly against this config: every key used, none missing')
    return parser.parse_args()


def convert(source: Path, out: Path, config: str | None) -> int:
    """Writes the converted checkpoint and returns its number of entries.

    Raises:
        FileNotFoundError: No such source.
        KeyError: Names that are not of a published checkpoint.
        ValueError: Not a checkpoint, or one that does not fit the config.
    """
    # the published trainer stored its command line beside the weights
    with torch.serialization.safe_globals([argparse.Namespace]):
        published = read_checkpoint(source)['state_dict']
    state = map_published_keys(published)
    if config is not None:
        model_config = Config.fromfile(config).model
        model_config.pop('data_preprocessor', None)
        load_published(MODELS.build(model_config), published)
    digest = hashlib.sha256(source.read_bytes()).hexdigest()
    meta = {'source': source.name, 'source_sha256': digest, 'config': config}
    out.parent.mkdir(parents=True, exist_ok=True)
    torch.save({'state_dict': state, 'meta': meta}, out)
    return len(state)


def main() -> int:
    """Runs the conversion; problems end in one line."""
    args = parse_args()
    try:
        count = convert(args.source, args.out, args.config)
    except (FileNotFoundError, KeyError, ValueError) as error:
        print(f'error: {error.args[0] if error.args else error}', file=sys.stderr)
        return 1
    print(f'{count} entries of {args.source} written to {args.out}')
    return 0


if __name__ == '__main__':
    raise SystemExit(main())
