"""Start and close the process group of a distributed training, also on machines without a GPU."""

from __future__ import annotations

import datetime
import os
import subprocess

import torch
import torch.distributed as dist


def prepare_rank(launcher: str, timeout_seconds: int = 1800) -> None:
    """Prepares this process for a distributed training, before MMEngine does the rest.

    Without a GPU it starts the process group, which MMEngine cannot do. Other libraries get as many threads as PyTorch.

    Args:
        launcher: ``pytorch`` (torchrun) or ``slurm``.
        timeout_seconds: Longest time that a collective operation may wait.

    Raises:
        ValueError: If the node has too few GPUs, or the launcher is not available.
    """
    for name in ('OMP_NUM_THREADS', 'MKL_NUM_THREADS'):
        os.environ.setdefault(name, str(torch.get_num_threads()))
    if torch.cuda.is_available():
        check_local_rank_has_gpu()
    elif not dist.is_initialized():
        init_cpu_process_group(launcher, timeout_seconds)


def init_cpu_process_group(launcher: str, timeout_seconds: int = 1800) -> None:
    """Starts a gloo process group from the environment of ``torchrun`` or Slurm.

    MMEngine's ``init_dist`` calls ``torch.cuda.set_device`` for every backend. It does not do so if a group exists.

    Args:
        launcher: ``pytorch`` (torchrun) or ``slurm``.
        timeout_seconds: Longest time that a collective operation may wait.

    Raises:
        ValueError: If the launcher is another one, or its environment variables are missing.
    """
    if launcher == 'slurm':
        _rank_from_slurm()
    elif launcher != 'pytorch':
        raise ValueError(f"launcher {launcher!r} is not available without a GPU; expected 'pytorch' or 'slurm'")
    absent = [name for name in ('RANK', 'WORLD_SIZE', 'MASTER_ADDR', 'MASTER_PORT') if name not in os.environ]
    if absent:
        raise ValueError(
            f'launcher {launcher!r} needs the environment variables {", ".join(absent)}: start the program with '
            'tools/dist_train.sh (torchrun) or tools/slurm_train.sh, or leave --launcher out'
        )
    dist.init_process_group('gloo', timeout=datetime.timedelta(seconds=timeout_seconds))


def leave_process_group() -> None:
    """Waits for the other ranks and closes the connections to them. Without a process group it does nothing.

    Call it at the end of a program that has finished without an error. A rank can abort if its connections are still
    open when the interpreter stops. Then the launcher reports that the finished training has failed.
    """
    if dist.is_available() and dist.is_initialized():
        dist.barrier()
        dist.destroy_process_group()


def _rank_from_slurm() -> None:
    if 'SLURM_PROCID' not in os.environ:
        raise ValueError("launcher 'slurm' needs SLURM_PROCID: start the program with srun (tools/slurm_train.sh)")
    if 'MASTER_ADDR' not in os.environ:
        os.environ['MASTER_ADDR'] = _first_slurm_node()
    os.environ.setdefault('MASTER_PORT', '29500')
    os.environ['RANK'] = os.environ['SLURM_PROCID']
    os.environ['WORLD_SIZE'] = os.environ['SLURM_NTASKS']
    os.environ['LOCAL_RANK'] = os.environ.get('SLURM_LOCALID', '0')


def _first_slurm_node() -> str:
    nodes = os.environ.get('SLURM_NODELIST', '')
    if int(os.environ.get('SLURM_NNODES', 1)) == 1 or not nodes:
        return '127.0.0.1'
    listing = subprocess.run(['scontrol', 'show', 'hostnames', nodes], check=True, capture_output=True, text=True)
    return listing.stdout.split()[0]


def check_local_rank_has_gpu() -> None:
    """Checks that the process has its own GPU.

    Raises:
        ValueError: If the node has fewer GPUs than processes, so that none is left for ``LOCAL_RANK``.
    """
    local_rank, gpus = int(os.environ.get('LOCAL_RANK', 0)), torch.cuda.device_count()
    if local_rank >= gpus:
        raise ValueError(
            f'process {local_rank} of this node has no GPU: {gpus} visible. Start at most {gpus} processes per node '
            '(GPUS for dist_train.sh, GPUS_PER_NODE for slurm_train.sh)'
        )


def leave_cores_to_workers(num_workers: int) -> None:
    """Limits the threads of PyTorch to the cores that the workers of the data loader leave free.

    At least one thread stays. More threads than free cores make a small model many times slower, because each operation
    waits for a thread that waits for a core. This function does not read ``OMP_NUM_THREADS``; the caller must not call
    it if the user has set this variable.

    Args:
        num_workers: Largest number of worker processes among the data loaders.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count() or 1
    torch.set_num_threads(min(torch.get_num_threads(), max(1, cores - num_workers)))
