"""Draws clips as a config's pipeline sees them: frames, hidden patches, spectrogram, features; prints their words.

python tools/visualization/browse_dataset.py CONFIG --out-dir pictures --mode pipeline --show-number 4

Modes: `original` draws the decoded frames, `transformed` what goes to the model, `concat` both, `pipeline` every step
that changes the frames.
"""

from __future__ import annotations

from hicmae_mm.commands.command_line import ArgumentParser, command, point_elsewhere

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.registry import init_default_scope
from torch import Tensor

from hicmae_mm.config.override_values import OverrideAction
from hicmae_mm.config.overrides import load_config
from hicmae_mm.datasets.av_dataset import AudioVisualDataset, seeded
from hicmae_mm.datasets.errors import MediaError
from hicmae_mm.datasets.transforms import Tokenize
from hicmae_mm.registry import DATASETS
from hicmae_mm.structures import Padded
from hicmae_mm.visualization import save_figure
from hicmae_mm.visualization.hooks.prediction_visualization import safe_file_name
from hicmae_mm.visualization.samples import PipelineTrace, draw_trace

MODES = ('original', 'transformed', 'concat', 'pipeline')


ELSEWHERE = {
    '--show-interval -i --fps': 'no window is opened; --out-dir names the folder of the pictures',
    '--rescale-factor -r': '--num-frames says how large a strip becomes',
    '--channel-order': 'pictures are RGB',
    '--label': "the names of the classes are the config's",
}


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Reads the command line."""
    parser = ArgumentParser(description='Draw the clips of a data set')
    parser.add_argument('config', help='config file')
    parser.add_argument(
        *('--out-dir', '--output-dir', '-o'), default='browse', help='folder of the pictures (default: %(default)s)'
    )
    parser.add_argument(
        '--phase', '-p', choices=('train', 'val', 'test'), default='train', help='(default: %(default)s)'
    )
    parser.add_argument('--show-number', '-n', type=int, default=8, help='clips, evenly spaced (default: %(default)s)')
    parser.add_argument(
        '--mode', '-m', choices=MODES, default='transformed', help='stage of the clips (default: %(default)s)'
    )
    parser.add_argument('--num-frames', type=int, default=8, help='frames of a strip (default: %(default)s)')
    parser.add_argument('--not-show', action='store_true', help='accepted as in OpenMMLab; no window is opened anyway')
    parser.add_argument('--seed', type=int, default=0, help='seed of the augmentation (default: %(default)s)')
    parser.add_argument('--cfg-options', nargs='+', action=OverrideAction, help='key=value, overrides of the config')
    point_elsewhere(parser, ELSEWHERE)
    args = parser.parse_args(argv)
    if min(args.show_number, args.num_frames) < 1:
        parser.error('--show-number and --num-frames must be at least 1')
    return args


def trace_clip(dataset: AudioVisualDataset, index: int, seed: int) -> tuple[str, PipelineTrace, list[str]]:
    """Returns the name of a clip, the result of every step of the pipeline, and its words."""
    words = []
    trace = PipelineTrace()
    results = dataset.get_data_info(index)
    name, before = str(results['sample_id']), None
    with seeded(seed, 0, index):
        for transform in dataset.pipeline.transforms:
            results = transform(results)
            if 'imgs' in results:
                frames = np.stack(results['imgs'][: results['clip_len']])  # first view
                if before is None or not np.array_equal(frames, before):
                    trace.frames[f'{len(trace.frames)} {type(transform).__name__}'] = before = frames
            new_masks = results.get('masks', {}).keys() - trace.masks.keys()
            if 'inputs' not in results:
                for stream in new_masks:
                    trace.masks[stream], trace.grids[stream] = results['masks'][stream], tuple(transform.grid)
            if 'spectrograms' in results:
                trace.spectrogram = results['spectrograms'][0].numpy()
            if isinstance(transform, Tokenize) and f'{transform.stream}_ids' in results:
                ids = results[f'{transform.stream}_ids']
                text = results['columns'][transform.field]
                words.append(f'{name}: {transform.stream} {text!r}, {len(ids)} tokens {np.asarray(ids).tolist()}')
    for stream, value in results['inputs'].items():
        row = first_row(value)
        is_drawn = (stream == 'video' and trace.frames) or (stream == 'audio' and trace.spectrogram is not None)
        if not is_drawn and row.ndim < 3 and row.dtype.kind == 'f':
            trace.sequences[stream] = row
    return name, trace, words


def first_row(value: Tensor | Padded) -> np.ndarray:
    """Returns what the model gets of the first view of a clip."""
    if isinstance(value, Padded):
        return value.values[0, : int(value.lengths[0])].numpy()
    return value[0].numpy()


def select_stages(trace: PipelineTrace, mode: str) -> PipelineTrace:
    """Keeps the strips that a mode shows; hidden patches only in the one that goes to the model."""
    steps = {step.partition(' ')[2]: frames for step, frames in trace.frames.items()}
    if not steps:
        return trace
    first, last = next(iter(steps.items())), list(steps.values())[-1]
    if mode == 'original':
        return replace(trace, frames=dict([first]), masks={}, grids={})
    shown = {'transformed': {}, 'concat': dict([first]), 'pipeline': steps}[mode]
    if mode != 'pipeline' or 'video' in trace.masks:
        shown = {**shown, 'model input': last}
    return replace(trace, frames=shown)


def browse(args: argparse.Namespace) -> None:
    """Draws.

    Raises:
        ValueError: If the config has no data of that phase, or its data set is not a list of clips.
    """
    cfg = load_config(args.config, args.cfg_options)
    init_default_scope(cfg.get('default_scope', 'hicmae_mm'))
    loader: dict[str, Any] | None = cfg.get(f'{args.phase}_dataloader')
    if not loader:
        raise ValueError(f'{args.config} has no {args.phase}_dataloader')
    dataset = DATASETS.build(loader['dataset'])
    if not isinstance(dataset, AudioVisualDataset):
        raise ValueError(f'{type(dataset).__name__} cannot be browsed, expected an AudioVisualDataset')
    count = min(args.show_number, len(dataset))
    for index in (i * len(dataset) // count for i in range(count)):
        try:
            name, trace, words = trace_clip(dataset, index, args.seed)
        except (MediaError, FileNotFoundError) as error:
            print(f'left out clip {index}: {error}', file=sys.stderr)
            continue
        print(*words, sep='\n', end='\n' if words else '')
        if not (trace.frames or trace.sequences or trace.spectrogram is not None):
            continue  # words alone are not drawn
        record = dataset.get_data_info(index)
        label = record.get('gt_label', record.get('gt_values'))
        classes = dataset.metainfo.get('classes')
        if classes and 'gt_label' in record:
            label = classes[label]
        title = name if label is None else f'{name}: {label}'
        figure = draw_trace(select_stages(trace, args.mode), title, args.num_frames)
        print(f'wrote {save_figure(figure, Path(args.out_dir) / f"{index:06d}_{safe_file_name(name)}.png")}')


@command
def main(argv: Sequence[str] | None = None) -> int:
    """Browses."""
    args = parse_args(argv)
    browse(args)
    return 0


if __name__ == '__main__':
    sys.exit(main())
