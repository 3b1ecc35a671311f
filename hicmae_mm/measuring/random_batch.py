"""Makes a batch of noise that fits a model, for timing and counting."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Size, Tensor

from hicmae_mm.models.base import AudioVisualModel
from hicmae_mm.models.heads import MultiTaskHead
from hicmae_mm.models.heads.base import LinearHead
from hicmae_mm.registry import TRANSFORMS
from hicmae_mm.structures import EmotionDataSample, Stream

MASK_RATIOS = {'video': 0.9, 'audio': 0.8}  # HiCMAE, "Pre-training"


def random_inputs(
    model: AudioVisualModel, batch_size: int, generator: torch.Generator | None = None
) -> dict[str, Stream]:
    """Returns the normalised input of every stream of a model, standard normal, as its encoder takes it.

    Args:
        model: A model with ``encoders``.
        batch_size: Number of views B.
        generator: Generator of random numbers.
    """
    return {name: encoder.example_input(batch_size, generator) for name, encoder in model.encoders.items()}


def random_masks(
    model: AudioVisualModel, batch_size: int, pipeline: Iterable[Mapping[str, Any]] = (), seed: int = 0
) -> dict[str, Tensor]:
    """Masks ``(B, N)`` bool of every stream, True = masked, and those of decoders that transforms make.

    Args:
        model: A model with ``encoders``.
        batch_size: Number of rows B.
        pipeline: Transforms of a config; those that make masks are run. A stream that none of them masks gets a random
            mask of the published ratio (0.9 of video, 0.8 of audio).
        seed: Seed of NumPy's generator, which the transforms draw from; its state is put back.
    """
    makers = [TRANSFORMS.build(dict(step)) for step in pipeline if str(step.get('type', '')).endswith('Mask')]
    streams = {name: Size(encoder.grid).numel() for name, encoder in model.encoders.items()}
    rows: dict[str, list[Tensor]] = {name: [] for name in streams}
    state = np.random.get_state()
    np.random.seed(seed)
    for _ in range(batch_size):
        results: dict[str, Any] = {'streams': tuple(streams), 'masks': {}}
        for maker in makers:
            results = maker(results)
        for name, count in streams.items():
            mask = results['masks'].get(name)
            if mask is None:
                mask = np.random.permutation(count) < int(MASK_RATIOS.get(name, 0.8) * count)
            rows[name].append(torch.from_numpy(mask))
        for name in results['masks'].keys() - streams:
            rows.setdefault(name, []).append(torch.from_numpy(results['masks'][name]))
    np.random.set_state(state)
    return {name: torch.stack(masks) for name, masks in rows.items()}


def random_batch(
    model: AudioVisualModel, batch_size: int, pipeline: Iterable[Mapping[str, Any]] = (), seed: int = 0
) -> dict[str, Any]:
    """Makes what a data loader hands to a model: uint8 frames, spectrograms, masks for a pre-trainer, labels.

    Args:
        model: pre-trainer or recognizer.
        batch_size: Clips of one view each.
        pipeline: Pipeline of the config, for its masks.
        seed: Seed of the noise.
    """
    generator = torch.Generator().manual_seed(seed)
    inputs = random_inputs(model, batch_size, generator)
    heads = _heads(model)
    num_steps = _num_steps(model, inputs) if any(head.level == 'frame' for head in heads) else None
    for name, tensor in inputs.items():
        if isinstance(tensor, Tensor) and tensor.ndim == 5:  # (B, 3, T, H, W) -> uint8 (B, T, H, W, 3)
            inputs[name] = (tensor * 60 + 128).clamp(0, 255).byte().permute(0, 2, 3, 4, 1).contiguous()
    batch: dict[str, Any] = {'inputs': inputs}
    if hasattr(model, 'decoders'):
        batch['masks'] = random_masks(model, batch_size, pipeline, seed)
    batch['data_samples'] = [_random_sample(heads, index, num_steps, generator) for index in range(batch_size)]
    for index, sample in enumerate(batch['data_samples']):
        sample.set_metainfo({'columns': model.example_columns(index)})
    return {**batch, 'skipped': []}


def _heads(model: AudioVisualModel) -> list[LinearHead]:
    head = getattr(model, 'head', None)
    parts = head.heads.values() if isinstance(head, MultiTaskHead) else [head]
    return [part for part in parts if isinstance(part, LinearHead)]


@torch.no_grad()
def _num_steps(model: AudioVisualModel, inputs: dict[str, Stream]) -> int:
    """Returns the number of time steps for which a model of frames predicts."""
    is_training = model.training
    features = model.eval().extract_features(inputs)
    model.train(is_training)
    return int(features.shape[1])


def _random_sample(
    heads: Sequence[LinearHead], index: int, num_steps: int | None, generator: torch.Generator
) -> EmotionDataSample:
    sample = EmotionDataSample(metainfo={'sample_id': f'noise_{index}', 'sample_idx': index, 'num_views': 1})
    for head in heads:
        target = head.example_target(num_steps, generator)
        if target is None:
            continue
        if head.target == 'label':
            sample.set_gt_label(target)
        elif head.target == 'values':
            sample.set_gt_values(target)
        else:
            sample.set_target(head.target, target)
    return sample
