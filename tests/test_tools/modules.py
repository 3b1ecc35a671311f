"""Tools as modules, to call them without a process, which saves seconds of imports."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

from hicmae_mm.config.paths import tools_root


def load_tool(name: str) -> ModuleType:
    """The module of ``tools/name``."""
    spec = importlib.util.spec_from_file_location(f'tool_{Path(name).stem}', tools_root() / name)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module
