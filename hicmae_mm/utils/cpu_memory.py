"""Memory that was freed, but that the C library keeps."""

from __future__ import annotations

import ctypes
import os
import platform
from pathlib import Path

STATM = Path('/proc/self/statm')
ALLOWANCE_BYTES = 64 * 2**20


class FreedMemory:
    """Gives freed memory back to the system when enough of it has piled up.

    The blocks that a training step asks for fit badly into those that it freed before: glibc keeps up to half as much
    memory again. Giving it back takes time, since the system zeroes the pages when they are needed again, so it is done
    only when the process has grown by an allowance since the last time.

    Args:
        allowance: Bytes to grow by.
    """

    def __init__(self, allowance: int = ALLOWANCE_BYTES) -> None:
        self.allowance = allowance
        self._left = 0  # resident after giving back
        has_glibc = platform.libc_ver()[0] == 'glibc' and STATM.is_file()
        self._trim = ctypes.CDLL(None).malloc_trim if has_glibc else None

    def give_back(self) -> bool:
        """Gives back what is free, if it is time.

        Returns:
            Whether anything was asked of the C library; never, where that is not glibc on Linux.
        """
        if self._trim is None or resident_bytes() <= self._left + self.allowance:
            return False
        self._trim(0)
        self._left = resident_bytes()
        return True


def resident_bytes() -> int:
    """Memory of this process (Linux)."""
    return int(STATM.read_bytes().split()[1]) * os.sysconf('SC_PAGE_SIZE')


FREED_MEMORY = FreedMemory()  # a process has one heap
