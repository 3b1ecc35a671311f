"""Downloads checkpoints completely or not at all, and compares them with the hash in their name."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urlparse

import torch
from mmengine.dist import barrier, get_local_rank

from hicmae_mm.downloads.web_files import WebFile, fetch

MAX_BYTES = 64 << 30
_HASH = re.compile(r'-([0-9a-f]{8,64})\.\w+$')  # as in published names: model-1a2b3c4d.pth


def download(address: str) -> Path:
    """Downloads a file into PyTorch's cache, if it is not there yet. The first process of each node does this.

    A fetch that was cut short is continued by the next call, where the server says which version of the file it sends.

    Args:
        address: Address that begins with ``http://`` or ``https://``. If eight or more hexadecimal digits stand after a
            dash before the suffix, they are compared with the SHA-256 of the file.

    Returns:
        Path of the file in the cache.

    Raises:
        FileNotFoundError: If the address does not answer, stalls, or sends less than it announced.
        ValueError: If the file has another hash, or is too large.
    """
    path = Path(torch.hub.get_dir()) / 'checkpoints' / Path(urlparse(address).path).name
    if get_local_rank() == 0 and not path.is_file():
        digits = _HASH.search(path.name)
        checksum = f'sha256:{digits.group(1)}' if digits else ''
        try:
            fetch(WebFile(address, checksum=checksum, most_bytes=MAX_BYTES), path)
        except (ConnectionError, FileNotFoundError) as error:
            raise FileNotFoundError(
                f'checkpoint {address!r} cannot be fetched: {error}; run the command again'
            ) from error
    barrier()
    return path
