from __future__ import annotations

import subprocess
import sys

import pytest
from torch import nn

from hicmae_mm.utils import cpu_memory
from hicmae_mm.utils.cpu_memory import map_large_blocks, save_memory

# blocks of 24 MiB, every second one kept: the freed ones lie between, where nothing but a mapping can be given back
PROGRAM = """
import ctypes, sys
from pathlib import Path
from hicmae_mm.utils.cpu_memory import map_large_blocks
if sys.argv[1] == 'give back':
    assert map_large_blocks()
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
SIZE = 24 * 2**20
libc.free(libc.malloc(30 * 2**20))  # glibc now keeps blocks up to this size
blocks = [libc.malloc(SIZE) for _ in range(20)]
for block in blocks:
    ctypes.memset(block, 1, SIZE)
for block in blocks[::2]:
    libc.free(block)
lines = dict(line.split(':', 1) for line in Path('/proc/self/status').read_text().splitlines())
print(int(lines['VmRSS'].split()[0]) // 1024)
"""


@pytest.mark.skipif(not sys.platform.startswith('linux'), reason='reads /proc')
def test_freed_blocks_go_back_to_the_system() -> None:
    left = {}
    for mode in ('keep', 'give back'):
        done = subprocess.run([sys.executable, '-c', PROGRAM, mode], capture_output=True, text=True, check=True)
        left[mode] = int(done.stdout)
    assert left['keep'] - left['give back'] > 180  # MiB, of 240 that were freed


def test_other_c_libraries_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr('platform.libc_ver', lambda: ('musl', '1.2'))
    assert map_large_blocks() is False


@pytest.mark.parametrize('recomputes', [False, True])
def test_only_recomputing_maps_large_blocks(monkeypatch: pytest.MonkeyPatch, recomputes: bool) -> None:
    asked: list[bool] = []
    monkeypatch.setattr(cpu_memory, 'map_large_blocks', lambda: asked.append(True) or True)
    model = nn.ModuleList([nn.Identity(), nn.Identity()])
    model[1].checkpoint_activations = recomputes
    assert save_memory(model) is recomputes
    assert asked == [True] * recomputes
