from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

from tests.test_tools.command import is_running, wait_for

TOOL = """
import multiprocessing, os, sys
print(__name__, sys.argv[1:], os.environ['CORPUS'], os.getcwd(), 'colorsys' in sys.modules, flush=True)
print(sys.path[0], multiprocessing.get_start_method(allow_none=True), os.getsid(0) == os.getpid(), file=sys.stderr)
import atexit
atexit.register(print, 'at exit')
sys.exit(int(sys.argv[1]))
"""
CALLER = """
import sys
from pathlib import Path
from hicmae_mm.commands.preloaded import PreloadedStep, start_preloading
from hicmae_mm.commands.steps import Step
start_preloading(['colorsys'])
step = Step('tool', 'a tool', ('python', *sys.argv[2:]), {'CORPUS': 'mine'}, niceness=5)
running = PreloadedStep(step, Path(sys.argv[1]), label='tool | ')
"""


def _call(then: str, folder: Path, *command: object) -> subprocess.Popen:
    """A process of its own: there is one process that preloads in each."""
    arguments = [sys.executable, '-c', CALLER + then, str(folder), *map(str, command)]
    return subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def _wait_for_end_of(pid: int) -> None:
    end = time.monotonic() + 60
    while is_running(pid):
        assert time.monotonic() < end, 'it is still running'
        time.sleep(0.01)


def test_a_tool_sees_what_it_would_see_as_a_command(tmp_path: Path) -> None:
    tool = tmp_path / 'tools' / 'tool.py'
    tool.parent.mkdir()
    tool.write_text(TOOL)
    output, _ = _call('print(running.wait() < 60)', tmp_path, tool, 0, 'a b').communicate(timeout=60)
    assert output.splitlines() == [
        f"tool | __main__ ['0', 'a b'] mine {tmp_path} True",
        f'tool | {tool.parent} None True',
        'tool | at exit',
        'True',
    ]


def test_a_caller_may_write_to_a_file(tmp_path: Path) -> None:
    tool, log = tmp_path / 'tool.py', tmp_path / 'log.txt'
    tool.write_text("import sys; sys.stdout.reconfigure(errors='backslashreplace'); print('a \\ud800')")
    arguments = [sys.executable, '-u', '-c', f'{CALLER}print(running.wait() < 60)', str(tmp_path), str(tool)]
    with log.open('w') as file:
        file.write('before\n' * 9)
        file.flush()
        subprocess.run(arguments, stdout=file, stderr=subprocess.STDOUT, timeout=60, check=False)
    assert log.read_text().splitlines()[9:] == ['tool | a \\ud800', 'True']


def test_a_tool_leaves_the_cores_to_others(tmp_path: Path) -> None:
    tool = tmp_path / 'tool.py'
    tool.write_text('import os, subprocess; print(os.nice(0), flush=True); subprocess.run("nice")')
    output, _ = _call('running.wait()', tmp_path, tool).communicate(timeout=60)
    assert output.splitlines() == ['tool | 5', 'tool | 5']


def test_a_failure_is_an_error(tmp_path: Path) -> None:
    tool = tmp_path / 'tool.py'
    tool.write_text(TOOL)
    output, _ = _call('running.wait()', tmp_path, tool, 3).communicate(timeout=60)
    assert output.splitlines()[-1] == "RuntimeError: the step 'tool' failed with status 3; its messages are above"


def _sleeping(folder: Path) -> tuple[Path, Path]:
    tool, pids = folder / 'tool.py', folder / 'pids'
    child = "child = subprocess.Popen(['sleep', '100'])"
    text = f'import os, subprocess\n{child}\nopen("part", "w").write(f"{{os.getpid()}} {{child.pid}}")\n'
    tool.write_text(f'{text}os.rename("part", {str(pids)!r})\nchild.wait()\n')
    return tool, pids


def test_it_is_ended_with_its_children(tmp_path: Path) -> None:
    tool, pids = _sleeping(tmp_path)
    then = f'import os, time\nwhile not os.path.exists({str(pids)!r}): time.sleep(0.01)\n'
    then += 'print(running.is_running()); running.end(); print(running.is_running())'
    output, _ = _call(then, tmp_path, tool).communicate(timeout=60)
    assert output.split() == ['True', 'False']
    for pid in map(int, pids.read_text().split()):
        _wait_for_end_of(pid)


def test_it_dies_with_its_caller(tmp_path: Path) -> None:
    tool, pids = _sleeping(tmp_path)
    caller = _call('running.wait()', tmp_path, tool)
    wait_for(pids, caller)
    caller.send_signal(signal.SIGKILL)
    caller.wait()
    for pid in map(int, pids.read_text().split()):
        _wait_for_end_of(pid)
    caller.communicate()
