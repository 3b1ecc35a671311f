"""Runs Python programs in forks of a process that has imported the large packages; each saves four to eight seconds."""

from __future__ import annotations

import atexit
import multiprocessing
import os
import runpy
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from subprocess import CompletedProcess

from hicmae_mm.commands.preloaded import HEAVY_MODULES

_MODULES = (
    *HEAVY_MODULES,
    'hicmae_mm.apis',
    'hicmae_mm.export',
    'hicmae_mm.features',
    'hicmae_mm.datasets.preparation',
)


def start(
    command: Sequence[str],
    folder: Path,
    environment: Mapping[str, str],
    output: int,
    error: int,
    prepare: Callable[[], None] | None = None,
) -> BaseProcess:
    """Starts ``python COMMAND``.

    Args:
        command: Path of the program, and its arguments.
        folder: Working folder.
        environment: All environment variables.
        output: Descriptor of its output; it is duplicated.
        error: Descriptor of its error output; it is duplicated.
        prepare: Called in the process before the program begins.
    """
    context = multiprocessing.get_context('forkserver')
    context.set_forkserver_preload(list(_MODULES))
    ends = [Connection(os.dup(number)) for number in (output, error)]
    arguments = (ends, list(command), str(folder), dict(environment), prepare)
    process = context.Process(target=_run, args=arguments)
    process.start()
    for end in ends:
        end.close()
    return process


def run(
    command: Sequence[str],
    folder: Path,
    environment: Mapping[str, str],
    seconds: float,
    prepare: Callable[[], None] | None = None,
) -> CompletedProcess[str]:
    """Runs ``python COMMAND`` to its end, and returns its status and what it printed. Arguments as in :func:`start`."""
    pipes = [os.pipe() for _ in range(2)]
    process = start(command, folder, environment, pipes[0][1], pipes[1][1], prepare)
    for _, writing in pipes:
        os.close(writing)
    with ThreadPoolExecutor(2) as threads:
        printed = [threads.submit(_read, reading) for reading, _ in pipes]
        process.join(seconds)
        if process.exitcode is None:
            process.kill()
    output, error = (part.result() for part in printed)
    assert process.exitcode is not None, f'{command[0]} did not end within {seconds} s:\n{output}\n{error}'
    return CompletedProcess(list(command), process.exitcode, output, error)


def _read(descriptor: int) -> str:
    with os.fdopen(descriptor, encoding='utf-8', errors='replace') as stream:
        return stream.read()


def _run(
    ends: Sequence[Connection],
    command: list[str],
    folder: str,
    environment: dict[str, str],
    prepare: Callable[[], None] | None,
) -> None:
    os.setsid()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell in the background lets its children ignore it
    multiprocessing.set_start_method(None, force=True)  # as in a new process
    for number, end in enumerate(ends, start=1):
        os.dup2(end.fileno(), number)
        end.close()
    sys.stdout, sys.stderr = (os.fdopen(number, 'w', buffering=1, closefd=False) for number in (1, 2))
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv, sys.path[0] = command, str(Path(command[0]).resolve().parent)
    sys.path[1:1] = filter(None, environment.get('PYTHONPATH', '').split(os.pathsep))
    if prepare is not None:
        prepare()
    try:
        runpy.run_path(command[0], run_name='__main__')
    finally:
        atexit._run_exitfuncs()  # multiprocessing does not run them
