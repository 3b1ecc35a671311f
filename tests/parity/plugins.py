"""The deterministic weights and inputs that the parity files of other systems presuppose."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from hicmae_mm.engine.optimizers import LayerDecayOptimWrapperConstructor
from tests.parity.conftest import parity_folder, read_parity


def plugin_files(pattern: str, is_full_size: bool | None = None) -> list[Path]:
    """Files in the folder ``plugins`` that fit a glob pattern; of or without the published sizes if that is asked.

    ``HICMAE_PARITY_DIR`` may be the folder that has ``plugins``.
    """
    found = sorted((parity_folder() / 'plugins').glob(pattern))
    if is_full_size is not None:
        found = [path for path in found if ('base_seeded' in path.name) == is_full_size]
    if not found:
        raise FileNotFoundError(f'{parity_folder() / "plugins"} has no {pattern} file; check HICMAE_PARITY_DIR')
    return found


def file_name(path: Path) -> str:
    """Name of a test case."""
    return path.stem


def _normal(shape: list[int], seed: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def plugin_weights(meta: dict[str, Any]) -> dict[str, Tensor]:
    """Weights by published name, checked against the file's sum."""
    weights = {}
    for index, key in enumerate(sorted(meta['keys'])):
        shape = meta['keys'][key]
        values = _normal(shape, meta['seed'] + index)
        values *= 0.02 * meta['scale'] if len(shape) > 1 else 0.05
        if len(shape) == 1 and key.endswith('.weight'):
            values += 1
        weights[key] = (values * 4096).round() / 4096
    for key, constant in meta.get('constants', {}).items():
        weights[key] = torch.full(meta['keys'][key], float(constant))
    if 'weight_check' in meta:
        total = sum(float(value.double().abs().sum()) for value in weights.values())
        assert abs(total - meta['weight_check']) <= 1e-6 * max(1.0, total), 'the weights are not those of the file'
    return weights


def plugin_input(meta: dict[str, Any], shape: list[int], offset: int) -> Tensor:
    """An input of the given shape, drawn from ``seed + offset``."""
    return (_normal(shape, meta['seed'] + offset) * 256).round() / 256


def close(actual: Tensor, expected: Tensor, tolerance: float = 2e-5) -> None:
    """Relative to the largest magnitude of the tensor, or to 1 where that is smaller."""
    scale = max(1.0, float(expected.abs().max()))
    torch.testing.assert_close(actual.detach().float(), expected.float(), rtol=0, atol=tolerance * scale)


def close_gradients(parameters: dict[str, Tensor], expected: dict[str, Tensor], tolerance: float = 1e-3) -> None:
    """Compares norms of gradients with ``expected``: parameter name to norm; no others may have a gradient."""
    assert {name for name, value in parameters.items() if value.grad is not None} == set(expected)
    for name, norm in expected.items():
        gradient = parameters[name].grad
        assert gradient is not None
        torch.testing.assert_close(gradient.norm(), norm.to(gradient.dtype), rtol=tolerance, atol=1e-7, msg=name)


def check_layer_decay(
    model: nn.Module, content: dict[str, Any], table: dict[str, Tensor], no_decay: tuple[str, ...] = ()
) -> None:
    """Compares scale of the rate and weight decay of every parameter with ``table``, by this package's names."""
    constructor = LayerDecayOptimWrapperConstructor(
        dict(optimizer=dict(type='AdamW', lr=1e-3, weight_decay=content['weight_decay'])),
        dict(layer_decay=content['layer_decay'], no_decay=no_decay),
    )
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    found = {
        names[id(parameter)]: [group['lr_scale'], group['weight_decay']]
        for group in constructor(model).optimizer.param_groups
        for parameter in group['params']
    }
    assert found.keys() == table.keys()
    for name, row in table.items():
        assert found[name] == pytest.approx(row.tolist()), name


__all__ = [
    'check_layer_decay',
    'close',
    'close_gradients',
    'file_name',
    'plugin_files',
    'plugin_input',
    'plugin_weights',
    'read_parity',
]
