"""Runs a function over many items in worker processes, and survives the items that kill their worker.

A broken video can bring a decoder down with its whole process. The executors of the standard library then give up on
everything that was waiting; here each worker holds one item at a time, so the culprit is known, reported, and the rest
goes on.
"""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Any, Generic, TypeVar

import cv2

from hicmae_mm.datasets.errors import MediaError

T = TypeVar('T')
R = TypeVar('R')

# imported once, in the server that workers are forked from: importing takes seconds, forking milliseconds
_PRELOADED = ['__main__', 'hicmae_mm.datasets.faces', 'hicmae_mm.datasets.preparation.audio']


@dataclass(frozen=True)
class Failure:
    """Records why an item could not be processed.

    Attributes:
        kind: ``'missing'`` (no such file), ``'broken'`` (a bad file) or ``'crashed'`` (it brought the process down).
        reason: Description of the failure.
    """

    kind: str
    reason: str


class WorkerError(RuntimeError):
    """Shows the traceback of an error in a worker process, as the cause of that error in this process."""


def default_num_workers() -> int:
    """Returns the number of CPU cores that this process may use."""
    return len(os.sched_getaffinity(0))


def run_parallel(
    function: Callable[[T], R], items: Iterable[T], num_workers: int = 1
) -> Iterator[tuple[T, R | Failure]]:
    """Applies a function to every item, in any order.

    Args:
        function: Called once per item. It, the items and the results must be picklable.
        items: Taken as workers become free, never far ahead.
        num_workers: Worker processes; 0 works in this process.

    Yields:
        Items with their results, as they are finished. A missing file (``FileNotFoundError``), a broken one
        (:class:`MediaError`) and the death of the worker give a :class:`Failure`.

    Raises:
        ValueError: If ``num_workers`` is below 0.
        Exception: Whatever else ``function`` raises; the traceback of the worker is its cause.
    """
    if num_workers < 0:
        raise ValueError(f'num_workers must be at least 0, got {num_workers}')
    if num_workers == 0:
        for item in items:
            yield item, _attempt(function, item)
        return
    context = multiprocessing.get_context('forkserver')  # forking a process with threads may deadlock
    context.set_forkserver_preload(_PRELOADED)
    waiting = iter(items)
    workers: list[_Worker[T, R]] = []
    try:
        for item in waiting:
            workers.append(_Worker(context, function, item))
            if len(workers) == num_workers:
                break
        while workers:
            ready = wait([worker.connection for worker in workers])
            for worker in [worker for worker in workers if worker.connection in ready]:
                yield worker.item, worker.result()
                try:
                    worker.send(next(waiting))
                except StopIteration:
                    worker.stop()
                    workers.remove(worker)
    finally:
        for worker in workers:
            worker.kill()


class _Worker(Generic[T, R]):
    """Runs a process that works on one item at a time. A new process replaces one that died."""

    def __init__(self, context: Any, function: Callable[[T], R], item: T) -> None:
        self._context, self._function = context, function
        self._start()
        self.send(item)

    def _start(self) -> None:
        self.connection, far_end = self._context.Pipe()
        self._process = self._context.Process(target=_serve, args=(far_end, self._function), daemon=True)
        self._process.start()
        far_end.close()

    def send(self, item: T) -> None:
        """Hands the next item over."""
        self.item = item
        if not self._process.is_alive():
            self._start()
        with suppress(BrokenPipeError):  # it died just now: result() will find out
            self.connection.send(item)

    def result(self) -> R | Failure:
        """Returns the result of the item. Call it when the connection is ready."""
        try:
            reply: R | Failure | _Raised = self.connection.recv()
        except (EOFError, ConnectionResetError):
            self._process.join()
            return Failure('crashed', f'the process that worked on it died ({_cause_of_death(self._process.exitcode)})')
        if isinstance(reply, _Raised):
            raise reply.error from WorkerError(reply.traceback)
        return reply

    def stop(self) -> None:
        """Lets an idle worker go."""
        self.connection.close()
        self._process.join()

    def kill(self) -> None:
        """Ends a worker at once."""
        self._process.kill()
        self.stop()


@dataclass(frozen=True)
class _Raised:
    """Carries an error from a worker to the main process."""

    error: Exception
    traceback: str


def _serve(connection: Connection, function: Callable[[Any], Any]) -> None:
    """Runs a worker until the connection closes: the work is done, or the parent process was killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which ends its workers
    cv2.setNumThreads(1)
    while True:
        try:
            item = connection.recv()
        except EOFError:
            return
        reply: Any
        try:
            reply = _attempt(function, item)
        except Exception as error:  # raised again in the parent
            reply = _Raised(_picklable(error), traceback.format_exc())
        try:
            connection.send(reply)
        except BrokenPipeError:
            return


def _attempt(function: Callable[[T], R], item: T) -> R | Failure:
    try:
        return function(item)
    except MediaError as error:
        return Failure('broken', str(error))
    except FileNotFoundError as error:
        return Failure('missing', str(error))


def _picklable(error: Exception) -> Exception:
    try:
        pickle.loads(pickle.dumps(error))
    except (pickle.PicklingError, TypeError, AttributeError):
        return RuntimeError(f'{type(error).__name__}: {error}')
    return error


def _cause_of_death(exit_code: int | None) -> str:
    if exit_code is None or exit_code >= 0:
        return f'exit code {exit_code}'
    return f'signal {signal.Signals(-exit_code).name}'
