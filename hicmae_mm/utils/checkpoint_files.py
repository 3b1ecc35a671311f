"""Checkpoint files: reading them without running code from them, and writing them whole or not at all.

``torch.load`` is called with ``weights_only=True``, which builds tensors and plain values only. Checkpoints of trainers
hold a few harmless types besides (logged values, numpy scalars, the command line): exactly those are allowed.
"""

from __future__ import annotations

import argparse
import datetime
import hashlib
import json
import pathlib
import pickle
import re
import types
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.logging import HistoryBuffer
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from hicmae_mm.utils.files import replaced_file

TORCH_SUFFIXES = ('.pth', '.pt', '.ckpt', '.bin')
_HISTORY_METHODS = ('min', 'max', 'current', 'mean')
_NUMPY_CODES = ('f2', 'f4', 'f8', 'c8', 'c16', 'i1', 'i2', 'i4', 'i8', 'u1', 'u2', 'u4', 'u8', '?', 'U1', 'S1')
# building one of these runs no code of the file's choice
_PLAIN_TYPES = (
    argparse.Namespace,
    types.SimpleNamespace,
    datetime.date,
    datetime.datetime,
    datetime.timedelta,
    dict,
    float,
    frozenset,
    int,
    list,
    range,
    slice,
    str,
    tuple,
)


def _history_buffer_method(owner: object, name: str) -> Callable:
    """Stands in for ``builtins.getattr`` while unpickling: serves the four methods of ``HistoryBuffer``, else fails.

    Pickle (protocol 2) stores ``HistoryBuffer.mean`` as a call of ``getattr``, which must not be allowed as such.
    """
    if owner is HistoryBuffer and name in _HISTORY_METHODS:
        return HistoryBuffer.__dict__[name]
    raise pickle.UnpicklingError(f'the checkpoint asks for attribute {name!r} of {owner!r}, which is not allowed')


def _dictionary(factory: object = None) -> dict:  # noqa: ARG001 (what a defaultdict makes of unknown keys)
    """Stands in for ``collections.defaultdict``, whose items ``torch.load`` refuses to set."""
    return {}


def allow_training_checkpoints() -> None:
    """Lets ``torch.load(weights_only=True)`` read what trainers store beside the weights. Idempotent."""
    numpy_core = np._core if hasattr(np, '_core') else np.core
    multiarray = numpy_core.multiarray
    numpy_dtypes = {type(np.dtype(code)) for code in _NUMPY_CODES}
    torch.serialization.add_safe_globals(
        [
            *_PLAIN_TYPES,
            (_dictionary, 'collections.defaultdict'),
            # a path of either system is read as text for the present one; Python 3.13 has moved the classes
            *(
                (pathlib.PurePath, f'{module}.{name}')
                for module in ('pathlib', 'pathlib._local')
                for name in _PATH_NAMES
            ),
            HistoryBuffer,
            (_history_buffer_method, 'builtins.getattr'),
            np.dtype,
            np.ndarray,
            *numpy_dtypes,
            # both spellings: numpy 1 wrote `numpy.core`, numpy 2 writes `numpy._core`
            (multiarray._reconstruct, 'numpy.core.multiarray._reconstruct'),
            (multiarray._reconstruct, 'numpy._core.multiarray._reconstruct'),
            (multiarray.scalar, 'numpy.core.multiarray.scalar'),
            (multiarray.scalar, 'numpy._core.multiarray.scalar'),
        ]
    )


_PATH_NAMES = ('PosixPath', 'WindowsPath', 'PurePosixPath', 'PureWindowsPath', 'Path', 'PurePath')


def read_file(path: Path, map_location: Any = 'cpu', is_mapped: bool = False, is_trusted: bool = False) -> Any:
    """Reads a checkpoint file as it is.

    Args:
        path (Path): A ``.safetensors`` file, or one written by ``torch.save`` (today's format or the old one).
        map_location: As in ``torch.load``.
        is_mapped (bool): Whether tensors stay on the disk until used, where the format allows it.
        is_trusted (bool): Whether the file may run its own code while it is read, as any pickle can.

    Returns:
        What was saved; of a ``.safetensors`` file a dictionary with ``state_dict`` and ``meta``.

    Raises:
        FileNotFoundError: No such file.
        ValueError: Not a checkpoint, or one that cannot be read safely; the message names what it asks for.
    """
    if not path.is_file():
        raise FileNotFoundError(f'checkpoint {str(path)!r} does not exist')
    if path.suffix == '.safetensors':
        return _read_safetensors(path, map_location, is_mapped)
    allow_training_checkpoints()
    try:
        is_mapped = is_mapped and zipfile.is_zipfile(path)
        return torch.load(path, map_location=map_location, weights_only=not is_trusted, mmap=is_mapped)
    except OSError:
        raise
    except Exception as error:  # a damaged pickle, or one that is none, fails in any way
        raise ValueError(
            f'{str(path)!r} is not a checkpoint that can be read{"" if is_trusted else " safely"} ({_reason(error)}). '
            'Expected a file written by torch.save that holds tensors and plain values only'
        ) from error


def _reason(error: Exception) -> str:
    """The cause in one line: what the pickle asks for, if that is why it was refused."""
    text = str(error).strip()
    asked = re.search(r'GLOBAL\s+([\w.]+)', text)
    if asked:
        return f'its pickle asks for {asked.group(1)}, which could run code'
    detail = re.search(r'WeightsUnpickler error:\s*(.+)', text)
    if detail:
        return detail.group(1)
    return text.splitlines()[0] if text else 'the file is empty'


def _read_safetensors(path: Path, map_location: Any, is_mapped: bool) -> dict[str, Any]:
    device = str(map_location) if isinstance(map_location, (str, torch.device)) else 'cpu'
    try:
        with safe_open(path, framework='pt', device=device) as file:
            header = file.metadata() or {}
            state = {} if is_mapped else {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        meta = json.loads(header['meta']) if 'meta' in header else {k: v for k, v in header.items() if k != 'format'}
    except (SafetensorError, ValueError) as error:
        raise ValueError(f'{str(path)!r} is not a checkpoint in the safetensors format ({error})') from error
    return {'state_dict': state, 'meta': meta}


def check_can_write(path: Path) -> None:
    """Raises ValueError for a name whose suffix is of no checkpoint format."""
    if path.suffix not in (*TORCH_SUFFIXES, '.safetensors'):
        raise ValueError(f'{str(path)!r}: the name of a checkpoint ends in .pth or .safetensors')


def write_checkpoint(path: Path, state_dict: Mapping[str, Tensor], meta: Mapping[str, Any]) -> None:
    """Writes ``state_dict`` and ``meta``, in the format that the suffix names.

    A ``.safetensors`` file carries ``meta`` as JSON in its header. The same content gives the same bytes.

    Raises:
        ValueError: A suffix of no checkpoint format.
        TypeError: ``meta`` holds something that JSON cannot.
    """
    check_can_write(path)
    # a tensor that is a part of a larger one would drag the whole into the file
    state = {name: value.detach().clone(memory_format=torch.contiguous_format) for name, value in state_dict.items()}
    plain = json.loads(json.dumps(dict(meta), default=_plain))
    with replaced_file(path) as partial:
        if path.suffix == '.safetensors':
            # one entry: safetensors writes several in random order
            partial.touch()
            mode = partial.stat().st_mode
            save_file(state, partial, metadata={'meta': json.dumps(plain)})
            partial.chmod(mode)  # safetensors makes files that nobody else may read
        else:
            with partial.open('wb') as file:
                torch.save({'state_dict': state, 'meta': plain}, file)


def _plain(value: Any) -> Any:
    """What JSON lacks: numpy values and tensors as numbers and lists."""
    if isinstance(value, (np.generic, np.ndarray, Tensor)):
        return value.tolist()
    raise TypeError(f'the metadata of a checkpoint cannot hold {value!r}; expected numbers, text, lists, dictionaries')


def file_sha256(path: Path) -> str:
    """Hexadecimal SHA-256 of a file."""
    digest = hashlib.sha256()
    with path.open('rb') as file:
        while block := file.read(1 << 22):
            digest.update(block)
    return digest.hexdigest()
