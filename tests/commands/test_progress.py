from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from hicmae_mm.commands import progress as progress_module
from hicmae_mm.commands.progress import StepProgress, covered_seconds
from hicmae_mm.commands.side_by_side import run_side_by_side
from hicmae_mm.commands.steps import RunningStep, Step, StepMarks


def test_finished_steps_are_named_but_not_run_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress_module, 'step_starter', lambda: RunningStep)
    steps = [
        Step('first', 'write a file', ('bash', '-c', 'echo $0 $1 >> written', 'again')),
        Step('second', 'write another', ('bash', '-c', 'echo second >> written'), needs=('first',)),
    ]
    marks, printed = StepMarks(tmp_path / 'marks'), io.StringIO()
    for _ in range(2):
        console = Console(file=printed, width=200)
        progress = StepProgress(steps, marks, 2, console, tmp_path, {'first': ('--force',)})
        run_side_by_side(steps, 2, progress.start, progress.finish)
    assert (tmp_path / 'written').read_text().split() == ['again', '--force', 'second']
    assert printed.getvalue().count('finished before') == 2
    assert '1/2 write a file [0 s]' in printed.getvalue()
    assert '--force' not in printed.getvalue() + marks.mark_of(steps[0]).read_text()


def test_the_whole_time_counts_what_runs_side_by_side_once_and_pauses_not_at_all() -> None:
    assert covered_seconds([(6, 7), (0, 2), (1, 4)]) == 5
    assert covered_seconds([(0, 10), (2, 3), (10, 11)]) == 11
