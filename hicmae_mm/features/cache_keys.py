"""Identifies a cache of encoder outputs: the encoders, their weights, and how clips are read."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config
from torch import nn

from hicmae_mm.datasets.stored_features import INFO_FILE
from hicmae_mm.features.data import annotated_datasets
from hicmae_mm.features.weights import weights_sha256
from hicmae_mm.models.base import AudioVisualModel
from hicmae_mm.utils.files import read_json_object

ROWS = '_rows'  # ending of the column with the number of stored rows of each view


def frozen_streams(model: AudioVisualModel) -> tuple[str, ...]:
    """Returns the streams whose encoders have no trained parameter."""
    encoders = model.encoders.items()
    return tuple(name for name, encoder in encoders if not any(value.requires_grad for value in encoder.parameters()))


def check_can_cache(model: nn.Module, streams: Sequence[str]) -> None:
    """Raises ValueError if a model has no frozen encoders, trains one of picture or sound, or mixes raw inputs."""
    if not isinstance(model, AudioVisualModel) or not hasattr(model, 'head'):
        raise ValueError(f'{type(model).__name__} has no head that could be trained on cached outputs')
    trained = [name for name in ('video', 'audio') if name in model.encoders and name not in streams]
    if not streams or trained:
        names = ', '.join(f"'encoders.{name}'" for name in trained or model.encoders)
        raise ValueError(f'a cache needs frozen encoders of picture and sound: set model.frozen=[{names}, ...]')
    running = [name for name in streams if any(part.training for part in model.train().encoders[name].modules())]
    if running:
        raise ValueError(
            f'the encoders of {running} are frozen by their parts and stay in training mode: freeze them as a whole, '
            f"frozen=['encoders.{running[0]}']"
        )
    if getattr(model.data_preprocessor, 'batch_augment', None) is not None:
        raise ValueError(
            'model.data_preprocessor.batch_augment mixes clips before they are encoded, which a cache cannot do: set '
            'it to None'
        )


def encoder_key(model: AudioVisualModel, cfg: Config, stream: str) -> str:
    """Returns the SHA-256 of an encoder: its config, its weights, and the normalisation in front of it."""
    configs = [cfg.model.encoders[stream], cfg.model.get('data_preprocessor')]
    described = json.dumps(configs, sort_keys=True, default=str)
    weights = weights_sha256(model.encoders[stream].state_dict())
    return hashlib.sha256(f'{described} {weights}'.encode()).hexdigest()


def pipelines_of(cfg: Config, split: str) -> list[Any]:
    """Returns how a split is read: the pipelines of its data sets, and their streams."""
    return [[config['pipeline'], config.get('streams')] for config in annotated_datasets(cfg, split)]


def pipelines_sha256(cfg: Config, split: str) -> str:
    """Returns the SHA-256 of :func:`pipelines_of`."""
    described = json.dumps(pipelines_of(cfg, split), sort_keys=True, default=str)
    return hashlib.sha256(described.encode()).hexdigest()


def read_cache(folder: Path) -> dict[str, Any]:
    """Reads the description of a split's cache.

    Raises:
        FileNotFoundError: If there is none, or it is not complete.
        ValueError: If it is damaged.
    """
    path = folder / INFO_FILE
    if not path.is_file():
        raise FileNotFoundError(f'{path} does not exist: has tools/cache_encoders.py finished?')
    fix = 'run tools/cache_encoders.py --force'
    content = read_json_object(path, fix)
    settings, layouts = content.get('settings'), content.get('layouts')
    if not isinstance(settings, dict) or 'pipelines' not in settings or not isinstance(layouts, dict):
        raise ValueError(f'{path} does not describe a cache: expected settings with pipelines, and layouts; {fix}')
    return content
