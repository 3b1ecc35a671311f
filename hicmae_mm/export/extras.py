"""Import optional packages, with an error that names the missing extra."""

from __future__ import annotations

import importlib
from types import ModuleType


def import_extra(name: str) -> ModuleType:
    """Imports a module of the ``export`` extra.

    Args:
        name: Dotted name of the module.

    Returns:
        The module.

    Raises:
        ImportError: If the package is not installed; the error says how to install it.
    """
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        package = name.partition('.')[0]
        if (error.name or '').partition('.')[0] != package:
            raise
        raise ImportError(f"{package} is not installed: pip install 'hicmae_mm[export]'") from error
