"""Says on what machine and day something was measured, and how much memory is free."""

from __future__ import annotations

import os
import platform
import re
from datetime import datetime, timezone
from pathlib import Path

import torch


def processor() -> str:
    """Returns the name of the processor, as far as the system tells it."""
    return _entry('/proc/cpuinfo', r'model name\s*:\s*(.+)') or platform.processor() or platform.machine()


def cores() -> int:
    """Returns the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count() or 1


def machine() -> str:
    """Returns processor, number of cores and version of PyTorch."""
    return f'{processor()}, {cores()} cores, PyTorch {torch.__version__.split("+")[0]}'


def free_memory_gb() -> float:
    """Returns the memory that programs can get, in units of 10^9 bytes."""
    kilobytes = _entry('/proc/meminfo', r'MemAvailable:\s*(\d+) kB')
    if kilobytes is not None:
        return int(kilobytes) * 1024 / 1e9
    return os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 1e9


def today() -> str:
    """Returns the day, in coordinated universal time."""
    return datetime.now(timezone.utc).strftime('%Y-%m-%d')


def _entry(file: str, pattern: str) -> str | None:
    """Returns the first match in a file that Linux has, and other systems may lack."""
    path = Path(file)
    found = re.search(f'^{pattern}$', path.read_text(), re.MULTILINE) if path.is_file() else None
    return None if found is None else found[1]
