"""The options of data loaders, and the number of samples that every rank needs."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from mmengine.registry import init_default_scope

from hicmae_mm.datasets import collate_audio_visual
from hicmae_mm.engine import AudioVisualRunner
from tests.engine.tiny_run import finetune_config


@pytest.fixture(autouse=True)
def _scope() -> None:
    init_default_scope('hicmae_mm')


def test_data_loader_options_that_need_workers_or_a_gpu_are_left_out(corpus: Path, tmp_path: Path) -> None:
    cfg = finetune_config(corpus, tmp_path).train_dataloader
    cfg.update(persistent_workers=True, prefetch_factor=2, pin_memory=True)
    loader = AudioVisualRunner.build_dataloader(cfg, seed=0)
    assert loader.num_workers == 0
    assert loader.pin_memory is torch.cuda.is_available()
    assert loader.collate_fn.func is collate_audio_visual


def test_data_without_a_full_batch_are_named(corpus: Path, tmp_path: Path) -> None:
    cfg = finetune_config(corpus, tmp_path).train_dataloader
    cfg.update(batch_size=64, drop_last=True)
    with pytest.raises(ValueError, match=r'clips.txt.*20 samples on 1 ranks: not one full batch of 64'):
        AudioVisualRunner.build_dataloader(cfg, seed=0)
