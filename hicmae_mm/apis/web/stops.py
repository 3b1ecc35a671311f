"""Stop a running analysis because its visitor has left or because it takes too long."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from hicmae_mm.apis.web import problems


class StoppedError(Exception):
    """Stops an analysis whose visitor has left, so that nobody waits for the result."""


class Stop:
    """Stops one analysis on request or after a time limit.

    Args:
        max_seconds: Longest time of the analysis, counted from the first check.

    Example:
        >>> from hicmae_mm.apis.web.stops import Stop
        >>> stop = Stop(max_seconds=60)
        >>> stop.check()
        >>> stop.ask()
        >>> stop.is_asked
        True
    """

    def __init__(self, max_seconds: float = float('inf')) -> None:
        self.max_seconds = max_seconds
        self._asked = threading.Event()
        self._begun: float | None = None

    def ask(self) -> None:
        """Requests that the analysis ends."""
        self._asked.set()

    @property
    def is_asked(self) -> bool:
        """Returns whether the end was requested."""
        return self._asked.is_set()

    def check(self) -> None:
        """Raises an error if the analysis must end.

        Raises:
            StoppedError: If the end was requested.
            VisitorError: If the analysis has taken too long.
        """
        if self.is_asked:
            raise StoppedError
        now = time.monotonic()
        self._begun = now if self._begun is None else self._begun
        if now - self._begun > self.max_seconds:
            raise problems.too_slow(self.max_seconds)


class CheckStop:
    """Checks for every window whether the analysis must end. It is a step of a pipeline."""

    def __init__(self) -> None:
        self.stop = Stop()

    def __call__(self, results: Any) -> Any:
        """Checks, and returns the sample unchanged.

        Args:
            results: The sample.

        Returns:
            The same sample.

        Raises:
            StoppedError: If the end of the analysis was requested.
            VisitorError: If the analysis has taken too long.
        """
        self.stop.check()
        return results


class Analyses:
    """Knows the running and waiting analyses of every visitor."""

    def __init__(self) -> None:
        self._stops: dict[str, list[Stop]] = defaultdict(list)
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def of(self, session: str, max_seconds: float) -> Iterator[Stop]:
        """Registers an analysis of a visitor until the context ends.

        Args:
            session: Session of the visitor.
            max_seconds: Longest time of the analysis.

        Yields:
            The object that stops the analysis.
        """
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
        """Requests that all analyses of a visitor end.

        Args:
            session: Session of the visitor.
        """
        with self._lock:
            for stop in self._stops.get(session, ()):
                stop.ask()
