"""Draws the figures of docs/concepts from the running models and the quickstart's data.

python docs/figures/draw.py --quickstart work_dirs/quickstart --data-root data/synthetic --out docs/images/concepts

It needs what ``bash tools/quickstart.sh`` leaves, half a minute, and for one figure a pre-training with more contrast:

python tools/train.py configs/hicmae_nano_pretrain_synthetic.py --work-dir work_dirs/quickstart/contrast \\
    --cfg-options model.contrastive.loss.loss_weight=1.0

Pictures are reduced to few colours, so that each stays below 60 kB.
"""

from __future__ import annotations

from hicmae_mm.commands.command_line import ArgumentParser, command

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from finetuning import draw_layer_mix, draw_missing_streams, draw_schedule
from matplotlib.figure import Figure
from mmengine.registry import init_default_scope
from PIL import Image
from pretraining import draw_batch_path, draw_contrast, draw_hierarchy, draw_masks
from quickstart import Quickstart
from sampling import draw_sampling

from hicmae_mm.visualization import save_figure

FIGURES: dict[str, Callable[[Quickstart], Figure]] = {
    'hierarchy': draw_hierarchy,
    'masks': draw_masks,
    'batch_path': draw_batch_path,
    'contrast': draw_contrast,
    'layer_mix': draw_layer_mix,
    'missing_streams': draw_missing_streams,
    'schedule': draw_schedule,
    'sampling': draw_sampling,
}
NUM_COLORS = 40


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Reads the command line."""
    parser = ArgumentParser(description='Draw the figures of the concept pages')
    parser.add_argument('--quickstart', type=Path, default='work_dirs/quickstart', help='work folder of the quickstart')
    parser.add_argument('--data-root', type=Path, default='data/synthetic', help='its corpus')
    parser.add_argument('--out', type=Path, default='docs/images/concepts', help='folder of the pictures')
    parser.add_argument('--only', nargs='+', choices=tuple(FIGURES), default=tuple(FIGURES), help='some of them')
    return parser.parse_args(argv)


def reduce_colors(path: Path) -> int:
    """Rewrites a picture with few colours; returns its size in bytes."""
    with Image.open(path) as picture:
        reduced = picture.convert('RGB').quantize(NUM_COLORS, dither=Image.Dither.NONE)
    reduced.save(path, optimize=True)
    return path.stat().st_size


@command
def main(argv: Sequence[str] | None = None) -> int:
    """Draws."""
    args = parse_args(argv)
    init_default_scope('hicmae_mm')
    try:
        source = Quickstart(args.quickstart, args.data_root)
        for name in args.only:
            path = save_figure(FIGURES[name](source), args.out / f'{name}.png')
            print(f'wrote {path}, {reduce_colors(path) / 1000:.0f} kB', flush=True)
    except (FileNotFoundError, ValueError) as error:
        print(f'error: {error}', file=sys.stderr)
        return 1
    return 0


if __name__ == '__main__':
    sys.exit(main())
