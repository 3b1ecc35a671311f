"""Workarounds for faults of third-party packages."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any

import yaml


def patch_third_party() -> None:
    """Applies all patches. Call it before MMAction2 is imported. It is fast, and repeated calls have no effect."""
    _add_missing_drn()
    _leave_out_vindlu()
    _format_each_config_once()
    _read_yaml_without_code()


def _format_each_config_once() -> None:
    """Makes MMEngine cache the formatted text of a config.

    MMEngine formats the whole config with yapf for every listing and every checkpoint. This takes several tenths of a
    second each time, and the result is always the same.
    """
    from mmengine.config import config as module

    if isinstance(module.FormatCode, _Formatter):
        return
    module.FormatCode = _Formatter(module.FormatCode)


class _Formatter:
    """Formats log records, and caches the last eight results."""

    def __init__(self, format_code: Callable[..., tuple[str, bool]]) -> None:
        self._format = lru_cache(maxsize=8)(lambda text, style: format_code(text, style_config=dict(style)))

    def __call__(self, text: str, style_config: Mapping[str, object], verify: bool = False) -> tuple[str, bool]:  # noqa: ARG002 (of old versions of yapf)
        return self._format(text, tuple(style_config.items()))


def _read_yaml_without_code() -> None:
    """Makes MMEngine read YAML as plain data. Its own loader would call every function that a file names."""
    from mmengine.fileio.handlers import YamlHandler
    from mmengine.fileio.handlers.registry_utils import file_handlers

    class SafeYamlHandler(YamlHandler):
        def load_from_fileobj(self, file: Any, **_: object) -> Any:
            return load_yaml(file.read())

    file_handlers['yaml'] = file_handlers['yml'] = SafeYamlHandler()


class _PlainLoader(yaml.SafeLoader):
    """Reads plain values, and tuples in the form in which a dumped config stores them."""


def _tuple(loader: _PlainLoader, node: yaml.SequenceNode) -> tuple[Any, ...]:
    return tuple(loader.construct_sequence(node, deep=True))


_PlainLoader.add_constructor('tag:yaml.org,2002:python/tuple', _tuple)


def load_yaml(text: str) -> Any:
    """Reads YAML as plain values.

    Raises:
        ValueError: If the text is not YAML, contains other values, or expands to far more than its size.
    """
    try:
        value = yaml.load(text, Loader=_PlainLoader)
        _count_values(value, [100 * len(text) + 1000], 0)
    except yaml.YAMLError as error:
        raise ValueError(' '.join(str(error).split())) from error
    except RecursionError as error:
        raise ValueError('its values are nested too deeply') from error
    return value


def _count_values(value: Any, left: list[int], depth: int) -> None:
    """Raises ValueError for values that repeat each other so often that copying them would take too much memory."""
    left[0] -= 1
    if left[0] < 0 or depth > 100:
        raise ValueError('its values are nested too deeply, or repeat each other without end')
    items = value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple)) else ()
    for item in items:
        _count_values(item, left, depth + 1)


def _add_missing_drn() -> None:
    """Registers a placeholder for ``mmaction.models.localizers.drn``, which the published wheel lacks.

    Without it ``import mmaction.models`` fails (MMAction2 issue 2714). The placeholder raises ImportError when it is
    built. If the installed MMAction2 has the module, this function does nothing.
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
    package.__path__ = []  # makes it a package, so that its child can be imported
    module.DRN = DRN  # type: ignore[attr-defined]
    sys.modules[package.__name__] = package
    sys.modules[name] = module


def _leave_out_vindlu() -> None:
    """Leaves out ``mmaction.models.multimodal.vindlu`` where the installed transformers lacks what it imports.

    Without it ``import mmaction.models`` fails as soon as a version of transformers is installed that no longer has
    these functions. Its models are then not registered, as without transformers.
    """
    name = 'mmaction.models.multimodal.vindlu'
    spec = importlib.util.find_spec('transformers')
    if spec is None or spec.origin is None or name in sys.modules:
        return
    module = Path(spec.origin).parent / 'modeling_utils.py'
    if not module.is_file() or 'apply_chunking_to_forward' not in module.read_text(encoding='utf-8'):
        sys.modules[name] = ModuleType(name)
