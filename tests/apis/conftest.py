"""A small corpus, a small model whose weights are drawn by a seed, and a cropper that finds bright spots."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.config import Config

from hicmae_mm.apis import EmotionInferencer
from hicmae_mm.checkpoints.files import write_checkpoint
from hicmae_mm.datasets.faces import Faces, FrameDetector
from hicmae_mm.datasets.faces.boxes import NO_FACES
from hicmae_mm.registry import FACE_CROPPERS, MODELS
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
    cfg = finetune_config(corpus, tmp_path_factory.mktemp('work'))
    cfg.test_dataloader.dataset.pipeline.insert(-1, dict(type='SpatialViews', num_views=1, size=32))
    return cfg


@pytest.fixture(scope='session')
def weights(cfg: Config, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(cfg, tmp_path_factory.mktemp('model') / 'tiny.safetensors')


@pytest.fixture(scope='session')
def make_inferencer(weights: Path) -> Callable[..., EmotionInferencer]:
    def make(**options: Any) -> EmotionInferencer:
        defaults = dict(model=weights, device='cpu', face_cropper=None, frame_rate_hz=None)
        return EmotionInferencer(**(defaults | options))

    return make


class BrightSpot(FrameDetector):
    """Takes what is white for a face."""

    num_searched = 0

    def detect(self, frame: np.ndarray) -> Faces:
        BrightSpot.num_searched += 1
        rows, columns = np.nonzero(frame.min(axis=2) > 200)
        if len(rows) == 0:
            return NO_FACES
        box = columns.min(), rows.min(), columns.max() + 1 - columns.min(), rows.max() + 1 - rows.min()
        return Faces(np.array([box], dtype=float))


@pytest.fixture
def bright_spot() -> Iterator[str]:
    FACE_CROPPERS.register_module('BrightSpot', module=BrightSpot)
    BrightSpot.num_searched = 0
    yield 'BrightSpot'
    FACE_CROPPERS.module_dict.pop('BrightSpot')


def spot_frames(num_frames: int, seen: Any = slice(None), side: int = 40) -> np.ndarray:
    """``(T, 80, 120, 3)`` grey with a white square of ``side`` pixels, which moves by one pixel a frame."""
    frames = np.full((num_frames, 80, 120, 3), 60, np.uint8)
    for number in np.arange(num_frames)[seen]:
        frames[number, 20 : 20 + side, number % 60 : number % 60 + side] = 255
    return frames
