"""Runs several steps at a time. Each step starts as soon as the steps that it needs are finished."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

from hicmae_mm.commands.steps import Step

_POLL_SECONDS = 0.05


class Job(Protocol):
    """Declares what a running step has, such as :class:`~hicmae_mm.commands.steps.RunningStep`."""

    step: Step

    def is_running(self) -> bool:
        """Tells whether the step is still running."""

    def wait(self) -> float:
        """Waits for the end of the step, and returns its duration in seconds; raises RuntimeError if it failed."""

    def end(self) -> None:
        """Ends the step."""


def run_side_by_side(
    steps: Sequence[Step],
    num_jobs: int,
    start: Callable[[Step], Job | None],
    finished: Callable[[Step, float], None],
) -> None:
    """Runs steps, several at a time, in the given order as far as their needs allow.

    If a step fails, or on Ctrl-C, all running steps are ended.

    Args:
        steps: The steps to run. A need that names none of them counts as finished.
        num_jobs: Largest number of steps that run at a time, at least 1.
        start: Function that starts a step, or returns None if there is nothing to do.
        finished: Function that is called with every finished step and its duration in seconds.

    Raises:
        ValueError: If ``num_jobs`` is below 1, or steps need each other.
        RuntimeError: If a step failed.
    """
    if num_jobs < 1:
        raise ValueError(f'num_jobs must be at least 1, got {num_jobs}')
    waiting, running = list(steps), list[Job]()
    try:
        while waiting or running:
            unfinished = {step.name for step in waiting} | {job.step.name for job in running}
            ready = [step for step in waiting if unfinished.isdisjoint(step.needs)]
            if not ready and not running:
                raise ValueError(f'the steps {[step.name for step in waiting]} need each other')
            if ready and len(running) < num_jobs:
                waiting.remove(ready[0])
                with _interrupt_afterwards():  # a step that is not in the list yet would not be ended
                    job = start(ready[0])
                    running += [] if job is None else [job]
                continue
            for job in _wait_for_some(running):
                finished(job.step, job.wait())
                running.remove(job)
    except BaseException:
        for job in running:
            job.end()
        raise


@contextmanager
def _interrupt_afterwards() -> Iterator[None]:
    """Delays Ctrl-C until the block has ended. In a thread, which gets no signals, nothing changes."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    received: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: received.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.SIG_DFL if before is None else before)
        if received:
            signal.raise_signal(signal.SIGINT)


def _wait_for_some(running: Sequence[Job]) -> list[Job]:
    """Waits until at least one step has ended, and returns all that have."""
    while True:
        ended = [job for job in running if not job.is_running()]
        if ended:
            return ended
        time.sleep(_POLL_SECONDS)
