"""Running the command-line tools as a user does."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from hicmae_mm.utils.paths import tools_root


def run_tool(name: str, *arguments: object, check: bool = True, **environment: object) -> subprocess.CompletedProcess:
    """Runs ``tools/name`` and returns it with its output; fails with that output unless ``check=False``."""
    tool = tools_root() / name
    command = ['bash', str(tool)] if name.endswith('.sh') else [sys.executable, str(tool)]
    result = subprocess.run(
        [*command, *map(str, arguments)],
        env={**os.environ, 'PYTHON': sys.executable, **{key: str(value) for key, value in environment.items()}},
        capture_output=True,
        text=True,
        timeout=600,
    )
    if check and result.returncode:
        raise AssertionError(f'{tool} ended with {result.returncode}:\n{result.stdout}\n{result.stderr}')
    return result


def last_line(result: subprocess.CompletedProcess) -> str:
    """The last line of the error output: the message of an exception."""
    return result.stderr.strip().splitlines()[-1]


def folder_names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}
