"""Make random numbers depend on the iteration only, so that a resumed training continues exactly."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner

from hicmae_mm.registry import HOOKS


def iteration_seed(seed: int, rank: int, iteration: int) -> int:
    """Mixes a 32-bit seed that differs between neighbouring iterations and ranks.

    Args:
        seed: Seed of the training.
        rank: Rank of the process.
        iteration: Number of the iteration, from 0.

    Returns:
        The seed.

    Example:
        >>> from hicmae_mm.engine.hooks.iteration_seed import iteration_seed
        >>> iteration_seed(0, 0, 7) == iteration_seed(0, 0, 7)
        True
        >>> iteration_seed(0, 0, 7) == iteration_seed(0, 1, 7)
        False
    """
    return int(np.random.SeedSequence([seed, rank, iteration]).generate_state(1)[0])


@HOOKS.register_module()
class IterationSeedHook(Hook):
    """Seeds ``random``, NumPy and PyTorch before every training iteration from (seed, rank, iteration).

    The random numbers of an iteration (drop path, mixup, random masks) are then the same in a training without
    interruption and in a resumed one, although the checkpoint stores no random state. The data set uses other seeds.
    """

    priority = 'VERY_HIGH'

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:  # noqa: ARG002
        """Seeds the random number generators of this process.

        Args:
            runner: The runner.
            batch_idx: Number of the batch in the epoch.
            data_batch: The batch.
        """
        seed = iteration_seed(runner.seed or 0, runner.rank, runner.iter)
        random.seed(seed)
        np.random.seed(seed)
        torch.manual_seed(seed)
