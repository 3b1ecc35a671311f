"""Checkpoints from elsewhere: fetched whole, compared with the hash in their name, read as safely as local ones."""

from __future__ import annotations

import contextlib
import os
import pickle
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.parse import urlparse

import torch
from mmengine.dist import barrier, get_local_rank, is_main_process

from hicmae_mm.utils.checkpoint_files import allow_training_checkpoints

_HASH = re.compile(r'-([0-9a-f]{8,64})\.\w+$')  # as in published names: model-1a2b3c4d.pth


def download(address: str) -> Path:
    """Fetches a file of the web into PyTorch's cache, once; the first process of each node does.

    Args:
        address (str): ``http://`` or ``https://``. Eight or more hexadecimal digits before the suffix are compared with
            the file's SHA-256.

    Returns:
        Path: The file in the cache.

    Raises:
        FileNotFoundError: The address does not answer.
        ValueError: The file has another hash.
    """
    path = Path(torch.hub.get_dir()) / 'checkpoints' / Path(urlparse(address).path).name
    if get_local_rank() == 0 and not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        digits = _HASH.search(path.name)
        try:
            torch.hub.download_url_to_file(address, str(path), digits and digits.group(1), progress=is_main_process())
        except URLError as error:
            raise FileNotFoundError(f'checkpoint {address!r} cannot be fetched: {error}') from error
        except RuntimeError as error:
            raise ValueError(f'{address!r} is not the file that its name promises: {error}') from error
    barrier()
    return path


def read_address(address: str, map_location: Any) -> Any:
    """Reads what MMEngine's ``CheckpointLoader`` finds at an address such as ``s3://`` or ``openmmlab://``.

    Raises:
        ValueError: Objects that are not allowed.
    """
    from mmengine.runner.checkpoint import CheckpointLoader

    allow_training_checkpoints()
    try:
        with weights_only():
            return CheckpointLoader.load_checkpoint(address, map_location=map_location)
    except pickle.UnpicklingError as error:
        raise ValueError(f'{address!r} is not a checkpoint that can be read safely ({error})') from error


@contextlib.contextmanager
def weights_only() -> Iterator[None]:
    """Forces ``torch.load(weights_only=True)``, also where MMEngine downloads by ``torch.hub``, which leaves it off."""
    name = 'TORCH_FORCE_WEIGHTS_ONLY_LOAD'
    before = os.environ.get(name)
    os.environ[name] = '1'
    try:
        yield
    finally:
        del os.environ[name]
        if before is not None:
            os.environ[name] = before
