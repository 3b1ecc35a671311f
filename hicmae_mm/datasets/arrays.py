"""Reads .npy files of others: no code of the file runs, and no more memory is taken than the file is long."""

from __future__ import annotations

from pathlib import Path

import numpy as np


def load_array(path: Path) -> np.ndarray:
    """Loads the array of a ``.npy`` file into memory.

    Args:
        path: The file.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is no array of plain values, or shorter than its header says.
        OSError: If it cannot be read.
    """
    try:
        with path.open('rb') as file:
            version = np.lib.format.read_magic(file)
            read_header = (
                np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            )
            shape, _, dtype = read_header(file)
            wanted, there = int(np.prod(shape, dtype=object)) * dtype.itemsize, path.stat().st_size - file.tell()
        if wanted > there:  # NumPy would take the memory first
            raise ValueError(f'its header announces {wanted} bytes of values, and it has {there}')
        array: np.ndarray = np.load(path, allow_pickle=False)
    except (EOFError, SyntaxError, TypeError, MemoryError) as error:
        raise ValueError(str(error) or 'it is damaged') from error
    return array
