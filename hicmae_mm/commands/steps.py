"""Commands that run one after the other, are not repeated once finished, and never outlive their caller."""

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

from hicmae_mm.utils.files import write_text

_PR_SET_PDEATHSIG = 1  # of Linux' prctl
GRACE_SECONDS = 20


@dataclass(frozen=True)
class Step:
    """One command.

    Attributes:
        name: Short name, also of its completion mark.
        title: What it does, for the reader.
        command: Program and arguments; ``python`` stands for this interpreter.
        environment: Variables set for it.
        outputs: Files without which it is not finished.
        identity: Plain values that decide what it computes: when they change, it has to be done again. By default its
            command line.
        needs: Names of the steps that have to be finished before.
        niceness: How much it leaves the cores to steps beside it, from 0 to 19.
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
        """What a user types to run the step by hand."""
        assignments = [f'{name}={shlex.quote(value)}' for name, value in self.environment.items()]
        return ' '.join([*assignments, shlex.join(self.command)])


class StepMarks:
    """What has been begun and finished: a file ``NAME.json`` per step, with identity, command line and duration.

    Args:
        folder: Where the marks lie; made with the first.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def mark_of(self, step: Step) -> Path:
        """The file that says how far a step is."""
        return self.folder / f'{step.name}.json'

    def read(self, step: Step) -> dict[str, Any]:
        """The mark: ``identity``, ``command`` and, once finished, ``seconds``; empty if the step was never begun."""
        mark = self.mark_of(step)
        return json.loads(mark.read_text()) if mark.is_file() else {}

    def is_finished(self, step: Step) -> bool:
        """Whether the same was finished before, and its outputs are still there."""
        mark = self.read(step)
        is_done = 'seconds' in mark and not self.is_outdated(step)
        return is_done and all(path.exists() for path in step.outputs)

    def is_outdated(self, step: Step) -> bool:
        """Whether something else was begun under this name."""
        mark = self.read(step)
        return bool(mark) and mark.get('identity') != identity_of(step)

    def begin(self, step: Step) -> None:
        """Notes what is about to run, so that it is not continued as something else."""
        self._write(step, {})

    def finish(self, step: Step, seconds: float) -> None:
        """Marks a step as finished."""
        self._write(step, {'seconds': round(seconds, 1)})

    def _write(self, step: Step, result: dict[str, float]) -> None:
        mark = {'identity': identity_of(step), 'command': step.shell_line, **result}
        write_text(self.mark_of(step), json.dumps(mark, indent=1) + '\n')

    def forget(self, step: Step) -> None:
        """Removes the mark."""
        self.mark_of(step).unlink(missing_ok=True)


def lower_priority(pid: int, niceness: int) -> None:
    """Lets a process that leads a session, and what it will start, have the cores that others leave.

    Linux may share its cores among sessions first ("autogroups"), so the session's own niceness counts as well.

    Args:
        pid: Of the process; nothing happens if it has ended.
        niceness: From 0, which changes nothing, to 19.
    """
    if niceness == 0:
        return
    with suppress(ProcessLookupError):
        os.setpriority(os.PRIO_PROCESS, pid, niceness)
    with suppress(OSError):  # no such file where sessions do not count
        Path(f'/proc/{pid}/autogroup').write_text(str(niceness))


def identity_of(step: Step) -> dict[str, Any]:
    """A step's identity as it reads back from JSON."""
    identity: dict[str, Any] = json.loads(json.dumps(dict(step.identity) or {'command': step.shell_line}, default=repr))
    return identity


def differences(before: Any, now: Any, path: str = '') -> list[str]:
    """What differs between two identities, as ``key: before -> now`` lines."""
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
    """Runs a step in the foreground; whatever ends this process ends the step too.

    Args:
        step: What to run.
        cwd: Its working folder; by default this process's own.
        log_file: Everything that the step prints is appended to it, too.
        keep_open: File descriptors that the step inherits, such as that of a lock.

    Returns:
        Seconds that it took.

    Raises:
        RuntimeError: The command failed; the message names its status and the log file.
    """
    running = RunningStep(step, cwd, log_file, keep_open=keep_open)
    try:
        return running.wait()
    except BaseException:  # Ctrl-C above all
        running.end()
        raise


class RunningStep:
    """A step that has been started.

    Args:
        step: What to run.
        cwd: Its working folder; by default this process's own.
        log_file: Everything that the step prints is appended to it, too.
        label: Put before each line that it prints; without one and without a log it writes to this process's terminal.
        keep_open: File descriptors that the step inherits.
        environment: Variables set for it besides its own, which go before.
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
        """Whether it has not come to its end."""
        return self._process.poll() is None

    def wait(self) -> float:
        """Waits for its end and returns the seconds that it took.

        Raises:
            RuntimeError: The command failed; the message names its status and the log file.
        """
        status = self._process.wait()
        if self._copying.is_alive():
            self._copying.join()
        if status != 0:
            raise RuntimeError(f'the step {self.step.name!r} failed with status {status}; {self._where}')
        return time.monotonic() - self._started

    def end(self) -> None:
        """Ends the step and its children, the hard way if need be."""
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
    """A function for the new process, which asks Linux for SIGTERM when its parent dies, even of SIGKILL."""
    prctl = ctypes.CDLL(None).prctl  # looked up before the fork

    def ask() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:  # it died in between
            os._exit(1)

    return ask


def copy_output(stream: IO[bytes], log_file: Path | None, label: str) -> None:
    """Copies a step's output to the console and to its log as it comes; whole lines where they are labelled."""
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
