from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from hicmae_mm.utils import cpu_memory
from hicmae_mm.utils.cpu_memory import FreedMemory, resident_bytes

# blocks of 24 MiB, every second one freed: those lie between others, where the C library keeps them
PROGRAM = """
import ctypes
from hicmae_mm.utils.cpu_memory import FreedMemory, resident_bytes
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
SIZE = 24 * 2**20
libc.free(libc.malloc(30 * 2**20))  # from now on glibc keeps blocks up to this size
memory = FreedMemory(allowance=2**20)
assert memory.give_back()  # the first time, whatever there is
assert not memory.give_back()  # nothing came since
blocks = [libc.malloc(SIZE) for _ in range(20)]
for block in blocks:
    ctypes.memset(block, 1, SIZE)
for block in blocks[::2]:
    libc.free(block)
before = resident_bytes()
assert memory.give_back()
print((before - resident_bytes()) // 2**20)
"""


@pytest.mark.skipif(not sys.platform.startswith('linux'), reason='reads /proc')
def test_freed_blocks_go_back_to_the_system() -> None:
    done = subprocess.run([sys.executable, '-c', PROGRAM], capture_output=True, text=True, check=True)
    assert int(done.stdout) > 180  # MiB, of 240 that were freed


def test_memory_is_given_back_after_growing_by_the_allowance(monkeypatch: pytest.MonkeyPatch) -> None:
    memory, resident, trimmed = FreedMemory(allowance=100), [1000], []
    memory._trim = trimmed.append
    monkeypatch.setattr(cpu_memory, 'resident_bytes', lambda: resident[0])
    grown = []
    for value in (1000, 1100, 1101, 1150, 1202):
        resident[0] = value
        grown.append(memory.give_back())
    assert grown == [True, False, True, False, True]
    assert trimmed == [0, 0, 0]


def test_other_c_libraries_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr('platform.libc_ver', lambda: ('musl', '1.2'))
    assert FreedMemory(allowance=0).give_back() is False


@pytest.mark.skipif(not sys.platform.startswith('linux'), reason='reads /proc')
def test_resident_memory_is_that_of_the_system() -> None:
    lines = dict(line.split(':', 1) for line in Path('/proc/self/status').read_text().splitlines())
    assert resident_bytes() == pytest.approx(int(lines['VmRSS'].split()[0]) * 1024, rel=0.02)
