"""Converters of ``tools/dataset_converters`` as modules, to call them without a process."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

from hicmae_mm.utils.paths import tools_root

FOLDER = tools_root() / 'dataset_converters'


def load_converter(name: str) -> ModuleType:
    """The module of a converter."""
    spec = importlib.util.spec_from_file_location(f'converter_{name}', FOLDER / f'{name}.py')
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def read_lists(folder: Path) -> dict[str, dict[str, list[list[str]]]]:
    """Fields of every line, by fold and part."""
    return {
        fold.name: {
            path.stem: [line.split(' ') for line in path.read_text().splitlines()]
            for path in sorted(fold.glob('*.csv'))
        }
        for fold in sorted(folder.glob('fold*'))
    }
