"""Running the command-line tools as a user does."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from hicmae_mm.config.paths import tools_root
from tests.forking import programs


def run_tool(name: str, *arguments: object, check: bool = True, **environment: object) -> subprocess.CompletedProcess:
    """Runs ``tools/name`` and returns it with its output; fails with that output unless ``check=False``."""
    tool = tools_root() / name
    command = [str(tool), *map(str, arguments)]
    variables = {**os.environ, 'PYTHON': sys.executable, **{key: str(value) for key, value in environment.items()}}
    if name.endswith('.sh'):
        result = subprocess.run(['bash', *command], env=variables, capture_output=True, text=True, timeout=600)
    else:
        result = programs.run(command, Path.cwd(), variables, seconds=600)
    if check and result.returncode:
        raise AssertionError(f'{tool} ended with {result.returncode}:\n{result.stdout}\n{result.stderr}')
    return result


def last_line(result: subprocess.CompletedProcess) -> str:
    """The last line of the error output: the message of an exception."""
    return result.stderr.strip().splitlines()[-1]


def folder_names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def wait_for(path: Path, process: subprocess.Popen, seconds: float = 300) -> None:
    """Waits until a running process has written a file."""
    end = time.monotonic() + seconds
    while not path.exists():
        assert process.poll() is None, f'the process ended with {process.returncode} before it wrote {path}'
        assert time.monotonic() < end, f'{path} was not written within {seconds} s'
        time.sleep(0.005)


def is_running(pid: int) -> bool:
    """Whether there is a process of that number that has not ended."""
    try:
        state = Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != 'Z'
