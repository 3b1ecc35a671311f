from __future__ import annotations

import time

import pytest
import torch

from hicmae_mm.measuring import limited_threads, matmul_gflops, peak_memory_mb, seconds_per_call

CPU = torch.device('cpu')


def test_every_timed_call_counts_and_warm_up_does_not():
    calls = []

    def sleep() -> None:
        calls.append(time.perf_counter())
        time.sleep(0.02)

    seconds = seconds_per_call(sleep, 3, CPU, warmup=2)
    assert len(calls) == 5
    assert len(seconds) == 3
    assert min(seconds) >= 0.02
    with pytest.raises(ValueError, match='iters must be at least 1, got 0'):
        seconds_per_call(sleep, 0, CPU)


def test_rates_are_positive():
    assert matmul_gflops(CPU, at_least_seconds=0.0) > 0.1
    assert peak_memory_mb(CPU) > 50


def test_threads_are_put_back():
    before = torch.get_num_threads()
    with limited_threads(1, pinned=True):
        assert torch.get_num_threads() == 1
    with limited_threads(None):
        assert torch.get_num_threads() == before
    assert torch.get_num_threads() == before
