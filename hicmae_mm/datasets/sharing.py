"""Send batches from loader workers through shared memory, and report in one line if that is not possible."""

from __future__ import annotations

import io
import pickle
import re
from collections.abc import Callable, Sequence
from multiprocessing.reduction import ForkingPickler
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, get_worker_info

_FIX = (
    'enlarge /dev/shm (docker run --shm-size=8g), raise a limit of file sizes (ulimit -f), lower batch_size, or set '
    'num_workers=0'
)


class CollateIntoSharedMemory:
    """Collates a batch and, in a loader worker, moves its tensors into shared memory.

    PyTorch does the same afterwards in a thread of the worker. If that thread fails, the batch is lost, and the loader
    waits for it forever. Here the error is raised in the worker itself, which passes it to the caller of the loader.

    Args:
        collate: Joins samples to a batch.

    Example:
        >>> CollateIntoSharedMemory(sum)([1, 2])
        3
    """

    def __init__(self, collate: Callable[[Any], Any]) -> None:
        self.collate = collate

    def __call__(self, samples: Sequence[Any]) -> Any:
        """Returns the batch.

        Raises:
            OSError: If the shared memory cannot hold the batch.
            TypeError: If a part of the batch cannot be sent to another process.
        """
        batch = self.collate(samples)
        if get_worker_info() is not None:
            _share_tensors(batch)
        return batch


def report_full_shared_memory(loader: DataLoader[Any]) -> DataLoader[Any]:
    """Lets a loader end with an error if a worker cannot send a batch, and returns it."""
    if loader.num_workers > 0 and not isinstance(loader.collate_fn, CollateIntoSharedMemory):
        loader.collate_fn = CollateIntoSharedMemory(loader.collate_fn)
    return loader


class _TensorSharer(ForkingPickler):
    """Visits all parts of an object as sending it would, and moves its tensors into shared memory."""

    def reducer_override(self, part: Any) -> Any:
        if isinstance(part, torch.Tensor):
            if part.device.type == 'cpu' and part.layout == torch.strided:
                part.share_memory_()
            return int, ()
        if isinstance(part, np.ndarray) and part.dtype != object:
            return int, ()
        return NotImplemented


def _share_tensors(batch: Any) -> None:
    try:
        _TensorSharer(io.BytesIO(), pickle.HIGHEST_PROTOCOL).dump(batch)
    except (AttributeError, pickle.PicklingError) as error:
        raise TypeError(f'a loader worker cannot send this batch to the main process: {error}') from error
    except RuntimeError as error:
        reason = _reason(str(error))
        if reason is None:
            raise
        raise OSError(f'a loader worker cannot put a batch into shared memory: {reason} ({_FIX})') from error


def _reason(message: str) -> str | None:
    """Finds the reason in PyTorch's message about shared memory; None if the message is about something else."""
    if 'unable to allocate shared memory' in message:
        return 'no space is left in /dev/shm'  # the number in the message is of another error
    found = re.search(r'unable to (?:open|resize|mmap|write|stat).*: ([^:()]+) \(\d+\)', message)
    return None if found is None else found[1]
