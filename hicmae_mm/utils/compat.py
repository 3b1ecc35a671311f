"""Ways round faults of pinned third-party packages. Each one undoes itself where the fault is gone."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType


def patch_third_party() -> None:
    """Applies every patch that must precede an import of MMAction2. Idempotent and cheap: imports nothing heavy."""
    _stand_in_for_missing_drn()


def _stand_in_for_missing_drn() -> None:
    """Registers a placeholder for ``mmaction.models.localizers.drn``, which the published wheel lacks.

    Without it ``import mmaction.models`` fails (MMAction2 issue 2714). The placeholder class raises when built.
    """
    name = 'mmaction.models.localizers.drn.drn'
    spec = importlib.util.find_spec('mmaction')
    if spec is None or spec.origin is None or name in sys.modules:
        return
    if (Path(spec.origin).parent / 'models' / 'localizers' / 'drn').exists():
        return

    class DRN:
        def __init__(self, *args: object, **kwargs: object) -> None:  # noqa: ARG002
            raise ImportError('the installed mmaction2 package was published without its DRN localizer')

    package, module = ModuleType(name.rpartition('.')[0]), ModuleType(name)
    package.__path__ = []  # a package, so that its child can be imported
    module.DRN = DRN  # type: ignore[attr-defined]
    sys.modules[package.__name__] = package
    sys.modules[name] = module
