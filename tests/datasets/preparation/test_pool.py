from __future__ import annotations

import os
import signal

import pytest

from hicmae_mm.datasets.errors import MediaError
from hicmae_mm.datasets.preparation.pool import Failure, WorkerError, run_parallel


def square(number: int) -> int:
    """Squares, unless the number stands for a mishap."""
    if number == 3:
        raise MediaError('3 is damaged')
    if number == 4:
        raise FileNotFoundError('no 4')
    if number == 5:
        os.kill(os.getpid(), signal.SIGKILL)
    if number == 6:
        raise ZeroDivisionError('a mistake of ours')
    return number * number


def test_results_and_failures_in_this_process() -> None:
    assert list(run_parallel(square, [1, 2, 3, 4], num_workers=0)) == [
        (1, 1), (2, 4), (3, Failure('broken', '3 is damaged')), (4, Failure('missing', 'no 4')),
    ]  # fmt: skip
    with pytest.raises(ZeroDivisionError, match='a mistake of ours'):
        list(run_parallel(square, [6], num_workers=0))


def test_number_of_workers_is_checked() -> None:
    with pytest.raises(ValueError, match='num_workers must be at least 0, got -1'):
        list(run_parallel(square, [1], num_workers=-1))


@pytest.mark.slow
@pytest.mark.dist
def test_an_item_that_kills_its_worker_is_named_and_the_rest_goes_on() -> None:
    items = [1, 5, 2, 5, 3, 7, 8]
    results = list(run_parallel(square, iter(items), num_workers=2))
    assert sorted(item for item, _ in results) == sorted(items)
    died = Failure('crashed', 'the process that worked on it died (signal SIGKILL)')
    assert sorted(results, key=str) == sorted(
        [(1, 1), (2, 4), (7, 49), (8, 64), (5, died), (5, died), (3, Failure('broken', '3 is damaged'))], key=str
    )
    assert list(run_parallel(square, [], num_workers=2)) == []
    with pytest.raises(ZeroDivisionError, match='a mistake of ours') as caught:
        list(run_parallel(square, [1, 6, 2], num_workers=1))
    assert isinstance(caught.value.__cause__, WorkerError)
    assert 'in square' in str(caught.value.__cause__)
