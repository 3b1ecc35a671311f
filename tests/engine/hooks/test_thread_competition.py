"""Threads on too few cores are noticed, in a process that is confined to one core."""

from __future__ import annotations

import subprocess
import sys

import pytest

SCRIPT = """
import logging, os, sys
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
import torch
from types import SimpleNamespace
from hicmae_mm.engine.hooks import ThreadCompetitionHook
torch.set_num_threads(int(sys.argv[1]))
logging.basicConfig(level='INFO', stream=sys.stdout, format='%(message)s')
runner, hook = SimpleNamespace(logger=logging.getLogger()), ThreadCompetitionHook(num_iters=2)
matrix = torch.randn(700, 700)
for number in range(3):
    hook.before_train_iter(runner, number)
    for _ in range(8):
        matrix = torch.nn.functional.normalize(matrix @ matrix)
    hook.after_train_iter(runner, number)
"""


@pytest.mark.slow
@pytest.mark.parametrize('threads', [2, 1])
def test_threads_without_cores_are_noticed(threads: int) -> None:
    result = subprocess.run(
        [sys.executable, '-c', SCRIPT, str(threads)], capture_output=True, text=True, check=True, timeout=120
    )
    if threads == 1:
        assert result.stdout == ''  # there is nothing to advise
        return
    assert 'the 2 threads got' in result.stdout
    assert 'OMP_NUM_THREADS=1 in the environment' in result.stdout
