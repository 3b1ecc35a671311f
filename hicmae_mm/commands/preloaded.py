"""Python tools started from a process that has done the heavy imports: each then begins at once."""

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

from hicmae_mm.commands.steps import GRACE_SECONDS, Step, copy_output, lower_priority

# what training, testing and drawing import between them
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
    """Whether tools may share their imports: not where a GPU is, which a process forked later could not use."""
    return not any(Path(device).exists() for device in ('/dev/nvidiactl', '/dev/kfd'))


def start_preloading(modules: Sequence[str] = HEAVY_MODULES) -> None:
    """Starts the process that imports, in the background; it ends with this one. Its environment is that of now."""
    forkserver.set_forkserver_preload(list(modules))
    forkserver.ensure_running()


class PreloadedStep:
    """A ``python TOOL ...`` step, run in a fork of the process of :func:`start_preloading`.

    The same as :class:`~hicmae_mm.commands.steps.RunningStep` to the caller, and to the tool, but for its seconds of
    imports.

    Args:
        step: What to run.
        cwd: Its working folder.
        label: Put before each line that it prints.
        environment: Variables set for it besides its own, which go before.
    """

    def __init__(self, step: Step, cwd: Path, label: str, environment: Mapping[str, str] | None = None) -> None:
        self.step = step
        self._started = time.monotonic()
        output, own_end = multiprocessing.Pipe(duplex=False)
        variables = {'PYTHON': sys.executable, **(environment or {}), **step.environment}
        self._process = multiprocessing.get_context('forkserver').Process(
            target=_run_tool, args=(own_end, step.command[1:], str(cwd), {**os.environ, **variables}, step.niceness)
        )
        self._process.start()
        own_end.close()
        stream = os.fdopen(os.dup(output.fileno()), 'rb')
        output.close()
        self._copying = threading.Thread(target=copy_output, args=(stream, None, label), daemon=True)
        self._copying.start()

    def is_running(self) -> bool:
        """Whether it has not come to its end."""
        return self._process.is_alive()

    def wait(self) -> float:
        """Waits for its end and returns the seconds that it took.

        Raises:
            RuntimeError: The command failed; the message names its status.
        """
        self._process.join()
        self._copying.join()
        if self._process.exitcode != 0:
            status = self._process.exitcode
            raise RuntimeError(f'the step {self.step.name!r} failed with status {status}; its messages are above')
        return time.monotonic() - self._started

    def end(self) -> None:
        """Ends the step and its children, the hard way if need be."""
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
    """Becomes ``python COMMAND``, in a session of its own so that it can be ended with all its children."""
    os.setsid()
    lower_priority(os.getpid(), niceness)
    threading.Thread(target=_end_with_caller, daemon=True).start()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    multiprocessing.set_start_method(None, force=True)  # as in a process that was started afresh
    for descriptor in (1, 2):
        os.dup2(output.fileno(), descriptor)
    output.close()
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = list(command)
    sys.path[0] = str(Path(command[0]).resolve().parent)
    try:
        runpy.run_path(command[0], run_name='__main__')
    finally:
        atexit._run_exitfuncs()  # multiprocessing leaves them out


def _end_with_caller() -> None:
    """Waits for the end of the process that asked for the tool, even by SIGKILL, and ends the tool's."""
    caller = multiprocessing.parent_process()
    assert caller is not None
    caller.join()
    os.killpg(os.getpid(), signal.SIGTERM)
