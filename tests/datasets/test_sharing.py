"""Batches that a loader worker cannot send end in an error, not in a loader that waits forever."""

from __future__ import annotations

from hicmae_mm.commands.command_line import describe

import resource
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from hicmae_mm.datasets.sharing import report_full_shared_memory


def collate(samples: Sequence[int]) -> dict[str, Any]:
    values = torch.tensor(samples).repeat(1000)
    return dict(values=[values], part=values[:1], array=np.array(samples), name='clip')


def refuse_growing_files(_: int) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (64, resource.RLIM_INFINITY))


def loader(join: Callable[[Any], Any], **options: Any) -> DataLoader[Any]:
    return report_full_shared_memory(DataLoader([1, 2, 3, 4], 2, num_workers=1, collate_fn=join, timeout=20, **options))


def test_batches_arrive_unchanged() -> None:
    for number, batch in enumerate(loader(collate)):
        expected = collate([1 + 2 * number, 2 + 2 * number])
        assert torch.equal(batch['values'][0], expected['values'][0])
        assert torch.equal(batch['part'], expected['part'])
        assert (batch['array'] == expected['array']).all()
        assert batch['name'] == 'clip'


def test_shared_memory_that_cannot_grow() -> None:
    with pytest.raises(OSError, match='shared memory') as caught:
        next(iter(loader(collate, worker_init_fn=refuse_growing_files)))
    message = describe(caught.value)
    assert message.startswith('a loader worker cannot put a batch into shared memory: File too large (enlarge /dev/shm')


def test_a_batch_that_cannot_be_sent() -> None:
    with pytest.raises(TypeError, match='a loader worker cannot send this batch'):
        next(iter(loader(lambda samples: lambda: samples)))
