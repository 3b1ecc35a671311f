from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from hicmae_mm.commands.steps import Step, StepMarks, differences, run_step
from tests.test_tools.command import is_running


def _wait_until(condition, seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, 'waited in vain'
        time.sleep(0.01)


def _shell(script: str, **options) -> Step:
    return Step('shell', 'a shell script', ('bash', '-c', script), **options)


def test_a_step_is_finished_if_it_is_the_same_and_left_its_files(tmp_path: Path) -> None:
    out = tmp_path / 'out'
    step = _shell(f'echo done > {out}', outputs=(out,))
    marks = StepMarks(tmp_path / 'marks')
    assert not marks.is_finished(step)
    assert not marks.is_outdated(step)
    marks.begin(step)
    assert not marks.is_finished(step)
    marks.finish(step, run_step(step))
    assert marks.is_finished(step)
    assert marks.read(step)['seconds'] < 10
    assert marks.read(step)['command'] == f"bash -c 'echo done > {out}'"

    other = _shell(f'echo else > {out}', outputs=(out,))
    assert marks.is_outdated(other)
    assert not marks.is_finished(other)
    out.unlink()
    assert not marks.is_finished(step)
    marks.forget(step)
    assert marks.read(step) == {}


def test_an_identity_replaces_the_command_line(tmp_path: Path) -> None:
    marks = StepMarks(tmp_path)
    before = dict(epochs=2, sizes=(1, 2), kind=Path)  # not plain: is compared as it is written
    marks.finish(_shell('a', identity=before), 1.0)
    assert marks.is_finished(_shell('b', identity=dict(before)))
    assert marks.is_outdated(_shell('a', identity=before | dict(epochs=3)))


def test_differences_name_the_keys() -> None:
    before = dict(model=dict(depth=2, heads=[1, 2]), seed=0, gone=1)
    now = dict(model=dict(depth=3, heads=[1, 4]), seed=0, new=dict(a=1))
    expected = ['model.depth: 2 -> 3', 'model.heads.1: 2 -> 4', 'gone: 1 -> None', "new: None -> {'a': 1}"]
    assert differences(before, now) == expected
    assert differences(before, before) == []


def test_a_shell_line_can_be_typed() -> None:
    step = Step('x', 'y', ('python', 'tool.py', 'a b', '--out=1'), {'FOLD': '2', 'ROOT': 'a b'})
    assert step.shell_line == "FOLD=2 ROOT='a b' python tool.py 'a b' --out=1"


def test_output_goes_to_console_and_log(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = tmp_path / 'logs' / 'shell.log'
    step = _shell('echo "fold $FOLD ä"; echo problem >&2', environment={'FOLD': '3'})
    run_step(step, cwd=tmp_path, log_file=log)
    run_step(step, cwd=tmp_path, log_file=log)
    assert log.read_text() == 2 * 'fold 3 ä\nproblem\n'
    assert capsys.readouterr().out == log.read_text()


def test_python_is_this_one(tmp_path: Path) -> None:
    out = tmp_path / 'out'
    script = f'import os, sys; open({str(out)!r}, "w").write(sys.executable + " " + os.environ["PYTHON"])'
    run_step(Step('x', 'y', ('python', '-c', script)))
    assert out.read_text() == f'{sys.executable} {sys.executable}'


def test_a_failure_names_the_log(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match=r"the step 'shell' failed with status 3; see .*/x.log"):
        run_step(_shell('exit 3'), log_file=tmp_path / 'x.log')
    with pytest.raises(RuntimeError, match='status 3; its messages are above'):
        run_step(_shell('exit 3'))


def test_ctrl_c_ends_the_step_and_its_children(tmp_path: Path) -> None:
    pids = tmp_path / 'pids'
    step = _shell(f'sleep 100 & echo $$ $! > {pids}.part; mv {pids}.part {pids}; wait')

    def interrupt() -> None:
        _wait_until(pids.exists)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        run_step(step)
    thread.join()
    for pid in map(int, pids.read_text().split()):
        _wait_until(lambda pid=pid: not is_running(pid))


def test_a_step_dies_with_its_caller(tmp_path: Path) -> None:
    pid_file = tmp_path / 'pid'
    script = f'echo $$ > {pid_file}.part; mv {pid_file}.part {pid_file}; exec sleep 100'
    code = f'from hicmae_mm.commands.steps import Step, run_step; run_step(Step("x", "y", ("bash", "-c", {script!r})))'
    caller = subprocess.Popen([sys.executable, '-c', code])
    _wait_until(pid_file.exists)
    child = int(pid_file.read_text())
    assert is_running(child)
    caller.send_signal(signal.SIGKILL)
    caller.wait()
    _wait_until(lambda: not is_running(child))


def test_marks_are_readable(tmp_path: Path) -> None:
    marks = StepMarks(tmp_path)
    step = _shell('true')
    marks.finish(step, 1.26)
    assert json.loads(marks.mark_of(step).read_text()) == {
        'identity': {'command': 'bash -c true'},
        'command': 'bash -c true',
        'seconds': 1.3,
    }


def test_a_step_leaves_the_cores_to_others(tmp_path: Path) -> None:
    out = tmp_path / 'nice'
    run_step(_shell(f'sleep 0.5; nice > {out}; bash -c nice >> {out}', niceness=7))
    assert out.read_text().split() == ['7', '7']  # its children as well
