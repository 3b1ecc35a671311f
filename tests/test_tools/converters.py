"""Converters of ``tools/dataset_converters``, and what they write."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

from hicmae_mm.config.paths import tools_root
from tests.test_tools.modules import load_tool

FOLDER = tools_root() / 'dataset_converters'


def load_converter(name: str) -> ModuleType:
    """The module of a converter."""
    return load_tool(f'dataset_converters/{name}.py')


def read_lists(folder: Path) -> dict[str, dict[str, list[list[str]]]]:
    """Fields of every line, by fold and part."""
    return {
        fold.name: {
            path.stem: [line.split(' ') for line in path.read_text().splitlines()]
            for path in sorted(fold.glob('*.csv'))
        }
        for fold in sorted(folder.glob('fold*'))
    }
