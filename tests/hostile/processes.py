"""Tools in processes of their own, which begin at once, and which Ctrl-C or a full disk meets at a chosen place."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from tests.forking.programs import run

ROOT = Path(__file__).parents[2]
_SECONDS = 120.0
_MOST_BYTES = 64  # of a file on a full disk
_CAPABILITIES_VERSION = 0x20080522  # of Linux
_MAY_WRITE_EVERYWHERE = 1 << 1


@dataclass(frozen=True)
class Trap:
    """What happens to a program.

    Attributes:
        kind: ``'interrupt'`` sends SIGINT to its processes, as a terminal does. After ``'full'`` no file can grow.
            With ``'read-only'`` nobody can write to the working folder, from the beginning.
        at: It happens when the program opens a file for writing whose path contains this text.
        skip: So many of these files are opened undisturbed.
    """

    kind: str
    at: str
    skip: int = 0

    def set(self, folder: str) -> None:
        """Sets the trap in this process."""
        if self.kind == 'read-only':
            Path(folder).chmod(0o555)
            _obey_modes()
            return
        left = [self.skip]

        def watch(event: str, details: tuple[Any, ...]) -> None:
            if event != 'open' or not details[2] & (os.O_WRONLY | os.O_RDWR) or self.at not in str(details[0]):
                return
            left[0] -= 1
            if left[0] == -1 and self.kind == 'interrupt':
                os.killpg(os.getpgrp(), signal.SIGINT)
            elif left[0] == -1:
                resource.setrlimit(resource.RLIMIT_FSIZE, (_MOST_BYTES, resource.RLIM_INFINITY))

        sys.addaudithook(watch)


@dataclass(frozen=True)
class Ended:
    """How a program ended."""

    status: int
    error: str

    @property
    def message(self) -> str:
        """The only line of the error output."""
        lines = self.error.strip().splitlines()
        assert len(lines) == 1, self.error
        return lines[0]


def run_program(name: str, arguments: Sequence[object], folder: Path, trap: Trap | None = None) -> Ended:
    """Runs ``name`` (below the repository) in the working folder ``folder``."""
    prepare = partial(_prepare, str(folder), trap)
    command = [str(ROOT / name), *map(str, arguments)]
    done = run(command, folder, {**os.environ, 'OMP_NUM_THREADS': '1'}, _SECONDS, prepare)
    return Ended(done.returncode, done.stderr)


def _prepare(folder: str, trap: Trap | None) -> None:
    signal.alarm(int(_SECONDS))  # also ends the program if the tests are killed
    if trap is not None:
        trap.set(folder)


def _obey_modes() -> None:
    """Takes the right of the administrator away to write where the mode of a folder forbids it."""
    if os.getuid() != 0:
        return
    header = (ctypes.c_uint32 * 2)(_CAPABILITIES_VERSION, 0)
    sets = (ctypes.c_uint32 * 6)()  # effective, permitted and inheritable; two words each, lower ones first
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.capget(header, sets) == 0
    sets[0] &= ~_MAY_WRITE_EVERYWHERE
    assert libc.capset(header, sets) == 0
