"""Checkpoints from elsewhere: fetched whole, compared with the hash in their name, read as safely as local ones."""

from __future__ import annotations

import hashlib
import re
from http.client import HTTPException
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import urlparse
from urllib.request import urlopen

import torch
from mmengine.dist import barrier, get_local_rank

from hicmae_mm.utils.files import replaced_file

TIMEOUT_SECONDS = 30.0  # without a byte
MAX_BYTES = 64 << 30
_HASH = re.compile(r'-([0-9a-f]{8,64})\.\w+$')  # as in published names: model-1a2b3c4d.pth


def download(address: str) -> Path:
    """Fetches a file of the web into PyTorch's cache, once; the first process of each node does.

    Args:
        address (str): ``http://`` or ``https://``. Eight or more hexadecimal digits before the suffix are compared with
            the file's SHA-256.

    Returns:
        Path: The file in the cache.

    Raises:
        FileNotFoundError: The address does not answer, stalls, or sends less than it announced; nothing is kept.
        ValueError: The file has another hash.
    """
    path = Path(torch.hub.get_dir()) / 'checkpoints' / Path(urlparse(address).path).name
    if get_local_rank() == 0 and not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            _fetch(address, path)
        except (OSError, HTTPException) as error:  # URLError and time-outs are OSErrors
            if isinstance(error, OSError) and error.filename is not None and not isinstance(error, HTTPError):
                raise  # of the disk
            raise FileNotFoundError(
                f'checkpoint {address!r} cannot be fetched: {error}; nothing was kept, run the command again'
            ) from error
    barrier()
    return path


def _fetch(address: str, path: Path) -> None:
    """Writes a file of the web whole or not at all.

    Raises:
        OSError: The server does not answer, stalls, or sends less than it announced.
        ValueError: The file has another hash than its name says, or is too large.
    """
    digits, digest, received = _HASH.search(path.name), hashlib.sha256(), 0
    with (
        replaced_file(path) as partial,
        urlopen(address, timeout=TIMEOUT_SECONDS) as answer,
        partial.open('wb') as file,
    ):
        announced = answer.headers.get('Content-Length')
        while block := answer.read(1 << 20):
            received += len(block)
            if received > MAX_BYTES:
                raise ValueError(f'{address!r} is larger than {MAX_BYTES >> 30} GiB, which no checkpoint is')
            digest.update(block)
            file.write(block)
        if announced is not None and received != int(announced):
            raise ConnectionError(f'the server announced {announced} bytes and sent {received}')
        if digits and not digest.hexdigest().startswith(digits.group(1)):
            raise ValueError(
                f'{address!r} is not the file that its name promises: its SHA-256 begins with {digest.hexdigest()[:8]}'
            )
