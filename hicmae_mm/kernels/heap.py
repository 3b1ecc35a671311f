"""Memory that was freed, but that the C library keeps."""

from __future__ import annotations

import ctypes
import os
import platform
from pathlib import Path

from torch import Tensor, nn

from hicmae_mm.models.layers import is_recomputed

STATM = Path('/proc/self/statm')
ALLOWANCE_BYTES = 64 * 2**20


class Heap:
    """Returns free memory of the C library's heap to the system, once the process has grown by an allowance.

    The blocks that a training step asks for fit badly into those that it freed before: glibc keeps up to half as much
    memory again. Returning it takes time, since the system zeroes the pages when they are needed again.
    """

    def __init__(self, allowance_bytes: int = ALLOWANCE_BYTES) -> None:
        self.allowance_bytes = allowance_bytes
        self._bytes_after_trim = 0
        has_glibc = platform.libc_ver()[0] == 'glibc' and STATM.is_file()
        self._malloc_trim = ctypes.CDLL(None).malloc_trim if has_glibc else None

    def trim(self) -> bool:
        """Returns free memory to the system if it is time; whether that was asked of the C library (glibc on Linux)."""
        if self._malloc_trim is None or resident_bytes() <= self._bytes_after_trim + self.allowance_bytes:
            return False
        self._malloc_trim(0)
        self._bytes_after_trim = resident_bytes()
        return True


def resident_bytes() -> int:
    """Returns the memory of this process (Linux)."""
    return int(STATM.read_bytes().split()[1]) * os.sysconf('SC_PAGE_SIZE')


HEAP = Heap()  # of all recomputed blocks


def block_after_trim(block: nn.Module, x: Tensor, *inputs: Tensor | None) -> Tensor:
    """Returns a block that trims the heap first if it is recomputed on a CPU. Elsewhere this is not worth the time."""
    if is_recomputed() and x.device.type == 'cpu':
        HEAP.trim()
    output: Tensor = type(block).forward(block, x, *inputs)
    return output
