"""Timing of calls against the matrix-multiply rate of the same machine, measured in the same run."""

from __future__ import annotations

import itertools
import os
import resource
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import torch

MATRIX_SIZE = {'cpu': 2048, 'cuda': 8192}


@contextmanager
def limited_threads(count: int | None, pinned: bool = False) -> Iterator[None]:
    """Lets torch and OpenCV use so many threads for a while.

    Args:
        count: threads; None changes nothing.
        pinned: Whether the process is also kept on so many cores (Linux), since video decoders start threads of their
            own.
    """
    if count is None:
        yield
        return
    before = torch.get_num_threads(), cv2.getNumThreads()
    cores = os.sched_getaffinity(0) if hasattr(os, 'sched_setaffinity') else set()
    torch.set_num_threads(count)
    cv2.setNumThreads(count)
    if pinned and cores:
        os.sched_setaffinity(0, sorted(cores)[:count])
    try:
        yield
    finally:
        torch.set_num_threads(before[0])
        cv2.setNumThreads(before[1])
        if pinned and cores:
            os.sched_setaffinity(0, cores)


def wait_for(device: torch.device) -> None:
    """Lets a GPU finish; a CPU is always done."""
    if device.type == 'cuda':
        torch.cuda.synchronize(device)


def seconds_per_call(
    function: Callable[[], Any],
    iters: int,
    device: torch.device,
    warmup: int = 2,
    between: Callable[[], Any] | None = None,
) -> list[float]:
    """Times every call.

    On a GPU, events mark where its queue passes from one call to the next, and the host waits only before the first and
    after the last: waiting after every call would take away what queueing gains.

    Args:
        function: Function that is called without arguments.
        iters: Number of timed calls.
        device: Device whose time is taken.
        warmup: Number of calls before, which are not timed.
        between: Function that is called after every timed call, untimed. On a GPU it is never called.

    Returns:
        Seconds of each timed call.

    Raises:
        ValueError: If there is no call to time.
    """
    if iters < 1:
        raise ValueError(f'iters must be at least 1, got {iters}')
    for _ in range(warmup):
        function()
    wait_for(device)
    if device.type == 'cuda':
        return _seconds_by_events(function, iters, device)
    seconds = []
    for _ in range(iters):
        start = time.perf_counter()
        function()
        seconds.append(time.perf_counter() - start)
        if between is not None:
            between()
    return seconds


def _seconds_by_events(function: Callable[[], Any], iters: int, device: torch.device) -> list[float]:
    stream = torch.cuda.current_stream(device)
    events = [torch.cuda.Event(enable_timing=True) for _ in range(iters + 1)]
    events[0].record(stream)
    for event in events[1:]:
        function()
        event.record(stream)
    wait_for(device)
    return [before.elapsed_time(after) / 1000 for before, after in itertools.pairwise(events)]


def matmul_gflops(device: torch.device, dtype: torch.dtype = torch.float32, at_least_seconds: float = 1.0) -> float:
    """Measures the machine's rate of large square matrix products, with torch's present number of threads.

    Args:
        device: Device that multiplies.
        dtype: Type of the factors; take the type that the measured step computes in.
        at_least_seconds: Time for which it goes on (three products at least); the median counts.

    Returns:
        GFLOP/s, two operations per multiply-accumulate.
    """
    size = MATRIX_SIZE['cuda' if device.type == 'cuda' else 'cpu']
    left, right = (torch.randn(size, size, device=device, dtype=dtype) for _ in range(2))
    out = torch.empty_like(left)
    seconds: list[float] = []
    while len(seconds) < 3 or sum(seconds) < at_least_seconds:
        seconds += seconds_per_call(lambda: torch.mm(left, right, out=out), 1, device, warmup=0 if seconds else 2)
    return 2 * size**3 / statistics.median(seconds) / 1e9


def peak_memory_mb(device: torch.device) -> float:
    """Returns the peak of a GPU's allocated memory, or of this process's resident memory, in MiB."""
    if device.type == 'cuda':
        return torch.cuda.max_memory_allocated(device) / 2**20
    status = Path('/proc/self/status')
    if status.exists():  # Linux; what getrusage says there includes the process that started this one
        lines = dict(line.split(':', 1) for line in status.read_text().splitlines())
        return int(lines['VmHWM'].split()[0]) / 2**10
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == 'darwin' else 2**10)
