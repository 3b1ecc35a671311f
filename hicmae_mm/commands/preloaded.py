"""Starts Python tools from a process that has already imported the large packages, so that they begin at once."""

from __future__ import annotations

import atexit
import multiprocessing
import os
import runpy
import signal
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from multiprocessing import forkserver
from multiprocessing.connection import Connection
from pathlib import Path

from hicmae_mm.commands.steps import GRACE_SECONDS, RunningStep, Step, copy_output, lower_priority

# modules that training, testing and visualization import
HEAVY_MODULES = (
    'hicmae_mm.engine',
    'hicmae_mm.models',
    'hicmae_mm.datasets.transforms',
    'hicmae_mm.evaluation',
    'hicmae_mm.visualization',
    'mmaction.datasets.transforms',
    'sklearn.metrics',
    'tensorboard.summary.writer.event_file_writer',
    'torch.utils.tensorboard',
    'yapf',
)


def can_preload() -> bool:
    """Tells whether tools can share their imports. With a GPU they cannot: a forked process could not use it."""
    return not any(Path(device).exists() for device in ('/dev/nvidiactl', '/dev/kfd'))


def start_preloading(modules: Sequence[str] = HEAVY_MODULES) -> None:
    """Starts the importing process in the background. It gets the present environment, and ends with this process."""
    forkserver.set_forkserver_preload(list(modules))
    forkserver.ensure_running()


def step_starter(environment: Mapping[str, str] | None = None) -> type[PreloadedStep] | type[RunningStep]:
    """Returns the class that starts ``python TOOL ...`` steps soonest on this machine, and begins to preload.

    Args:
        environment: Variables that libraries read while they are imported, such as ``OMP_NUM_THREADS``. They are set in
            this process.
    """
    if not can_preload():
        return RunningStep
    os.environ.update(environment or {})
    start_preloading()
    return PreloadedStep


class PreloadedStep:
    """Runs a ``python TOOL ...`` step in a fork of the process of :func:`start_preloading`.

    It behaves like :class:`~hicmae_mm.commands.steps.RunningStep`, but saves the seconds that imports take.

    Args:
        step: The step to run.
        cwd: Working folder of the step; by default that of this process.
        log_file: File to which the output of the step is appended.
        label: Text before each line that the step prints.
        environment: Additional environment variables. Variables of the step override them.
    """

    def __init__(
        self,
        step: Step,
        cwd: Path | None = None,
        log_file: Path | None = None,
        label: str = '',
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.step = step
        self._where = 'its messages are above' if log_file is None else f'see {log_file}'
        self._started = time.monotonic()
        output, own_end = multiprocessing.Pipe(duplex=False)
        variables = {'PYTHON': sys.executable, **(environment or {}), **step.environment}
        self._process = multiprocessing.get_context('forkserver').Process(
            target=_run_tool,
            args=(own_end, step.command[1:], str(cwd or Path.cwd()), {**os.environ, **variables}, step.niceness),
        )
        self._process.start()
        own_end.close()
        stream = os.fdopen(os.dup(output.fileno()), 'rb')
        output.close()
        self._copying = threading.Thread(target=copy_output, args=(stream, log_file, label), daemon=True)
        self._copying.start()

    def is_running(self) -> bool:
        """Tells whether the step is still running."""
        return self._process.is_alive()

    def wait(self) -> float:
        """Waits for the end of the step, and returns its duration in seconds.

        Raises:
            RuntimeError: If the command failed. The message names its status and the log file.
        """
        self._process.join()
        self._copying.join()
        if self._process.exitcode != 0:
            status = self._process.exitcode
            raise RuntimeError(f'the step {self.step.name!r} failed with status {status}; {self._where}')
        return time.monotonic() - self._started

    def end(self) -> None:
        """Ends the step and its children by SIGTERM, and by SIGKILL if they do not end within 20 seconds."""
        for sign in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(self._process.pid or 0, sign)
            except ProcessLookupError:  # it has ended, or has no group of its own yet
                self._process.kill()
            self._process.join(GRACE_SECONDS)
            if not self._process.is_alive():
                return


def _run_tool(
    output: Connection, command: Sequence[str], cwd: str, environment: Mapping[str, str], niceness: int
) -> None:
    """Runs ``python COMMAND`` in this process, in a new session, so that it can be ended with all its children."""
    os.setsid()
    lower_priority(os.getpid(), niceness)
    threading.Thread(target=_end_with_caller, daemon=True).start()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    multiprocessing.set_start_method(None, force=True)  # as in a new process
    for descriptor in (1, 2):
        os.dup2(output.fileno(), descriptor)
    output.close()
    # new streams: the inherited ones may take the pipe for the file that the caller writes to, and try to seek in it
    sys.stdout, sys.stderr = (
        os.fdopen(descriptor, 'w', buffering=1, encoding=stream.encoding, errors=stream.errors, closefd=False)
        for descriptor, stream in ((1, sys.stdout), (2, sys.stderr))
    )
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = list(command)
    sys.path[0] = str(Path(command[0]).resolve().parent)
    try:
        runpy.run_path(command[0], run_name='__main__')
    finally:
        atexit._run_exitfuncs()  # multiprocessing does not run them


def _end_with_caller() -> None:
    """Waits for the end of the calling process, even by SIGKILL, and then ends the process group of the tool."""
    caller = multiprocessing.parent_process()
    assert caller is not None
    caller.join()
    os.killpg(os.getpid(), signal.SIGTERM)
