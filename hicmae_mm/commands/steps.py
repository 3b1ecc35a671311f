"""Runs commands as steps. A finished step is not repeated, and a step ends when its caller ends."""

from __future__ import annotations

import codecs
import ctypes
import json
import os
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from hicmae_mm.utils.files import read_json_object, write_text

_PR_SET_PDEATHSIG = 1  # constant of prctl in Linux
GRACE_SECONDS = 20


@dataclass(frozen=True)
class Step:
    """Describes one command.

    Attributes:
        name: Short name of the step and of its mark.
        title: Description for the reader.
        command: Program and arguments; ``python`` stands for this interpreter.
        environment: Environment variables of the command.
        outputs: Files that exist if the step is finished.
        identity: Plain values that determine the result. If they change, the step has to be repeated. By default this
            is the command line.
        needs: Names of the steps that must be finished first.
        niceness: Niceness of the process, 0 (normal priority) to 19 (lowest priority).

    Example:
        >>> Step('train', 'Train fold 2', ('python', 'tools/train.py', 'a b.py'), {'FOLD': '2'}).shell_line
        "FOLD=2 python tools/train.py 'a b.py'"
    """

    name: str
    title: str
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    outputs: tuple[Path, ...] = ()
    identity: Mapping[str, Any] = field(default_factory=dict)
    needs: tuple[str, ...] = ()
    niceness: int = 0

    @property
    def shell_line(self) -> str:
        """Returns the command line with which a user can run the step in a shell."""
        assignments = [f'{name}={shlex.quote(value)}' for name, value in self.environment.items()]
        return ' '.join([*assignments, shlex.join(self.command)])


class StepMarks:
    """Records which steps were started and finished, in a file ``NAME.json`` per step.

    A file contains the identity, the command line and, after the end, the duration of the step.

    Args:
        folder: Folder of the files. The first file makes it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def mark_of(self, step: Step) -> Path:
        """Returns the path of the file of a step."""
        return self.folder / f'{step.name}.json'

    def read(self, step: Step) -> dict[str, Any]:
        """Reads the mark: ``identity``, ``command`` and, after the end, ``seconds``. It is empty before the start."""
        mark = self.mark_of(step)
        return read_json_object(mark, 'delete it, and the step runs again') if mark.is_file() else {}

    def is_finished(self, step: Step) -> bool:
        """Tells whether the step was finished with the same identity, and its outputs still exist."""
        mark = self.read(step)
        is_done = 'seconds' in mark and not self.is_outdated(step)
        return is_done and all(path.exists() for path in step.outputs)

    def is_outdated(self, step: Step) -> bool:
        """Tells whether a step with the same name, but another identity, was started before."""
        mark = self.read(step)
        return bool(mark) and mark.get('identity') != identity_of(step)

    def begin(self, step: Step) -> None:
        """Records the start of a step, so that a step with another identity does not continue it."""
        self._write(step, {})

    def finish(self, step: Step, seconds: float) -> None:
        """Records the end of a step."""
        self._write(step, {'seconds': round(seconds, 1)})

    def _write(self, step: Step, result: dict[str, float]) -> None:
        mark = {'identity': identity_of(step), 'command': step.shell_line, **result}
        write_text(self.mark_of(step), json.dumps(mark, indent=1) + '\n')

    def forget(self, step: Step) -> None:
        """Removes the file of a step."""
        self.mark_of(step).unlink(missing_ok=True)


def lower_priority(pid: int, niceness: int) -> None:
    """Lowers the priority of a session leader and of the processes that it will start.

    Linux may divide the time of its cores among sessions first ("autogroups"), so this function also sets the niceness
    of the session.

    Args:
        pid: Process id. If the process has ended, nothing happens.
        niceness: 0 (changes nothing) to 19 (lowest priority).
    """
    if niceness == 0:
        return
    with suppress(ProcessLookupError):
        os.setpriority(os.PRIO_PROCESS, pid, niceness)
    with suppress(OSError):  # the file does not exist in systems without autogroups
        Path(f'/proc/{pid}/autogroup').write_text(str(niceness))


def identity_of(step: Step) -> dict[str, Any]:
    """Returns the identity of a step in the form that JSON gives back."""
    identity: dict[str, Any] = json.loads(json.dumps(dict(step.identity) or {'command': step.shell_line}, default=repr))
    return identity


def differences(before: Any, now: Any, path: str = '') -> list[str]:
    """Lists the differences between two identities as lines ``key: before -> now``."""
    if isinstance(before, Mapping) and isinstance(now, Mapping):
        keys = dict.fromkeys([*before, *now])
        pairs = [(f'{path}.{key}' if path else str(key), before.get(key), now.get(key)) for key in keys]
    elif isinstance(before, list) and isinstance(now, list) and len(before) == len(now):
        pairs = [(f'{path}.{index}', *items) for index, items in enumerate(zip(before, now))]
    else:
        return [] if before == now else [f'{path}: {_short(before)} -> {_short(now)}']
    return [line for key, old, new in pairs for line in differences(old, new, key)]


def _short(value: Any, length: int = 60) -> str:
    text = str(value)
    return text if len(text) <= length else f'{text[:length]}...'


def run_step(step: Step, cwd: Path | None = None, log_file: Path | None = None, keep_open: Sequence[int] = ()) -> float:
    """Runs a step in the foreground. If this process ends for any reason, the step ends, too.

    Args:
        step: The step to run.
        cwd: Working folder of the step; by default that of this process.
        log_file: File to which the output of the step is appended.
        keep_open: File descriptors that the step inherits, such as that of a lock.

    Returns:
        Duration of the step in seconds.

    Raises:
        RuntimeError: If the command failed. The message names its status and the log file.
    """
    running = RunningStep(step, cwd, log_file, keep_open=keep_open)
    try:
        return running.wait()
    except BaseException:  # includes Ctrl-C
        running.end()
        raise


class RunningStep:
    """Starts a step in a new session, and represents it while it runs.

    Args:
        step: The step to run.
        cwd: Working folder of the step; by default that of this process.
        log_file: File to which the output of the step is appended.
        label: Text before each line that the step prints. Without a label and without a log file the step writes
            directly to the output of this process.
        keep_open: File descriptors that the step inherits.
        environment: Additional environment variables. Variables of the step override them.
    """

    def __init__(
        self,
        step: Step,
        cwd: Path | None = None,
        log_file: Path | None = None,
        label: str = '',
        keep_open: Sequence[int] = (),
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.step = step
        self._where = 'its messages are above' if log_file is None else f'see {log_file}'
        self._started = time.monotonic()
        program, *arguments = step.command
        own = {'PYTHON': sys.executable, 'PYTHONUNBUFFERED': '1', **(environment or {}), **step.environment}
        is_copied = log_file is not None or bool(label)
        self._process = subprocess.Popen(
            [sys.executable if program == 'python' else program, *arguments],
            cwd=cwd,
            env={**os.environ, **own},
            stdout=subprocess.PIPE if is_copied else None,
            stderr=subprocess.STDOUT if is_copied else None,
            start_new_session=True,  # so that it can be ended with all its children
            preexec_fn=_die_with(os.getpid()),
            pass_fds=tuple(keep_open),
        )
        lower_priority(self._process.pid, step.niceness)
        self._copying = threading.Thread(target=copy_output, args=(self._process.stdout, log_file, label), daemon=True)
        if is_copied:
            self._copying.start()

    def is_running(self) -> bool:
        """Tells whether the step is still running."""
        return self._process.poll() is None

    def wait(self) -> float:
        """Waits for the end of the step, and returns its duration in seconds.

        Raises:
            RuntimeError: If the command failed. The message names its status and the log file.
        """
        status = self._process.wait()
        if self._copying.is_alive():
            self._copying.join()
        if status != 0:
            raise RuntimeError(f'the step {self.step.name!r} failed with status {status}; {self._where}')
        return time.monotonic() - self._started

    def end(self) -> None:
        """Ends the step and its children by SIGTERM, and by SIGKILL if they do not end within 20 seconds."""
        for sign in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(self._process.pid, sign)
            except ProcessLookupError:
                return
            try:
                self._process.wait(GRACE_SECONDS)
            except subprocess.TimeoutExpired:
                continue


def _die_with(parent: int) -> Callable[[], None]:
    """Makes a function for the new process, which asks Linux for SIGTERM when its parent ends, even by SIGKILL."""
    prctl = ctypes.CDLL(None).prctl  # looked up before the fork

    def ask() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:  # the parent has already ended
            os._exit(1)

    return ask


def copy_output(stream: IO[bytes], log_file: Path | None, label: str) -> None:
    """Copies the output of a step to the console and to the log file at once; with a label, line by line."""
    decoder = codecs.getincrementaldecoder('utf-8')('replace')
    with stream, _opened(log_file) as log:
        while chunk := stream.readline() if label else stream.read1():  # type: ignore[attr-defined]
            if log is not None:
                log.write(chunk)
                log.flush()
            sys.stdout.write(label + decoder.decode(chunk))
            sys.stdout.flush()


def _opened(log_file: Path | None) -> AbstractContextManager[IO[bytes] | None]:
    if log_file is None:
        return nullcontext()
    log_file.parent.mkdir(parents=True, exist_ok=True)
    return log_file.open('ab')
