"""What can be told from a config without data and without memory for a model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from torch import nn

from hicmae_mm import __version__
from hicmae_mm.config.overrides import load_config
from hicmae_mm.registry import DATASETS, MODELS

LOADERS = ('test_dataloader', 'val_dataloader', 'train_dataloader')


def build_empty_model(cfg: Config) -> nn.Module:
    """A config's model on the ``meta`` device: every module, name and shape, no values and no memory."""
    init_default_scope(cfg.get('default_scope', 'hicmae_mm'))
    with torch.device('meta'):
        model: nn.Module = MODELS.build(cfg.model)
        return model


def dataset_facts(cfg: Config) -> dict[str, Any]:
    """What a config says about its data, the test data first: name, classes, licence.

    Returns:
        dict: ``METAINFO`` of the data set class, overridden by the config's ``metainfo``; empty without data.
    """
    init_default_scope(cfg.get('default_scope', 'hicmae_mm'))
    for name in LOADERS:
        dataset = (cfg.get(name) or {}).get('dataset')
        if dataset:
            kind = DATASETS.get(dataset['type']) if isinstance(dataset['type'], str) else dataset['type']
            return {**getattr(kind, 'METAINFO', {}), **(dataset.get('metainfo') or {})}
    return {}


def checkpoint_meta(config: str | Path | None) -> dict[str, Any]:
    """What a checkpoint should say about the model it belongs to.

    Args:
        config (str | Path | None): Config file.

    Returns:
        dict: ``hicmae_mm_version``; with a config also its whole text (``config``), its name (``config_name``) and the
        names of its ``classes``, if it has any.

    Raises:
        FileNotFoundError: No such config.
    """
    meta: dict[str, Any] = {'hicmae_mm_version': __version__}
    if config is not None:
        cfg = load_config(config)
        meta |= {'config': cfg.pretty_text, 'config_name': Path(config).stem}
        classes = dataset_facts(cfg).get('classes')
        if classes:
            meta['classes'] = list(classes)
    return meta
