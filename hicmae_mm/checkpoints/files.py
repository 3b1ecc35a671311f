"""Checkpoint files: reading them without running code from them, and writing them whole or not at all."""

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

from hicmae_mm.checkpoints import torch_format
from hicmae_mm.utils.files import replaced_file

TORCH_SUFFIXES = ('.pth', '.pt', '.ckpt', '.bin')


def read_file(path: Path, map_location: Any = 'cpu', is_mapped: bool = False, is_trusted: bool = False) -> Any:
    """Reads a checkpoint file as it is.

    Args:
        path: A ``.safetensors`` file, or one written by ``torch.save`` (today's format or the old one).
        map_location: A device, or its name; None: the CPU.
        is_mapped: Whether tensors stay on the disk until used, where the format allows it.
        is_trusted: Whether the file may run its own code while it is read, as any pickle can.

    Returns:
        What was saved; of a ``.safetensors`` file a dictionary with ``state_dict`` and ``meta``.

    Raises:
        FileNotFoundError: No such file.
        ValueError: Not a checkpoint, or one that cannot be read safely; the message says why.
    """
    check_is_file(path)
    device = torch.device('cpu' if map_location is None else map_location)
    if path.suffix == '.safetensors':
        return _read_safetensors(path, device, is_mapped)
    try:
        if is_trusted:
            return torch.load(path, map_location=device, weights_only=False)
        return torch_format.load(path, device, is_mapped)
    except (OSError, MemoryError):
        raise
    except Exception as error:  # a damaged pickle, or one that is none, fails in any way
        raise ValueError(
            f'{str(path)!r} is not a checkpoint that can be read{"" if is_trusted else " safely"} ({_reason(error)}). '
            'Expected a file written by torch.save that holds tensors and plain values only'
        ) from error


def check_is_file(path: Path) -> None:
    """Refuses what is no regular file: reading from a pipe or a device may never end.

    Raises:
        FileNotFoundError: Nothing has this name.
        ValueError: Something else has it.
    """
    if not path.exists():
        raise FileNotFoundError(f'checkpoint {str(path)!r} does not exist')
    if not path.is_file():
        kind = 'a folder' if path.is_dir() else 'a device or a pipe'
        raise ValueError(f'checkpoint {str(path)!r} is {kind}: name a file')


def _reason(error: Exception) -> str:
    """The cause in one line."""
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
