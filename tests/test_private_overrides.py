"""Private members of MMEngine's classes are overridden for a reason that stands beside them."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def modules() -> Iterator[str]:
    for path in sorted((ROOT / 'hicmae_mm').rglob('*.py')):
        if 'mmengine' in path.read_text(encoding='utf-8') and path.name != '__init__.py':
            yield '.'.join(path.relative_to(ROOT).with_suffix('').parts)


def private_overrides(name: str) -> Iterator[tuple[type, str]]:
    """Classes of a module, and the private names that they share with a base class of MMEngine."""
    for kind in vars(importlib.import_module(name)).values():
        if inspect.isclass(kind) and kind.__module__ == name:
            inherited = {key for base in kind.__mro__ if base.__module__.startswith('mmengine') for key in vars(base)}
            for key in vars(kind):
                if key in inherited and key.startswith('_') and not key.startswith('__'):
                    yield kind, key


def test_private_overrides_are_found() -> None:
    found = {(kind.__name__, key) for kind, key in private_overrides('hicmae_mm.engine.runner')}
    assert found == {('AudioVisualRunner', '_init_model_weights')}


@pytest.mark.parametrize('name', list(modules()))
def test_every_private_override_says_why(name: str) -> None:
    for kind, key in private_overrides(name):
        if key.startswith('_abc'):
            continue  # made by Python for abstract classes
        lines = inspect.getsource(kind).splitlines()
        starts = (f'    def {key}(', f'    {key} =', f'    {key}:')
        position = next(number for number, line in enumerate(lines) if line.startswith(starts))
        assert 'MMEngine' in '\n'.join(lines[position - 1 : position + 2]), f'{kind.__name__}.{key} does not say why'
