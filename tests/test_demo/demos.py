"""The demos as modules, which saves the seconds of a process."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType

DEMO = Path(__file__).resolve().parents[2] / 'demo'


def load_demo(name: str) -> ModuleType:
    """The module ``demo/NAME.py``."""
    if str(DEMO) not in sys.path:
        sys.path.insert(0, str(DEMO))  # as of a script: demos share their arguments
    return importlib.import_module(name)
