"""Facts about a config that need neither data nor memory for a model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from torch import nn

from hicmae_mm.config.overrides import load_config
from hicmae_mm.registry import DATASETS, MODELS
from hicmae_mm.version import __version__

LOADERS = ('test_dataloader', 'val_dataloader', 'train_dataloader')


def build_empty_model(cfg: Config) -> nn.Module:
    """Builds the model of a config on the ``meta`` device: with all modules, names and shapes, but without values.

    The folder of an encoder is not read if the config says which model is in it.
    """
    init_default_scope(cfg.get('default_scope', 'hicmae_mm'))
    with torch.device('meta'):
        model: nn.Module = MODELS.build(without_folders(cfg.model))
        return model


def without_folders(value: Any) -> Any:
    """Leaves ``path`` out of every encoder whose ``config`` is a whole one, which then has random weights."""
    if isinstance(value, (list, tuple)):
        return type(value)(without_folders(item) for item in value)
    if not isinstance(value, dict):
        return value
    config = value.get('config')
    is_whole = isinstance(config, dict) and 'model_type' in config
    return {key: without_folders(item) for key, item in value.items() if not (is_whole and key == 'path')}


def dataset_facts(cfg: Config) -> dict[str, Any]:
    """Returns the meta information (name, classes, licence) of the data of a config.

    Returns:
        ``METAINFO`` of the class of the test set, else of the validation set, else of the training set, overridden by
        ``metainfo`` of the config; empty if the config has no data.
    """
    init_default_scope(cfg.get('default_scope', 'hicmae_mm'))
    for name in LOADERS:
        dataset = (cfg.get(name) or {}).get('dataset')
        if dataset:
            kind = DATASETS.get(dataset['type']) if isinstance(dataset['type'], str) else dataset['type']
            return {**getattr(kind, 'METAINFO', {}), **(dataset.get('metainfo') or {})}
    return {}


def checkpoint_meta(config: str | Path | None) -> dict[str, Any]:
    """Makes the meta information that a published checkpoint stores about its model.

    Args:
        config: Config file of the model; None if there is none.

    Returns:
        ``hicmae_mm_version``; with a config also its complete text (``config``), its name (``config_name``) and the
        names of its ``classes``, if it has classes.

    Raises:
        FileNotFoundError: If there is no such config.
        ValueError: If the config cannot be read.
    """
    meta: dict[str, Any] = {'hicmae_mm_version': __version__}
    if config is not None:
        cfg = load_config(config)
        meta |= {'config': cfg.pretty_text, 'config_name': Path(config).stem}
        classes = dataset_facts(cfg).get('classes')
        if classes:
            meta['classes'] = list(classes)
    return meta
