"""Epoch-based training that can be resumed in the middle of an epoch."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from itertools import islice
from typing import Any

from mmengine.logging import print_log
from mmengine.runner import EpochBasedTrainLoop

from hicmae_mm.registry import LOOPS


@LOOPS.register_module()
class EpochTrainLoop(EpochBasedTrainLoop):
    """MMEngine's epoch loop that skips the batches which were trained on before the interruption.

    A checkpoint written by iterations (``default_hooks.checkpoint.by_epoch=False``) may lie inside an epoch. A sampler
    with ``skip_samples(n)`` skips without reading a file; with any other the batches are read and dropped.

    Args:
        runner (Runner): The runner.
        dataloader (DataLoader | dict): The training data.
        max_epochs (int): Epochs to train.
        val_begin (int): First epoch to validate. Defaults to 1.
        val_interval (int): Epochs between validations. Defaults to 1.
        dynamic_intervals (list | None): (epoch, interval) pairs. Defaults to None.
    """

    def run_epoch(self) -> None:
        """Runs an epoch, or what is left of it."""
        self.runner.call_hook('before_train_epoch')
        self.runner.model.train()
        for idx, data_batch in self._remaining_batches(self._iter - self._epoch * len(self.dataloader)):
            self.run_iter(idx, data_batch)
        self.runner.call_hook('after_train_epoch')
        self._epoch += 1

    def _remaining_batches(self, num_done: int) -> Iterator[tuple[int, Any]]:
        """Yields (position in the epoch, batch) from a position on."""
        if num_done <= 0:
            yield from enumerate(self.dataloader)
            return
        print_log(f'Epoch {self._epoch + 1} continues after {num_done} of {len(self.dataloader)} batches', 'current')
        sampler: Any = self.dataloader.sampler
        batch_size = self.dataloader.batch_size
        if hasattr(sampler, 'skip_samples') and batch_size is not None:
            sampler.skip_samples(min(num_done * batch_size, len(sampler)))
            yield from enumerate(self.dataloader, start=num_done)
            return
        print_log(
            f'{type(sampler).__name__} cannot skip: the batches done are read again and dropped',
            'current',
            logging.WARNING,
        )
        yield from islice(enumerate(self.dataloader), num_done, None)
