"""Calling the tools of ``tools/model_converters``, and the small weights that they are tried on."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from hicmae_mm.config.paths import tools_root
from tests.parity.conftest import parity_folder, read_parity, seeded_weights
from tests.test_tools.modules import load_tool

FOLDER = tools_root() / 'model_converters'
TOOLS = {path.stem: load_tool(f'model_converters/{path.name}') for path in FOLDER.glob('*.py')}


def run(tool: str, *arguments: object) -> int:
    """The exit code of a tool."""
    return TOOLS[tool].main([str(argument) for argument in arguments])


def published(name: str) -> dict[str, Tensor]:
    """The weights of a parity file, by published name."""
    meta, _ = read_parity(parity_folder() / f'{name}.safetensors')
    return seeded_weights(meta)


def same(first: Mapping[str, Tensor], second: Mapping[str, Tensor]) -> bool:
    """Whether two state dicts are equal to the last bit."""
    return first.keys() == second.keys() and all(torch.equal(value, second[name]) for name, value in first.items())
