"""Epoch-based training that can be resumed in the middle of an epoch, or between an epoch and its validation."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from itertools import islice
from typing import Any

from mmengine.logging import print_log
from mmengine.runner import EpochBasedTrainLoop
from torch import nn

from hicmae_mm.engine.hooks.checkpoint import VALIDATED_EPOCH
from hicmae_mm.registry import LOOPS


@LOOPS.register_module()
class EpochTrainLoop(EpochBasedTrainLoop):
    """Extends MMEngine's epoch loop, so that it continues exactly at the point of an interruption.

    A checkpoint that is written by iterations (``default_hooks.checkpoint.by_epoch=False``) can be in the middle of an
    epoch. The loop then skips the batches that were already used. A sampler with ``skip_samples(n)``, or a batch
    sampler with ``skip_batches(n)``, skips without reading files. With other samplers the batches are read and not
    used.

    A checkpoint at the end of an epoch is written before the validation of this epoch. If it does not state that the
    validation has finished, the loop validates first. Otherwise this epoch could not become the best one.

    Args:
        runner: The runner.
        dataloader: The training data.
        max_epochs: Number of epochs to train.
        val_begin: First epoch to validate.
        val_interval: Number of epochs between validations.
        dynamic_intervals: Pairs (epoch, interval) that change ``val_interval`` from an epoch on.
    """

    def run(self) -> nn.Module:
        """Trains and validates until the last epoch.

        Returns:
            The trained model.
        """
        self.runner.call_hook('before_train')
        validated = self.runner.message_hub.runtime_info.get(VALIDATED_EPOCH)
        if 0 < self._epoch != validated and self._iter == self._epoch * len(self.dataloader):
            self._validate_if_due(f'The validation of epoch {self._epoch} may have been interrupted: it is repeated')
        while self._epoch < self._max_epochs and not self.stop_training:
            self.run_epoch()
            self._validate_if_due()
        self.runner.call_hook('after_train')
        model: nn.Module = self.runner.model
        return model

    def _validate_if_due(self, message: str = '') -> None:
        """Validates if ``val_begin`` and ``val_interval`` include this epoch."""
        self._decide_current_val_interval()
        is_due = self._epoch % self.val_interval == 0 or self._epoch == self._max_epochs
        if self.runner.val_loop is None or self._epoch < self.val_begin or not is_due:
            return
        if message:
            print_log(message, 'current')
        self.runner.val_loop.run()

    def run_epoch(self) -> None:
        """Runs one epoch, or the rest of an epoch after resuming."""
        self.runner.call_hook('before_train_epoch')
        self.runner.model.train()
        for idx, data_batch in self._remaining_batches(self._iter - self._epoch * len(self.dataloader)):
            self.run_iter(idx, data_batch)
        self.runner.call_hook('after_train_epoch')
        self._epoch += 1

    def _remaining_batches(self, num_done: int) -> Iterator[tuple[int, Any]]:
        """Yields (position in the epoch, batch) after ``num_done`` batches."""
        if num_done <= 0:
            yield from enumerate(self.dataloader)
            return
        print_log(f'Epoch {self._epoch + 1} continues after {num_done} of {len(self.dataloader)} batches', 'current')
        sampler: Any = self.dataloader.sampler
        batch_size = self.dataloader.batch_size
        batch_sampler: Any = self.dataloader.batch_sampler
        if hasattr(batch_sampler, 'skip_batches'):
            batch_sampler.skip_batches(num_done)
            yield from enumerate(self.dataloader, start=num_done)
            return
        if hasattr(sampler, 'skip_samples') and batch_size is not None:
            sampler.skip_samples(min(num_done * batch_size, len(sampler)))
            yield from enumerate(self.dataloader, start=num_done)
            return
        print_log(
            f'{type(sampler).__name__} cannot skip samples: {num_done} batches are read again without training on them',
            'current',
            logging.WARNING,
        )
        yield from islice(enumerate(self.dataloader), num_done, None)
