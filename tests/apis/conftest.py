"""A small corpus and a small model, whose weights are drawn by a seed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.config import Config

from hicmae_mm.apis import EmotionInferencer
from hicmae_mm.registry import MODELS
from hicmae_mm.utils.checkpoint_files import write_checkpoint
from tests.engine.tiny_run import finetune_config, write_corpus


@pytest.fixture(scope='session')
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_corpus(tmp_path_factory.mktemp('corpus'))


def write_model(cfg: Config, path: Path) -> Path:
    """Random weights whose scores differ from clip to clip."""
    torch.manual_seed(0)
    model = MODELS.build(cfg.model)
    for parameter in model.head.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    write_checkpoint(path, model.state_dict(), {'config': cfg.pretty_text, 'config_name': path.stem})
    return path


@pytest.fixture(scope='session')
def cfg(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Config:
    return finetune_config(corpus, tmp_path_factory.mktemp('work'))


@pytest.fixture(scope='session')
def weights(cfg: Config, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(cfg, tmp_path_factory.mktemp('model') / 'tiny.safetensors')


@pytest.fixture(scope='session')
def make_inferencer(weights: Path) -> Callable[..., EmotionInferencer]:
    def make(**options: Any) -> EmotionInferencer:
        defaults = dict(model=weights, device='cpu', face_cropper=None, frame_rate_hz=None)
        return EmotionInferencer(**(defaults | options))

    return make
