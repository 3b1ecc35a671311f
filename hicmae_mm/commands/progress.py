"""Starts and marks the steps of a command that runs several, and prints how far it is."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from hicmae_mm.commands.preloaded import PreloadedStep, step_starter
from hicmae_mm.commands.side_by_side import Job
from hicmae_mm.commands.steps import RunningStep, Step, StepMarks


class StepProgress:
    """Starts and marks steps, and prints each before it starts.

    Args:
        steps: All steps in their order.
        marks: Marks of the steps that have begun or finished.
        num_jobs: Number of steps that run at a time.
        console: Console for the messages.
        root: Current folder of the steps.
        unprinted: Arguments of a step, by its name, that are neither printed nor part of its mark, such as ``--force``.
    """

    def __init__(
        self,
        steps: Sequence[Step],
        marks: StepMarks,
        num_jobs: int,
        console: Console,
        root: Path,
        unprinted: Mapping[str, tuple[str, ...]] | None = None,
    ) -> None:
        self.steps, self.marks, self.num_jobs = list(steps), marks, num_jobs
        self.console, self.root, self.unprinted = console, root, unprinted or {}
        self.started = time.monotonic()
        self.starter: type[PreloadedStep] | type[RunningStep] | None = None  # None means that nothing has started yet
        self.label_width = max(len(step.name) for step in steps)

    def start(self, step: Step) -> Job | None:
        """Starts a step. Returns None if it is finished."""
        number, seconds = self.steps.index(step) + 1, time.monotonic() - self.started
        self.console.rule(f'{number}/{len(self.steps)} {step.title} [{seconds:.0f} s]')
        if self.marks.is_finished(step):
            self.console.print('finished before')
            return None
        self.console.print(f'$ {step.shell_line}', markup=False)
        self.marks.begin(step)
        self.starter = self.starter or step_starter()
        step = replace(step, command=(*step.command, *self.unprinted.get(step.name, ())))
        if not step.needs:  # it runs alone, so it may draw on the terminal
            return RunningStep(step, cwd=self.root)
        label = '' if self.num_jobs == 1 else f'{step.name:>{self.label_width}} | '
        return self.starter(step, cwd=self.root, label=label)

    def finish(self, step: Step, seconds: float) -> None:
        """Marks a step as finished."""
        self.marks.finish(next(known for known in self.steps if known.name == step.name), seconds)


def covered_seconds(spans: Sequence[tuple[float, float]]) -> float:
    """Returns the time during which at least one step ran; pauses between two calls do not count.

    Args:
        spans: Start and end of every step (seconds).

    Example:
        >>> from hicmae_mm.commands.progress import covered_seconds
        >>> covered_seconds([(0.0, 2.0), (1.0, 3.0), (10.0, 11.0)])
        4.0
    """
    total, covered_to = 0.0, -math.inf
    for start, end in sorted(spans):
        total += max(end - max(start, covered_to), 0.0)
        covered_to = max(covered_to, end)
    return total
