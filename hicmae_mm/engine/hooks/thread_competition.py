"""Warn if threads wait for cores that other programs use, which can make an iteration ten times slower."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner

from hicmae_mm.registry import HOOKS

_TASKS = Path('/proc/self/task')


def seconds_without_core() -> float:
    """Measures how long threads of this process have waited for a core although they were ready to run.

    Returns:
        Sum over all threads. 0 on systems that do not report it.
    """
    total = 0
    for task in _TASKS.glob('*/schedstat'):
        with suppress(OSError, ValueError, IndexError):  # a thread may have ended
            total += int(task.read_text().split()[1])
    return total / 1e9


@HOOKS.register_module()
class ThreadCompetitionHook(Hook):
    """Measures in the first iterations whether threads wait for cores, and warns if they wait too long.

    Threads that compute one operation together wait for the slowest thread. If another program uses a core, one thread
    waits for a core and all others wait for this thread. The time of reading data is not measured. The runner adds this
    hook to every training on a CPU.

    Args:
        num_iters: Number of iterations to measure. The first iteration is not measured.
        max_share: Share of the threads' time without a core, in 0..1. The hook warns if the share is not smaller.
    """

    priority = 'VERY_LOW'

    def __init__(self, num_iters: int = 5, max_share: float = 0.2) -> None:
        self.num_iters = num_iters
        self.max_share = max_share
        self._measured = -1
        self._started = (0.0, 0.0, 0.0)
        self._spent = [0.0, 0.0, 0.0]

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:  # noqa: ARG002
        """Reads the clocks after the batch has been loaded.

        Args:
            runner: The runner.
            batch_idx: Number of the batch in the epoch.
            data_batch: The batch.
        """
        if self._measured < self.num_iters:
            self._started = (time.perf_counter(), time.process_time(), seconds_without_core())

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,  # noqa: ARG002
        data_batch: Any = None,  # noqa: ARG002
        outputs: dict[str, Any] | None = None,  # noqa: ARG002
    ) -> None:
        """Adds the times of the iteration, and reports after the last measured iteration.

        Args:
            runner: The runner.
            batch_idx: Number of the batch in the epoch.
            data_batch: The batch.
            outputs: Losses by name.
        """
        if self._measured >= self.num_iters:
            return
        self._measured += 1
        if self._measured == 0:
            return  # the first iteration also allocates and compiles
        now = (time.perf_counter(), time.process_time(), seconds_without_core())
        self._spent = [spent + end - start for spent, start, end in zip(self._spent, self._started, now)]
        if self._measured == self.num_iters:
            self._report(runner)

    def _report(self, runner: Runner) -> None:
        seconds, processor_seconds, waited_seconds = self._spent
        threads = torch.get_num_threads()
        share = waited_seconds / (seconds * threads)
        if threads == 1 or share < self.max_share:
            return
        fewer = max(1, min(threads - 1, int(processor_seconds / seconds)))
        runner.logger.warning(
            f'other programs use the cores: in an iteration of {seconds / self.num_iters:.2g} s the {threads} threads '
            f'got {processor_seconds / self.num_iters:.2g} s of processor time and waited '
            f'{waited_seconds / self.num_iters:.2g} s for a core, while those that had one waited for them. Start with '
            f'OMP_NUM_THREADS={fewer} in the environment, or end the other programs'
        )
