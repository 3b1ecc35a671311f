"""Draws what a pre-trained model makes of masked clips: original, model input, reconstruction.

python tools/visualization/vis_reconstruction.py CONFIG CHECKPOINT --out pictures --num-clips 4

Hidden patches of the reconstruction are the prediction, scaled back by mean and deviation of the true patch, which the
model was not asked to predict; visible patches are the original ones.
"""

from __future__ import annotations

from hicmae_mm.commands.command_line import ArgumentParser, command

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import torch
from mmengine.registry import init_default_scope

from hicmae_mm.config.collation import collate_of
from hicmae_mm.config.override_values import OverrideAction
from hicmae_mm.config.overrides import load_config
from hicmae_mm.models.pretrainer import AudioVisualPretrainer
from hicmae_mm.visualization import draw_reconstruction, save_figure
from hicmae_mm.visualization.hooks.prediction_visualization import safe_file_name
from hicmae_mm.visualization.probe import build_dataset, evenly_chosen, load_model, read_clip, reconstruct_clip

SPLITS = ('val', 'test', 'train')


def parse_args(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Reads the command line."""
    parser = ArgumentParser(description='Draw reconstructions of masked clips')
    parser.add_argument('config', help='config file of a pre-training')
    parser.add_argument('checkpoint', help='checkpoint file')
    parser.add_argument('--out', default='reconstructions', help='folder of the pictures')
    parser.add_argument('--num-clips', type=int, default=4, help='number of clips, evenly spaced over the data set')
    parser.add_argument(
        '--split', choices=SPLITS, help='split whose clips are taken; default: the first of val, test, train'
    )
    parser.add_argument('--num-frames', type=int, default=8, help='frames per strip')
    parser.add_argument('--seed', type=int, default=0, help='seed of the masks')
    parser.add_argument('--device', default='cuda' if torch.cuda.is_available() else 'cpu', help='cpu, cuda, cuda:1')
    parser.add_argument('--cfg-options', nargs='+', action=OverrideAction, help='key=value, overrides of the config')
    args = parser.parse_args(arguments)
    if args.num_clips < 1 or args.num_frames < 1:
        parser.error(f'--num-clips and --num-frames must be at least 1, got {args.num_clips} and {args.num_frames}')
    return args


@command
def main(arguments: Sequence[str] | None = None) -> None:
    """Draws."""
    args = parse_args(arguments)
    cfg = load_config(args.config, args.cfg_options)
    init_default_scope(cfg.get('default_scope', 'hicmae_mm'))
    model = load_model(cfg, args.checkpoint, args.device, AudioVisualPretrainer)
    dataset, collate = build_dataset(cfg, args.split, SPLITS), collate_of(cfg, args.split, SPLITS)
    for index in evenly_chosen(len(dataset), args.num_clips):
        try:
            batch = read_clip(dataset, index, collate, args.seed)
        except ValueError as error:
            print(f'left out {error}')
            continue
        name, streams, mean, std = reconstruct_clip(model, batch)
        figure = draw_reconstruction(streams, mean, std, title=name, num_frames=args.num_frames)
        print(f'wrote {save_figure(figure, Path(args.out) / f"{safe_file_name(name)}.png")}', flush=True)


if __name__ == '__main__':
    sys.exit(main())
