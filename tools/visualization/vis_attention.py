"""Draws what a model attends to: attention rolled out to the frames, the spectrogram and the tokens of a text.

python tools/visualization/vis_attention.py CONFIG CHECKPOINT --clip clips/0001.mp4 --out pictures

For every stream three maps over its input: what is in the tokens of its own encoder, what the other stream's
cross-attention takes of it, and what is in the fused tokens. A value of 2 is twice the average token's. Rollout (Abnar
and Zuidema, 2020) follows attention through the layers; it does not say which emotion a place speaks for.
"""

from __future__ import annotations

from hicmae_mm.commands.command_line import ArgumentParser, command

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.registry import init_default_scope

from hicmae_mm.config.collation import collate_of
from hicmae_mm.config.override_values import OverrideAction
from hicmae_mm.config.overrides import load_config
from hicmae_mm.models.base import AudioVisualModel
from hicmae_mm.structures import Padded, Stream
from hicmae_mm.utils.files import replaced_file
from hicmae_mm.visualization import save_figure
from hicmae_mm.visualization.attention import draw_attention
from hicmae_mm.visualization.hooks.prediction_visualization import safe_file_name
from hicmae_mm.visualization.probe import SPLITS, build_dataset, evenly_chosen, load_model, read_clip
from hicmae_mm.visualization.rollout import HEAD_FUSIONS, roll_out_model


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Reads the command line."""
    parser = ArgumentParser(description='Draw attention over frames and spectrogram')
    parser.add_argument('config', help='config file, of a recognizer or of a pre-training')
    parser.add_argument('checkpoint', help='checkpoint file')
    parser.add_argument('--clip', nargs='+', help='names of clips in the list, or their positions; default: some')
    parser.add_argument('--num-clips', type=int, default=2, help='without --clip, evenly spaced (default: %(default)s)')
    parser.add_argument(
        '--split', choices=SPLITS, help='split whose clips are taken; default: the first of test, val, train'
    )
    parser.add_argument('--out', default='attention', help='folder of the pictures (default: %(default)s)')
    parser.add_argument('--num-frames', type=int, default=8, help='frames per strip (default: %(default)s)')
    parser.add_argument(
        '--head-fusion', choices=HEAD_FUSIONS, default='mean', help='rule that joins the heads (default: %(default)s)'
    )
    parser.add_argument('--save-maps', action='store_true', help='also write the maps of every clip as .npz')
    parser.add_argument('--device', default='cuda' if torch.cuda.is_available() else 'cpu', help='cpu, cuda, cuda:1')
    parser.add_argument('--cfg-options', nargs='+', action=OverrideAction, help='key=value, overrides of the config')
    args = parser.parse_args(argv)
    if min(args.num_clips, args.num_frames) < 1:
        parser.error('--num-clips and --num-frames must be at least 1')
    return args


def choose(dataset: Sequence[Any], clips: list[str] | None, count: int) -> list[int]:
    """Positions of the clips asked for.

    Raises:
        ValueError: If there is no such clip.
    """
    if clips is None:
        return evenly_chosen(len(dataset), count)
    if not hasattr(dataset, 'get_data_info'):
        raise ValueError(f'{type(dataset).__name__} has no list of clips: leave --clip out')
    names = {str(dataset.get_data_info(index)['sample_id']): index for index in range(len(dataset))}
    chosen = []
    for clip in clips:
        index = names.get(clip, int(clip) if clip.isdecimal() else -1)
        if not 0 <= index < len(dataset):
            raise ValueError(f'no clip {clip!r}: the list has {len(dataset)}, the first is {next(iter(names))!r}')
        chosen.append(index)
    return chosen


def what_is_shown(streams: Sequence[str]) -> dict[str, dict[str, str]]:
    """Labels of the maps, by stream and kind."""
    seen_by = {'video': 'attended to by the sound', 'audio': 'attended to by the face'}
    return {
        name: {'encoder': f'{name} encoder', 'crossed': seen_by.get(name, 'seen by the other'), 'fused': 'fused tokens'}
        for name in streams
    }


def first_view(values: Stream) -> Stream:
    """Takes the first view of a clip, without padding."""
    if isinstance(values, Padded):
        return Padded(values.values[:1, : int(values.lengths[0])], values.lengths[:1])
    return values[:1]


def draw_clip(model: AudioVisualModel, batch: dict[str, Any], args: argparse.Namespace) -> Path:
    """Writes the picture of a clip's first view."""
    name = str(batch['data_samples'][0].get('sample_id', 'clip'))
    data = model.data_preprocessor(batch, training=False)
    inputs = {stream: first_view(values) for stream, values in data['inputs'].items()}
    rollout = roll_out_model(model, inputs, args.head_fusion)
    maps: dict[str, dict[str, np.ndarray]] = {
        stream: {
            kind: values[0].reshape(getattr(encoder, 'grid', (-1,))).cpu().numpy()
            for kind, values in rollout.relevance(stream).items()
        }
        for stream, encoder in model.encoders.items()
    }
    frames = batch['inputs']['video'][0].numpy() if 'video' in maps else None
    spectrogram = batch['inputs']['audio'][0, 0].numpy() if 'audio' in maps else None
    figure = draw_attention(frames, spectrogram, maps, what_is_shown(list(maps)), name, args.num_frames)
    path = Path(args.out) / f'{safe_file_name(name)}.png'
    if args.save_maps:
        flat = {f'{stream}_{kind}': heat for stream, kinds in maps.items() for kind, heat in kinds.items()}
        with replaced_file(path.with_suffix('.npz')) as partial, partial.open('wb') as file:
            np.savez(file, **flat)  # type: ignore[arg-type]
    return save_figure(figure, path)


@command
def main(argv: Sequence[str] | None = None) -> int:
    """Draws."""
    args = parse_args(argv)
    cfg = load_config(args.config, args.cfg_options)
    init_default_scope(cfg.get('default_scope', 'hicmae_mm'))
    model = load_model(cfg, args.checkpoint, args.device, AudioVisualModel, ('encoders.', 'fusion.'))
    dataset, collate = build_dataset(cfg, args.split), collate_of(cfg, args.split, SPLITS)
    for index in choose(dataset, args.clip, args.num_clips):
        print(
            f'wrote {draw_clip(model, read_clip(dataset, index, collate), args)}',
            flush=True,
        )
    return 0


if __name__ == '__main__':
    sys.exit(main())
