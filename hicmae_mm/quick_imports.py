"""Keeps MMEngine from loading the whole of transformers and peft at every start, for one optimizer."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any

_BUILDER = 'mmengine.optim.optimizer.builder'
_HEAVY = 'transformers'


class _QuickBuilder(MetaPathFinder, Loader):
    """Imports MMEngine's optimizer builder as if transformers were not installed.

    The builder imports ``Adafactor`` from transformers, which loads transformers, peft and torchvision, and takes as
    long as everything else that a start loads. Here the name stands for a function that imports it when it is built.
    """

    def __init__(self) -> None:
        self._loader: Loader | None = None

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != _BUILDER:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None:
            self._loader, spec.loader = spec.loader, self
        return spec

    def exec_module(self, module: ModuleType) -> None:
        assert self._loader is not None
        if _HEAVY in sys.modules:  # loaded already, so that nothing is saved
            self._loader.exec_module(module)
            return
        sys.modules[_HEAVY] = None  # type: ignore[assignment]  # makes its import fail
        try:
            self._loader.exec_module(module)
        finally:
            del sys.modules[_HEAVY]
        module.OPTIMIZERS.register_module(name='Adafactor', module=_adafactor)


def _adafactor(*args: Any, **kwargs: Any) -> Any:
    """Builds ``transformers.Adafactor``.

    Raises:
        ImportError: If transformers is not installed.
    """
    from transformers import Adafactor

    return Adafactor(*args, **kwargs)  # type: ignore[no-untyped-call]


def leave_out_transformers() -> None:
    """Lets MMEngine's optimizers be imported without transformers. Idempotent."""
    if not any(isinstance(finder, _QuickBuilder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _QuickBuilder())
