"""Models and clips for the tools that look into a model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

import numpy as np
import torch
from mmengine.config import Config
from torch import Tensor
from torch.utils.data import DataLoader

from hicmae_mm.checkpoints.loading import allow_training_checkpoints, load_weights, read_checkpoint
from hicmae_mm.config.collation import Collate
from hicmae_mm.datasets import SampleIndex
from hicmae_mm.datasets.sharing import CollateIntoSharedMemory
from hicmae_mm.models.base import AudioVisualModel
from hicmae_mm.models.pretrainer import AudioVisualPretrainer
from hicmae_mm.registry import DATASETS, MODELS
from hicmae_mm.structures import SkippedSample

SPLITS = ('test', 'val', 'train')

AnyModel = TypeVar('AnyModel', bound=AudioVisualModel)


def load_model(
    cfg: Config, checkpoint: str, device: str, kind: type[AnyModel], needed: Sequence[str] = ('',)
) -> AnyModel:
    """Builds a config's model, fills it, and puts it into evaluation mode.

    Args:
        cfg: Config with a ``model``.
        checkpoint: File of weights.
        device: Device on which the model runs.
        kind: Kind that the model must have.
        needed: Beginnings of the names that the checkpoint must fill; by default all. With ``('encoders.', 'fusion.')``
            the checkpoint may be one of pre-training.

    Raises:
        FileNotFoundError: If there is no such checkpoint.
        ValueError: If the model is another one, or the checkpoint does not fill it.
    """
    model = MODELS.build(cfg.model)
    if not isinstance(model, kind):
        raise ValueError(f'{cfg.model.type} will not do: expected the config of an {kind.__name__}')
    allow_training_checkpoints()
    whole = '' in needed
    report = load_weights(model, read_checkpoint(checkpoint, model=model)['state_dict'], checkpoint, require_all=whole)
    unfilled = [name for name in (*report.missing, *report.mismatched) if name.startswith(tuple(needed))]
    if unfilled:
        raise ValueError(f'{checkpoint} does not fill {unfilled[0]} and {len(unfilled) - 1} more of the model')
    placed: AnyModel = model.to(device).eval()
    return placed


def build_dataset(cfg: Config, split: str | None, order: Sequence[str] = SPLITS) -> Sequence[Any]:
    """Builds the data set of a split, or of the first split that the config has.

    Raises:
        ValueError: If there is none.
    """
    for name in order if split is None else (split,):
        loader = cfg.get(f'{name}_dataloader')
        if loader:
            dataset: Sequence[Any] = DATASETS.build(loader['dataset'])
            return dataset
    raise ValueError(f'the config has no data loader of {split or ", ".join(order)}')


def batches(
    dataset: Sequence[Any],
    indices: Sequence[int],
    batch_size: int,
    collate: Collate,
    num_workers: int = 0,
    seed: int = 0,
) -> Iterator[dict[str, Any]]:
    """Yields collated batches of some clips in the given order.

    Each is read under its own seed; skipped ones are left out.
    """
    loader: DataLoader[Any] = DataLoader(
        dataset,  # type: ignore[arg-type]
        batch_size=batch_size,
        sampler=[SampleIndex(index, seed, 0) for index in indices],
        num_workers=num_workers,
        collate_fn=CollateIntoSharedMemory(collate),
    )
    yield from loader


def read_clip(dataset: Sequence[Any], index: int, collate: Collate, seed: int = 0) -> dict[str, Any]:
    """Makes a batch of one clip.

    Raises:
        ValueError: If the clip cannot be read.
    """
    sample = dataset[SampleIndex(index, seed, 0)]
    if isinstance(sample, SkippedSample):
        raise ValueError(f'{sample.sample_id} cannot be read: {sample.reason}')
    return collate([sample])


def evenly_chosen(length: int, count: int) -> list[int]:
    """Returns at most ``count`` indices of ``length``, evenly spaced from the first one."""
    count = min(count, length)
    indices: list[int] = (np.arange(count) * length // max(count, 1)).tolist()
    return indices


@torch.no_grad()
def reconstruct_clip(
    model: AudioVisualPretrainer, batch: dict[str, Any]
) -> tuple[str, dict[str, dict[str, Tensor]], list[float], list[float]]:
    """Returns name, stages by stream (as ``reconstruct`` gives them), mean and deviation, of a clip's first view."""
    data = model.data_preprocessor(batch, training=False)
    streams = model.reconstruct(data['inputs'], data.get('masks'))
    stages = {name: {stage: tensor[0] for stage, tensor in parts.items()} for name, parts in streams.items()}
    mean, std = (getattr(model.data_preprocessor, name).flatten().tolist() for name in ('mean', 'std'))
    return str(batch['data_samples'][0].get('sample_id', 'clip')), stages, mean, std
