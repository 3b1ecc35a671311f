"""Running the tools that prepare media, killing them, and comparing what they wrote."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from hicmae_mm.config.paths import tools_root

IN_PROCESS = ('--num-workers', '0')


def call(main: Callable[[list[str]], int], *arguments: object) -> int:
    return main([str(argument) for argument in arguments])


def media_files(folder: Path) -> dict[str, bytes]:
    """The results: every file but those that tell of the run."""
    own = {'.lock', 'journal.jsonl', 'settings.json', 'report.json', 'report.csv'}
    files = [path for path in sorted(folder.rglob('*')) if path.is_file() and path.name not in own]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def start_and_kill(tool: str, arguments: list[object], is_time: Callable[[], bool]) -> None:
    """Runs a tool and kills it, as ``kill -9`` does, when it is time."""
    command = [sys.executable, str(tools_root() / tool), *map(str, arguments)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=dict(os.environ))
    try:
        while not is_time():
            assert process.poll() is None, process.stdout.read().decode()
            time.sleep(0.002)
    finally:
        process.send_signal(signal.SIGKILL)
        process.communicate()
    assert process.returncode == -signal.SIGKILL
