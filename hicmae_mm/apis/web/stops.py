"""How a running analysis is ended: because its visitor has gone, or because it takes too long."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from hicmae_mm.apis.web import problems


class StoppedError(Exception):
    """The visitor has gone; nobody waits for a result."""


class Stop:
    """Whether one analysis should go on.

    Args:
        max_seconds: How long it may take, from its first check on.
    """

    def __init__(self, max_seconds: float = float('inf')) -> None:
        self.max_seconds = max_seconds
        self._asked = threading.Event()
        self._begun: float | None = None

    def ask(self) -> None:
        """Asks it to end."""
        self._asked.set()

    @property
    def is_asked(self) -> bool:
        """Whether it was asked to end."""
        return self._asked.is_set()

    def check(self) -> None:
        """Ends it if it should end.

        Raises:
            StoppedError: If it was asked to.
            VisitorError: If it has taken too long.
        """
        if self.is_asked:
            raise StoppedError
        now = time.monotonic()
        self._begun = now if self._begun is None else self._begun
        if now - self._begun > self.max_seconds:
            raise problems.too_slow(self.max_seconds)


class CheckStop:
    """A step of a pipeline, run for every window, that ends an analysis which should not go on."""

    def __init__(self) -> None:
        self.stop = Stop()

    def __call__(self, results: Any) -> Any:
        """Passes a sample on."""
        self.stop.check()
        return results


class Analyses:
    """What runs or waits for whom."""

    def __init__(self) -> None:
        self._stops: dict[str, list[Stop]] = defaultdict(list)
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def of(self, session: str, max_seconds: float) -> Iterator[Stop]:
        """Notes an analysis of a visitor."""
        stop = Stop(max_seconds)
        with self._lock:
            self._stops[session].append(stop)
        try:
            yield stop
        finally:
            with self._lock:
                self._stops[session].remove(stop)
                if not self._stops[session]:
                    del self._stops[session]

    def stop(self, session: str) -> None:
        """Asks all analyses of a visitor to end."""
        with self._lock:
            for stop in self._stops.get(session, ()):
                stop.ask()
