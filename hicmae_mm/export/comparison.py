"""How far an exported model is from the eager one, and how fast."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from hicmae_mm.export.recognizer import ExportableRecognizer
from hicmae_mm.export.session import ExportedSession

TOLERANCE = 1e-4
CHECKED_BATCHES = (1, 2, 3, 5)


def checked_batches(batch_size: int | None) -> tuple[int, ...]:
    """Batch sizes to compare at: several, or that of a fixed model and one more, which takes two calls."""
    return CHECKED_BATCHES if batch_size is None else (batch_size, batch_size + 1)


def largest_difference(
    recognizer: ExportableRecognizer, session: ExportedSession, views: Mapping[str, Tensor], batch_sizes: Sequence[int]
) -> float:
    """Largest absolute difference of any output from the eager model.

    Args:
        recognizer: The eager model.
        session: The exported one.
        views: ``(B, ...)`` by stream, B at least the largest batch size.
        batch_sizes: To compare at; each takes the last so many views, so that most views are used.
    """
    largest = 0.0
    for size in batch_sizes:
        batch = {name: value[-size:] for name, value in views.items()}
        with torch.inference_mode():
            expected = recognizer(batch)
        for name, value in session.predict(batch).items():
            difference = (value - expected[name].cpu()).abs().max()
            largest = max(largest, float(difference) if difference.isfinite() else float('inf'))
    return largest


def compare_speed(calls: Mapping[str, Callable[[], Any]], rounds: int = 5) -> dict[str, dict[str, float]]:
    """Times calls in turns, so that what else the machine does strikes all of them.

    Args:
        calls: By name; the first is what the others are measured against.
        rounds: Timed rounds, after one that is not.

    Returns:
        By name: ``seconds`` and ``cpu_seconds`` (medians; those of all threads of this process), and ``ratio`` and
        ``cpu_ratio``, the medians of the ratios to the first call of the same round. Below 1 is faster.
    """
    seconds: dict[str, list[tuple[float, float]]] = {name: [] for name in calls}
    for _ in range(rounds + 1):
        for name, call in calls.items():
            start, start_cpu = time.perf_counter(), time.process_time()
            call()
            seconds[name].append((time.perf_counter() - start, time.process_time() - start_cpu))
    first = seconds[next(iter(calls))][1:]
    report = {}
    for name, pairs in seconds.items():
        ratios = [(own[0] / other[0], own[1] / other[1]) for own, other in zip(pairs[1:], first)]
        report[name] = {
            'seconds': statistics.median(pair[0] for pair in pairs[1:]),
            'cpu_seconds': statistics.median(pair[1] for pair in pairs[1:]),
            'ratio': statistics.median(pair[0] for pair in ratios),
            'cpu_ratio': statistics.median(pair[1] for pair in ratios),
        }
    return report


def forward_calls(
    recognizer: ExportableRecognizer, sessions: Mapping[str, ExportedSession], batch: Mapping[str, Tensor]
) -> dict[str, Callable[[], Any]]:
    """Calls for :func:`compare_speed`: the eager model, then sessions by name."""

    def eager() -> Any:
        with torch.inference_mode():
            return recognizer(batch)

    return {'eager': eager} | {
        name: (lambda session=session: session.predict(batch)) for name, session in sessions.items()
    }
