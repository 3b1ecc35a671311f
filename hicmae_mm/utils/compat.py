"""Ways round faults of pinned third-party packages. Each one undoes itself where the fault is gone."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from types import ModuleType


def patch_third_party() -> None:
    """Applies every patch that must precede an import of MMAction2. Idempotent and cheap: imports nothing heavy."""
    _stand_in_for_missing_drn()
    _format_each_config_once()


def _format_each_config_once() -> None:
    """Keeps the formatted text of a config.

    MMEngine runs yapf over the whole config for every listing and every checkpoint, a good part of a second each time,
    to the same result.
    """
    from mmengine.config import config as module

    if isinstance(module.FormatCode, _Formatter):
        return
    module.FormatCode = _Formatter(module.FormatCode)


class _Formatter:
    """A formatter that remembers its last results."""

    def __init__(self, format_code: Callable[..., tuple[str, bool]]) -> None:
        self._format = lru_cache(maxsize=8)(lambda text, style: format_code(text, style_config=dict(style)))

    def __call__(self, text: str, style_config: Mapping[str, object], verify: bool = False) -> tuple[str, bool]:  # noqa: ARG002 (of old versions of yapf)
        return self._format(text, tuple(style_config.items()))


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
