"""Parity files and the deterministic weights and inputs that they presuppose."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from torch import Tensor


def parity_folder() -> Path:
    """The folder of parity files: ``HICMAE_PARITY_DIR``, or this project's copy."""
    folder = Path(os.environ.get('HICMAE_PARITY_DIR', Path(__file__).parent / 'data'))
    if not folder.is_dir():
        raise FileNotFoundError(f'HICMAE_PARITY_DIR={folder} is not a folder')
    return folder


@pytest.fixture(scope='session')
def parity_dir() -> Path:
    return parity_folder()


def read_parity(path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Metadata and tensors of a parity file."""
    with safe_open(path, framework='pt') as file:
        return json.loads(file.metadata()['config']), {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118


def _normal(shape: list[int], seed: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def seeded_weights(meta: dict[str, Any]) -> dict[str, Tensor]:
    """The weights that the files' rule prescribes, by published name."""
    weights = {}
    for i, key in enumerate(sorted(meta['keys'])):
        shape = meta['keys'][key]
        values = _normal(shape, meta['seed'] + i) * (0.02 if len(shape) > 1 else 0.05)
        if len(shape) == 1 and key.endswith('.weight') and 'norm' in key:
            values = 1 + values
        if len(shape) > 1:
            values = values * meta['scale']
        weights[key] = (values * 4096).round() / 4096
    return weights


def seeded_inputs(meta: dict[str, Any], frames: int, size: int, audio: list[int]) -> dict[str, Tensor]:
    """The inputs that the files' rule prescribes."""
    video = _normal([meta['batch'], 3, frames, size, size], meta['seed'] + 9001)
    sound = _normal([meta['batch'], 1, *audio], meta['seed'] + 9002)
    return {'video': (video * 256).round() / 256, 'audio': (sound * 256).round() / 256}
