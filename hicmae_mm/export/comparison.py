"""Compare results and speed of an exported model with those of the eager model."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from hicmae_mm.export.recognizer import ExportableRecognizer
from hicmae_mm.export.session import ExportedSession
from hicmae_mm.export.token_ids import rows_of
from hicmae_mm.structures import Inputs

TOLERANCE = 1e-4
CHECKED_BATCHES = (1, 2, 3, 5)


def checked_batches(batch_size: int | None) -> tuple[int, ...]:
    """Lists the batch sizes for the comparison.

    Args:
        batch_size: Fixed batch size of the exported model, or None.

    Returns:
        Several sizes. For a fixed size it is this size and one more, which needs two calls.
    """
    return CHECKED_BATCHES if batch_size is None else (batch_size, batch_size + 1)


def largest_difference(
    recognizer: ExportableRecognizer, session: ExportedSession, views: Inputs, batch_sizes: Sequence[int]
) -> float:
    """Computes the largest absolute difference of any output from the eager model.

    Args:
        recognizer: The eager model.
        session: The exported model.
        views: ``(B, ...)`` by stream. B must be at least the largest batch size.
        batch_sizes: Batch sizes of the comparison. A batch of size n has the last n views.

    Returns:
        The difference. It is infinite if an output is not finite.
    """
    largest = 0.0
    total = next(iter(views.values())).shape[0]
    for size in batch_sizes:
        batch = rows_of(views, torch.arange(total - size, total))
        with torch.inference_mode():
            expected = recognizer(batch)
        for name, value in session.predict(batch).items():
            difference = (value - expected[name].cpu()).abs().max()
            largest = max(largest, float(difference) if difference.isfinite() else float('inf'))
    return largest


def compare_speed(calls: Mapping[str, Callable[[], Any]], rounds: int = 5) -> dict[str, dict[str, float]]:
    """Measures the time of several calls in alternation, so that other programs slow down all of them equally.

    Args:
        calls: Functions by name. The others are compared with the first one.
        rounds: Number of measured rounds. One round before them is not measured.

    Returns:
        Results by name: ``seconds`` and ``cpu_seconds`` are medians; ``cpu_seconds`` includes all threads of this
        process. ``ratio`` and ``cpu_ratio`` are medians of the ratios to the first call of the same round. A ratio
        below 1 means faster.
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
    """Makes the calls for :func:`compare_speed`.

    Args:
        recognizer: The eager model.
        sessions: Exported models by name.
        batch: ``(B, ...)`` by stream.

    Returns:
        Functions by name: ``eager``, and the names of the sessions.
    """

    def eager() -> Any:
        with torch.inference_mode():
            return recognizer(batch)

    return {'eager': eager} | {
        name: (lambda session=session: session.predict(batch)) for name, session in sessions.items()
    }
