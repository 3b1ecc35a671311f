"""Writes a checkpoint of plain layers: LoRA is added to the weights of its layers, and the base is put in.

python tools/model_converters/merge_adapters.py CONFIG work_dirs/lora/epoch_50.pth work_dirs/merged.safetensors

The file holds its config, without LoRA. It serves inference, tests (with --cfg-options model.adapters=[]), export and
the converters to published names.
"""

from __future__ import annotations

from hicmae_mm.commands.command_line import ArgumentParser, command

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from mmengine.registry import init_default_scope

from hicmae_mm.checkpoints.files import check_can_write, file_sha256, write_checkpoint
from hicmae_mm.checkpoints.loading import load_weights, read_checkpoint
from hicmae_mm.config.facts import checkpoint_meta
from hicmae_mm.config.override_values import OverrideAction
from hicmae_mm.config.overrides import load_config
from hicmae_mm.models.adapters import merge_adapters
from hicmae_mm.registry import MODELS

KEPT = ('epoch', 'iter', 'seed', 'classes', 'metrics', 'sources')


def parse_args(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Reads the command line."""
    parser = ArgumentParser(description='Merge LoRA into the weights of its layers')
    parser.add_argument('config', help='config file that the checkpoint was trained with')
    parser.add_argument('source', type=Path, help='checkpoint with LoRA, whole or of trained parts')
    parser.add_argument('out', type=Path, help='file to write, .pth or .safetensors')
    parser.add_argument('--cfg-options', nargs='+', action=OverrideAction, help='key=value, overrides of the config')
    return parser.parse_args(arguments)


def merge(args: argparse.Namespace) -> list[str]:
    """Writes the merged checkpoint and returns the names of the layers that were merged.

    Raises:
        FileNotFoundError: If a file does not exist.
        ValueError: If the config has no LoRA, or the checkpoint does not fill its model.
    """
    check_can_write(args.out)
    cfg = load_config(args.config, args.cfg_options)
    init_default_scope(cfg.get('default_scope', 'hicmae_mm'))
    model = MODELS.build(cfg.model)
    adapters = getattr(model, 'adapters', [])
    if not any(adapter.can_merge for adapter in adapters):
        raise ValueError(f'{args.config} has no LoRA in model.adapters: there is nothing to merge')
    checkpoint = read_checkpoint(args.source, model=model)
    load_weights(model, checkpoint['state_dict'], str(args.source), require_all=True)
    merged = merge_adapters(model)
    cfg.model.adapters = [kept for kept, adapter in zip(cfg.model.adapters, adapters) if not adapter.can_merge]
    old = checkpoint.get('meta', {})
    meta = checkpoint_meta(args.config) | {key: old[key] for key in KEPT if key in old}
    meta |= {'config': cfg.pretty_text, 'source': args.source.name, 'source_sha256': file_sha256(args.source)}
    write_checkpoint(args.out, model.state_dict(), meta)
    return merged


@command
def main(arguments: Sequence[str] | None = None) -> int:
    """Merges."""
    args = parse_args(arguments)
    merged = merge(args)
    print(f'{len(merged)} layers merged, written to {args.out}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
