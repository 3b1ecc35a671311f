from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

import pytest

from hicmae_mm.commands.side_by_side import run_side_by_side
from hicmae_mm.commands.steps import RunningStep, Step
from tests.test_tools.command import is_running


class Recorder:
    """Starts steps and notes the order of events."""

    def __init__(self, *finished_before: str) -> None:
        self.finished_before = finished_before
        self.events: list[str] = []
        self.seconds: dict[str, float] = {}

    def start(self, step: Step) -> RunningStep | None:
        if step.name in self.finished_before:
            return None
        self.events.append(f'+{step.name}')
        return RunningStep(step, label=f'{step.name} | ')

    def finish(self, step: Step, seconds: float) -> None:
        self.events.append(f'-{step.name}')
        self.seconds[step.name] = seconds


def _step(name: str, script: str = 'true', *needs: str) -> Step:
    return Step(name, name, ('bash', '-c', script), needs=needs)


def test_steps_run_together_as_soon_as_they_can(tmp_path: Path) -> None:
    # a waits for c and c for a: they end only if they run at the same time
    meet = 'touch {0}; while [ ! -e {1} ]; do sleep 0.01; done'
    steps = [
        _step('media'),
        _step('a', meet.format(tmp_path / 'a', tmp_path / 'c'), 'media'),
        _step('b', 'true', 'a'),
        _step('c', meet.format(tmp_path / 'c', tmp_path / 'a'), 'media'),
    ]
    recorder = Recorder()
    run_side_by_side(steps, 2, recorder.start, recorder.finish)
    assert recorder.events[:4] == ['+media', '-media', '+a', '+c']
    assert recorder.events.index('-a') < recorder.events.index('+b')
    assert set(recorder.seconds) == {'media', 'a', 'b', 'c'}


def test_no_more_at_a_time_than_asked_for() -> None:
    recorder = Recorder()
    run_side_by_side([_step(name) for name in 'abc'], 1, recorder.start, recorder.finish)
    assert recorder.events == ['+a', '-a', '+b', '-b', '+c', '-c']


def test_what_is_finished_meets_the_needs_of_others() -> None:
    recorder = Recorder('a')
    run_side_by_side([_step('a'), _step('b', 'true', 'a', 'of another plan')], 2, recorder.start, recorder.finish)
    assert recorder.events == ['+b', '-b']


def test_lines_carry_their_step_and_are_whole(capfd: pytest.CaptureFixture[str]) -> None:
    script = 'for i in 1 2 3; do printf "line "; sleep 0.02; echo $i; done'
    recorder = Recorder()
    run_side_by_side([_step('a', script), _step('b', script)], 2, recorder.start, recorder.finish)
    lines = capfd.readouterr().out.splitlines()
    assert sorted(lines) == [f'{name} | line {number}' for name in 'ab' for number in (1, 2, 3)]


def test_a_failure_ends_the_others(tmp_path: Path) -> None:
    pid_file = tmp_path / 'pid'
    sleeping = _step('sleeping', f'echo $$ > {pid_file}.part; mv {pid_file}.part {pid_file}; exec sleep 100')
    failing = _step('failing', f'while [ ! -e {pid_file} ]; do sleep 0.01; done; exit 3')
    recorder = Recorder()
    with pytest.raises(RuntimeError, match="'failing' failed with status 3"):
        run_side_by_side([sleeping, failing], 2, recorder.start, recorder.finish)
    assert not is_running(int(pid_file.read_text()))
    assert recorder.seconds == {}


def test_ctrl_c_ends_all(tmp_path: Path) -> None:
    pids = [tmp_path / name for name in 'ab']
    steps = [_step(file.name, f'echo $$ > {file}.part; mv {file}.part {file}; exec sleep 100') for file in pids]

    def interrupt() -> None:
        while not all(file.exists() for file in pids):
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    recorder = Recorder()
    with pytest.raises(KeyboardInterrupt):
        run_side_by_side(steps, 2, recorder.start, recorder.finish)
    thread.join()
    assert not any(is_running(int(file.read_text())) for file in pids)


def test_ctrl_c_while_a_step_is_started_ends_it_too() -> None:
    started: list[RunningStep] = []

    class Interrupted(Recorder):
        def start(self, step: Step) -> RunningStep | None:
            started.append(RunningStep(step))
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.1)  # time for the signal to arrive before the step is known to the caller
            return started[0]

    before = signal.getsignal(signal.SIGINT)
    recorder = Interrupted()
    with pytest.raises(KeyboardInterrupt):
        run_side_by_side([_step('a', 'exec sleep 100'), _step('b')], 1, recorder.start, recorder.finish)
    assert len(started) == 1
    assert not started[0].is_running()
    assert signal.getsignal(signal.SIGINT) is before


def test_what_cannot_be_run_is_refused() -> None:
    recorder = Recorder()
    with pytest.raises(ValueError, match=r"the steps \['a', 'b'\] need each other"):
        run_side_by_side([_step('a', 'true', 'b'), _step('b', 'true', 'a')], 2, recorder.start, recorder.finish)
    with pytest.raises(ValueError, match='num_jobs must be at least 1, got 0'):
        run_side_by_side([], 0, recorder.start, recorder.finish)
