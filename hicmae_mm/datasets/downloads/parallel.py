"""Does the same work on many things, several at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import TypeVar

Item = TypeVar('Item')


def run_parallel(work: Callable[[Item], None], items: Sequence[Item], num_threads: int) -> None:
    """Works on each item; what the server does not have does not keep the others from coming.

    Raises:
        FileNotFoundError: If some items are not there. All others are done before.
        Exception: Any other error of ``work``, at once; what has not begun is not begun.
    """
    absent: list[FileNotFoundError] = []
    if num_threads == 1:  # in this thread, where Ctrl-C arrives at once
        for item in items:
            try:
                work(item)
            except FileNotFoundError as error:
                absent.append(error)
    else:
        with ThreadPoolExecutor(num_threads) as pool:
            try:
                for future in as_completed([pool.submit(work, item) for item in items]):
                    found = future.exception()
                    if isinstance(found, FileNotFoundError):
                        absent.append(found)
                    elif found is not None:
                        raise found
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
    if absent:
        others = f' ({len(absent)} of {len(items)} files are not there)' if len(absent) > 1 else ''
        raise FileNotFoundError(f'{absent[0]}{others}')
