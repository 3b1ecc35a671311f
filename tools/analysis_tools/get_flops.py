"""Counts parameters and multiply-accumulates of a config's model, for one clip or view.

python tools/analysis_tools/get_flops.py configs/hicmae_base_cremad.py
"""

from __future__ import annotations

from hicmae_mm.commands.command_line import ArgumentParser, command, point_elsewhere

import argparse
import sys
from collections.abc import Sequence

from mmengine.registry import init_default_scope

from hicmae_mm.config.facts import without_folders
from hicmae_mm.config.override_values import OverrideAction
from hicmae_mm.config.overrides import load_config
from hicmae_mm.measuring.complexity import Complexity, count_complexity, published_macs
from hicmae_mm.measuring.random_batch import random_inputs, random_masks
from hicmae_mm.models.base import AudioVisualModel
from hicmae_mm.registry import MODELS

ELSEWHERE = {
    '--shape': 'the shape of the input follows from the model, such as '
    '--cfg-options model.encoders.video.patch_embed.image_size=224',
}


def parse_args(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Reads the command line."""
    parser = ArgumentParser(description='Count parameters and multiply-accumulates of a model')
    parser.add_argument('config', help='config file')
    parser.add_argument('--depth', type=int, default=2, help='levels of the table of modules')
    parser.add_argument('--cfg-options', nargs='+', action=OverrideAction, help='key=value, overrides of the config')
    point_elsewhere(parser, ELSEWHERE)
    return parser.parse_args(arguments)


def print_table(complexity: Complexity, depth: int) -> None:
    """Prints every module down to a level, with its share of work."""
    print(f'{"module":36s}{"parameters (M)":>16s}{"MACs (G)":>12s}')
    for name, macs in complexity.macs_by_module.items():
        parameters = complexity.parameters_by_module.get(name, 0)
        if name.count('.') < depth and (macs or parameters):
            print(f'{name or "whole model":36s}{parameters / 1e6:16.3f}{macs / 1e9:12.3f}')


@command
def main(arguments: Sequence[str] | None = None) -> None:
    """Counts and prints."""
    args = parse_args(arguments)
    cfg = load_config(args.config, args.cfg_options)
    init_default_scope(cfg.get('default_scope', 'hicmae_mm'))
    model = MODELS.build(without_folders(cfg.model))
    if not isinstance(model, AudioVisualModel):
        raise ValueError(f'{cfg.model.type} has no encoders by stream, so its inputs are not known')
    masks = None
    if hasattr(model, 'decoders'):
        dataset = (cfg.get('train_dataloader') or {}).get('dataset') or {}
        masks = random_masks(model, 1, dataset.get('pipeline') or [])
    inputs = random_inputs(model, 1)
    complexity = count_complexity(model, inputs, masks)
    print_table(complexity, args.depth)
    print()
    for name, tensor in inputs.items():
        hidden = '' if masks is None else f', {int(masks[name].sum())} of {masks[name].shape[1]} tokens masked'
        print(f'Input {name}: {tuple(tensor.shape[1:])}{hidden}')
    print(f'Parameters: {complexity.parameters / 1e6:.1f} M')
    print(f'Forward: {complexity.macs / 1e9:.1f} G multiply-accumulates ({2 * complexity.macs / 1e9:.1f} GFLOP)')
    try:
        published = published_macs(model, masks)
    except TypeError:
        return
    print(f'Published implementation: {published / 1e9:.1f} G multiply-accumulates ({2 * published / 1e9:.1f} GFLOP)')


if __name__ == '__main__':
    sys.exit(main())
