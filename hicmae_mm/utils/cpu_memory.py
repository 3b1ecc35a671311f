"""How the C library keeps freed memory."""

from __future__ import annotations

import ctypes
import platform

from torch import nn

M_MMAP_THRESHOLD = -3  # of glibc's malloc.h
THRESHOLD_BYTES = 2 * 2**20  # blocks from this size on are mapped


def map_large_blocks() -> bool:
    """Makes every large block a mapping of its own, which goes back to the system when it is freed.

    glibc raises its threshold for mappings while a program runs, up to 32 MiB, and keeps freed blocks below it. The
    next request fits those of a training step badly, so a step needs up to half as much memory again. Mapped blocks
    cost time, for the system zeroes their pages.

    Returns:
        Whether there was a glibc to tell.
    """
    if platform.libc_ver()[0] != 'glibc':
        return False
    return bool(ctypes.CDLL(None).mallopt(M_MMAP_THRESHOLD, ctypes.c_int(THRESHOLD_BYTES)))


def save_memory(model: nn.Module) -> bool:
    """:func:`map_large_blocks` for a training on the CPU whose model recomputes its activations to save memory.

    Returns:
        Whether large blocks are mapped now.
    """
    recomputes = any(getattr(part, 'checkpoint_activations', False) for part in model.modules())
    return recomputes and map_large_blocks()
