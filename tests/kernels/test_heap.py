from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from hicmae_mm.kernels import heap as heap_module
from hicmae_mm.kernels.heap import Heap, resident_bytes

# blocks of 24 MiB, every second one freed: those lie between others, where the C library keeps them
PROGRAM = """
import ctypes
from hicmae_mm.kernels.heap import Heap, resident_bytes
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
SIZE = 24 * 2**20
libc.free(libc.malloc(30 * 2**20))  # from now on glibc keeps blocks up to this size
heap = Heap(allowance_bytes=2**20)
assert heap.trim()  # the first time, whatever there is
assert not heap.trim()  # nothing came since
blocks = [libc.malloc(SIZE) for _ in range(20)]
for block in blocks:
    ctypes.memset(block, 1, SIZE)
for block in blocks[::2]:
    libc.free(block)
before = resident_bytes()
assert heap.trim()
print((before - resident_bytes()) // 2**20)
"""


@pytest.mark.skipif(not sys.platform.startswith('linux'), reason='reads /proc')
def test_freed_blocks_go_back_to_the_system() -> None:
    done = subprocess.run([sys.executable, '-c', PROGRAM], capture_output=True, text=True, check=True)
    assert int(done.stdout) > 180  # MiB, of 240 that were freed


def test_the_heap_is_trimmed_after_growing_by_the_allowance(monkeypatch: pytest.MonkeyPatch) -> None:
    heap, resident, trimmed = Heap(allowance_bytes=100), [1000], []
    heap._malloc_trim = trimmed.append
    monkeypatch.setattr(heap_module, 'resident_bytes', lambda: resident[0])
    grown = []
    for value in (1000, 1100, 1101, 1150, 1202):
        resident[0] = value
        grown.append(heap.trim())
    assert grown == [True, False, True, False, True]
    assert trimmed == [0, 0, 0]


def test_other_c_libraries_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr('platform.libc_ver', lambda: ('musl', '1.2'))
    assert Heap(allowance_bytes=0).trim() is False


@pytest.mark.skipif(not sys.platform.startswith('linux'), reason='reads /proc')
def test_resident_memory_is_that_of_the_system() -> None:
    lines = dict(line.split(':', 1) for line in Path('/proc/self/status').read_text().splitlines())
    assert resident_bytes() == pytest.approx(int(lines['VmRSS'].split()[0]) * 1024, rel=0.02)
