"""Reads checkpoint files without executing code from them, and writes them completely or not at all."""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from hicmae_mm.checkpoints import torch_format, trusted_pickle
from hicmae_mm.utils.files import replaced_file

TORCH_SUFFIXES = ('.pth', '.pt', '.ckpt', '.bin')


def read_file(path: Path, map_location: Any = 'cpu', is_mapped: bool = False, is_trusted: bool = False) -> Any:
    """Reads a checkpoint file without changes to its content.

    Args:
        path: A ``.safetensors`` file, or a file written by ``torch.save`` (in the present or the old format).
        map_location: Device of the tensors; None means the CPU.
        is_mapped: Whether tensors stay on the disk until they are used, if the format allows it. A ``.safetensors``
            file is then read without its tensors.
        is_trusted: Whether the file may execute its own code while it is read, as every pickle can.

    Returns:
        The saved object; for a ``.safetensors`` file a dictionary with ``state_dict`` and ``meta``.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is not a checkpoint, or cannot be read safely. The message gives the reason.
    """
    check_is_file(path)
    device = torch.device('cpu' if map_location is None else map_location)
    if path.suffix == '.safetensors':
        return _read_safetensors(path, device, is_mapped)
    try:
        if is_trusted:
            return torch.load(path, map_location=device, weights_only=False, pickle_module=trusted_pickle)
        return torch_format.load(path, device, is_mapped)
    except (OSError, MemoryError):
        raise
    except Exception as error:  # a damaged file can raise any error
        raise ValueError(
            f'{str(path)!r} is not a checkpoint that can be read{"" if is_trusted else " safely"} ({_reason(error)}). '
            'Expected a file written by torch.save that holds tensors and plain values only'
        ) from error


def check_is_file(path: Path) -> None:
    """Checks that a path is a regular file, because reading from a pipe or a device may never end.

    Raises:
        FileNotFoundError: If nothing exists at the path.
        ValueError: If it is not a regular file.
    """
    if not path.exists():
        raise FileNotFoundError(f'checkpoint {str(path)!r} does not exist')
    if not path.is_file():
        kind = 'a folder' if path.is_dir() else 'a device or a pipe'
        raise ValueError(f'checkpoint {str(path)!r} is {kind}: name a file')


def _reason(error: Exception) -> str:
    """Returns the cause of an error in one line."""
    text = str(error).strip()
    if isinstance(error, (KeyError, IndexError, AttributeError, TypeError, struct.error, RecursionError)):
        return f'its pickle is damaged: {type(error).__name__}'
    return text.splitlines()[0][:300] if text else 'the file is empty or ends too early'


def _read_safetensors(path: Path, device: torch.device, is_mapped: bool) -> dict[str, Any]:
    try:
        with safe_open(path, framework='pt', device=str(device)) as file:
            header = file.metadata() or {}
            state = {} if is_mapped else {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        meta = json.loads(header['meta']) if 'meta' in header else {k: v for k, v in header.items() if k != 'format'}
    except (SafetensorError, ValueError, RecursionError) as error:
        reason = ' '.join(str(error).split())[:300]
        raise ValueError(f'{str(path)!r} is not a checkpoint in the safetensors format ({reason})') from error
    return {'state_dict': state, 'meta': meta}


def check_can_write(path: Path) -> None:
    """Raises ValueError if the suffix of a file name is not that of a checkpoint format."""
    if path.suffix not in (*TORCH_SUFFIXES, '.safetensors'):
        raise ValueError(f'{str(path)!r}: the name of a checkpoint must end in .pth or .safetensors')


def write_checkpoint(path: Path, state_dict: Mapping[str, Tensor], meta: Mapping[str, Any]) -> None:
    """Writes ``state_dict`` and ``meta`` in the format of the suffix. The same content gives the same bytes.

    Args:
        path: The file to write. A ``.safetensors`` file stores ``meta`` as JSON in its header.
        state_dict: Weights by parameter name.
        meta: Meta information of plain values.

    Raises:
        ValueError: If the suffix is not that of a checkpoint format.
        TypeError: If ``meta`` contains values that JSON does not support.
    """
    check_can_write(path)
    # clones, because torch.save would store the whole storage of a tensor that is a part of a larger one
    state = {name: value.detach().clone(memory_format=torch.contiguous_format) for name, value in state_dict.items()}
    plain = json.loads(json.dumps(dict(meta), default=_plain))
    with replaced_file(path) as partial:
        if path.suffix == '.safetensors':
            # one entry, because safetensors writes several entries in random order
            partial.touch()
            mode = partial.stat().st_mode
            save_file(state, partial, metadata={'meta': json.dumps(plain)})
            partial.chmod(mode)  # safetensors makes files that other users cannot read
        else:
            with partial.open('wb') as file:
                torch.save({'state_dict': state, 'meta': plain}, file)


def _plain(value: Any) -> Any:
    """Converts NumPy values and tensors to numbers and lists, for JSON."""
    if isinstance(value, (np.generic, np.ndarray, Tensor)):
        return value.tolist()
    raise TypeError(f'the metadata of a checkpoint cannot hold {value!r}; expected numbers, text, lists, dictionaries')


def file_sha256(path: Path) -> str:
    """Returns the hexadecimal SHA-256 of a file."""
    digest = hashlib.sha256()
    with path.open('rb') as file:
        while block := file.read(1 << 22):
            digest.update(block)
    return digest.hexdigest()
