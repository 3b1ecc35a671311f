"""Draws what a pre-trained model makes of masked clips: original, model input, reconstruction.

python tools/visualization/vis_reconstruction.py CONFIG CHECKPOINT --out pictures --num-clips 4

Hidden patches of the reconstruction are the prediction, scaled back by mean and deviation of the true patch, which the
model was not asked to predict; visible patches are the original ones.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config, DictAction
from mmengine.registry import init_default_scope

from hicmae_mm.datasets import SampleIndex, collate_audio_visual
from hicmae_mm.engine.hooks.prediction_visualization import safe_file_name
from hicmae_mm.models.pretrainer import AudioVisualPretrainer
from hicmae_mm.registry import DATASETS, MODELS
from hicmae_mm.structures import SkippedSample
from hicmae_mm.utils.checkpoint import allow_training_checkpoints, load_weights, read_checkpoint
from hicmae_mm.utils.config_overrides import load_config
from hicmae_mm.visualization import draw_reconstruction, save_figure

SPLITS = ('val', 'test', 'train')


def parse_args(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description='Draw reconstructions of masked clips')
    parser.add_argument('config', help='config file of a pre-training')
    parser.add_argument('checkpoint', help='checkpoint file')
    parser.add_argument('--out', default='reconstructions', help='folder of the pictures')
    parser.add_argument('--num-clips', type=int, default=4, help='how many clips, evenly spaced over the data set')
    parser.add_argument('--split', choices=SPLITS, help='whose clips; default: the first of val, test, train')
    parser.add_argument('--num-frames', type=int, default=8, help='frames per strip')
    parser.add_argument('--seed', type=int, default=0, help='of the masks')
    parser.add_argument('--device', default='cuda' if torch.cuda.is_available() else 'cpu', help='cpu, cuda, cuda:1')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, help='key=value, overrides of the config')
    args = parser.parse_args(arguments)
    if args.num_clips < 1 or args.num_frames < 1:
        parser.error(f'--num-clips and --num-frames must be at least 1, got {args.num_clips} and {args.num_frames}')
    return args


def load_model(cfg: Config, checkpoint: str, device: str) -> AudioVisualPretrainer:
    """Builds the model and fills all of it.

    Raises:
        ValueError: if the config's model is no pre-trainer, or the checkpoint does not fill it.
    """
    model = MODELS.build(cfg.model)
    if not isinstance(model, AudioVisualPretrainer):
        raise ValueError(f'{cfg.model.type} reconstructs nothing: give the config of a pre-training')
    allow_training_checkpoints()
    load_weights(model, read_checkpoint(checkpoint)['state_dict'], checkpoint, require_all=True)
    return model.to(device).eval()


def build_dataset(cfg: Config, split: str | None) -> Sequence[Any]:
    """The data set of a split, or of the first split that the config has.

    Raises:
        ValueError: if there is none.
    """
    for name in SPLITS if split is None else (split,):
        loader = cfg.get(f'{name}_dataloader')
        if loader:
            return DATASETS.build(loader['dataset'])
    raise ValueError(f'the config has no data loader of {split or SPLITS}')


def reconstruct(model: AudioVisualPretrainer, sample: dict[str, Any]) -> tuple[str, dict[str, dict[str, torch.Tensor]]]:
    """Name of a clip, and its first view's stages by stream."""
    batch = collate_audio_visual([sample])
    data = model.data_preprocessor(batch, training=False)
    with torch.no_grad():
        streams = model.reconstruct(data['inputs'], data.get('masks'))
    stages = {name: {stage: tensor[0] for stage, tensor in parts.items()} for name, parts in streams.items()}
    return str(batch['data_samples'][0].get('sample_id', 'clip')), stages


def main(arguments: Sequence[str] | None = None) -> None:
    """Draws."""
    args = parse_args(arguments)
    try:
        cfg = load_config(args.config, args.cfg_options)
        init_default_scope(cfg.get('default_scope', 'hicmae_mm'))
        model = load_model(cfg, args.checkpoint, args.device)
        dataset = build_dataset(cfg, args.split)
        mean = model.data_preprocessor.mean.flatten().tolist()
        std = model.data_preprocessor.std.flatten().tolist()
        count = min(args.num_clips, len(dataset))
        for index in (i * len(dataset) // count for i in range(count)):
            sample = dataset[SampleIndex(index, args.seed, 0)]
            if isinstance(sample, SkippedSample):
                print(f'left out {sample.sample_id}: {sample.reason}')
                continue
            name, streams = reconstruct(model, sample)
            figure = draw_reconstruction(streams, mean, std, title=name, num_frames=args.num_frames)
            print(f'wrote {save_figure(figure, Path(args.out) / f"{safe_file_name(name)}.png")}', flush=True)
    except (FileNotFoundError, ValueError) as error:
        raise SystemExit(f'error: {error}') from error


if __name__ == '__main__':
    main()
