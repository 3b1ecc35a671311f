"""Draws the learned layer mix of fine-tuned models: how much of every encoder layer goes into the clip's feature.

python tools/visualization/vis_layers.py CONFIG CHECKPOINT [CHECKPOINT ...] --out layers.png

Several checkpoints (folds, or a model with and one without pre-training) stand beside one another; the dashed line is
where all layers count the same, as they do before the training. The numbers go into a .csv file beside the picture.
"""

from __future__ import annotations

from hicmae_mm.commands.command_line import ArgumentParser, command

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from hicmae_mm.checkpoints.loading import allow_training_checkpoints, read_checkpoint
from hicmae_mm.config.override_values import OverrideAction
from hicmae_mm.config.overrides import load_config
from hicmae_mm.utils.files import csv_text, write_text
from hicmae_mm.visualization import save_figure
from hicmae_mm.visualization.layer_mix import draw_layer_mixes, layer_mixes


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Reads the command line."""
    parser = ArgumentParser(description='Draw learned layer mixes')
    parser.add_argument('config', help='config file of a recognizer')
    parser.add_argument('checkpoints', nargs='+', help='checkpoint files of it')
    parser.add_argument('--legend', nargs='+', help='a name for every checkpoint; default: its folder and file')
    parser.add_argument('--title', default='', help='title of the picture')
    parser.add_argument('--out', default='layers.png', help='picture (.png, .pdf, .svg; default: %(default)s)')
    parser.add_argument('--cfg-options', nargs='+', action=OverrideAction, help='key=value, overrides of the config')
    return parser.parse_args(argv)


def draw(args: argparse.Namespace) -> None:
    """Reads and draws.

    Raises:
        FileNotFoundError: If a file is missing.
        ValueError: If a model has no layer mix, or not the streams of the config.
    """
    streams = list(load_config(args.config, args.cfg_options).model.get('encoders') or [])
    names = args.legend or ['/'.join(Path(path).resolve().with_suffix('').parts[-2:]) for path in args.checkpoints]
    if len(set(names)) != len(args.checkpoints):
        raise ValueError(f'{len(args.checkpoints)} checkpoints need as many names, got {", ".join(names)}')
    allow_training_checkpoints()
    mixes = {}
    for name, path in zip(names, args.checkpoints):
        found = layer_mixes(read_checkpoint(path)['state_dict'], path)
        if set(found) != set(streams):
            raise ValueError(f'{path} mixes layers of {sorted(found)}, {args.config} has encoders of {streams}')
        mixes[name] = {stream: found[stream] for stream in streams}
    written = save_figure(draw_layer_mixes(mixes, args.title), args.out)
    rows = [
        dict(checkpoint=name, stream=stream, layer=layer, share=f'{share:.6f}')
        for name, parts in mixes.items()
        for stream, shares in parts.items()
        for layer, share in enumerate(shares)
    ]
    write_text(written.with_suffix('.csv'), csv_text(rows))
    print(f'wrote {written} and {written.with_suffix(".csv").name}')


@command
def main(argv: Sequence[str] | None = None) -> int:
    """Draws."""
    args = parse_args(argv)
    draw(args)
    return 0


if __name__ == '__main__':
    sys.exit(main())
