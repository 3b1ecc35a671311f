from __future__ import annotations

import os
import socket

import pytest
import torch

from hicmae_mm.engine.distributed import init_cpu_process_group, leave_cores_to_workers, leave_process_group


@pytest.fixture(autouse=True)
def _no_launcher(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ('RANK', 'WORLD_SIZE', 'MASTER_ADDR', 'MASTER_PORT', 'SLURM_PROCID'):
        monkeypatch.delenv(name, raising=False)


def test_missing_environment_names_the_script() -> None:
    with pytest.raises(ValueError, match=r'RANK, WORLD_SIZE, MASTER_ADDR, MASTER_PORT.*tools/dist_train.sh'):
        init_cpu_process_group('pytorch')
    with pytest.raises(ValueError, match=r'SLURM_PROCID.*tools/slurm_train.sh'):
        init_cpu_process_group('slurm')
    with pytest.raises(ValueError, match="launcher 'mpi' is not available without a GPU"):
        init_cpu_process_group('mpi')


def test_leaving_closes_the_group(monkeypatch: pytest.MonkeyPatch) -> None:
    leave_process_group()  # there is none
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        port = probe.getsockname()[1]
    for name, value in {'RANK': 0, 'WORLD_SIZE': 1, 'MASTER_ADDR': '127.0.0.1', 'MASTER_PORT': port}.items():
        monkeypatch.setenv(name, str(value))
    init_cpu_process_group('pytorch')
    assert torch.distributed.is_initialized()
    leave_process_group()
    assert not torch.distributed.is_initialized()


@pytest.mark.parametrize(('num_workers', 'threads'), [(0, 4), (1, 3), (3, 1), (16, 1)])
def test_workers_get_their_cores(monkeypatch: pytest.MonkeyPatch, num_workers: int, threads: int) -> None:
    asked = []
    monkeypatch.setattr(os, 'sched_getaffinity', lambda _: set(range(4)), raising=False)
    monkeypatch.setattr(torch, 'get_num_threads', lambda: 8)
    monkeypatch.setattr(torch, 'set_num_threads', asked.append)
    leave_cores_to_workers(num_workers)
    assert asked == [min(threads, 4)]
