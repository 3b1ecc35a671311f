"""Measuring models and pipelines against the rate of the machine, and against the published way of doing it."""

from hicmae_mm.measuring.timing import (
    limited_threads,
    matmul_gflops,
    peak_memory_mb,
    seconds_per_call,
    wait_for,
)

__all__ = ['limited_threads', 'matmul_gflops', 'peak_memory_mb', 'seconds_per_call', 'wait_for']
