"""Random numbers that depend on the iteration only, so that a resumed training continues exactly."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner

from hicmae_mm.registry import HOOKS


def iteration_seed(seed: int, rank: int, iteration: int) -> int:
    """A 32-bit seed mixed from its arguments, different for neighbouring iterations and ranks."""
    return int(np.random.SeedSequence([seed, rank, iteration]).generate_state(1)[0])


@HOOKS.register_module()
class IterationSeedHook(Hook):
    """Seeds ``random``, numpy and torch before every training iteration from (seed, rank, iteration).

    Whatever the model draws in an iteration (drop path, mixup, random masks) is then the same whether the training ran
    straight to it or was resumed, with no random state in the checkpoint. The data have seeds of their own.
    """

    priority = 'VERY_HIGH'

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:  # noqa: ARG002
        """Seeds the generators of this process."""
        seed = iteration_seed(runner.seed or 0, runner.rank, runner.iter)
        random.seed(seed)
        np.random.seed(seed)
        torch.manual_seed(seed)
