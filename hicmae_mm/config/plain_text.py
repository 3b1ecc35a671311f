"""Reading the text of a resolved config without running it.

``Config.fromfile`` imports its file, so that whoever wrote the file can run anything. A resolved config, as MMEngine
prints it, needs none of that: it is a list of ``name = value`` lines, values made of numbers, text, lists, tuples,
dictionaries and calls of ``dict``.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from typing import Any

from mmengine.config import Config

_COMPONENT = re.compile(r'((hicmae_mm|mmaction)\.)?\w+')
_LONGEST_TEXT = 1_000_000  # twenty times as long as those of this project


def config_from_text(text: str) -> Config:
    """Reads a config from its resolved text (``Config.pretty_text``).

    Raises:
        ValueError: If the text holds something else than assignments of plain values; the line is named.
    """
    if len(text) > _LONGEST_TEXT:
        raise ValueError(f'the config has {len(text)} characters, at most {_LONGEST_TEXT} are read')
    values: dict[str, Any] = {}
    try:
        for statement in ast.parse(text).body:
            target = statement.targets[0] if isinstance(statement, ast.Assign) else None
            if not isinstance(statement, ast.Assign) or not isinstance(target, ast.Name) or len(statement.targets) > 1:
                raise ValueError(
                    f'the config must be lines of "name = value", line {statement.lineno} is something else'
                )
            values[target.id] = _value(statement.value)
    except SyntaxError as error:
        raise ValueError(f'the config is not readable, line {error.lineno}: {error.msg}') from error
    except (RecursionError, MemoryError) as error:
        raise ValueError('the config is nested too deeply') from error
    return Config(values)


def _value(node: ast.expr) -> Any:
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == 'dict' and not node.args:
        if all(keyword.arg for keyword in node.keywords):  # none of them **something
            return {str(keyword.arg): _value(keyword.value) for keyword in node.keywords}
    elif isinstance(node, ast.Dict) and all(isinstance(key, ast.Constant) for key in node.keys):
        return {_value(key): _value(value) for key, value in zip(node.keys, node.values) if key is not None}
    elif isinstance(node, (ast.List, ast.Tuple)):
        items = [_value(item) for item in node.elts]
        return tuple(items) if isinstance(node, ast.Tuple) else items
    try:
        return ast.literal_eval(node)
    except ValueError:
        raise ValueError(
            f'the config must hold plain values, line {node.lineno} has {ast.unparse(node)[:80]!r}'
        ) from None


def read_config_text(text: str, source: str) -> Config:
    """Reads a dumped config that holds only plain values and registered names of components.

    Dotted paths as types are refused, because a registry would import such a path and call what it finds there.

    Args:
        text: Lines of ``name = value``, as ``Config.dump`` writes them.
        source: Name of the source for error messages.

    Returns:
        The config.

    Raises:
        ValueError: If the text holds anything but plain values, or names a component by a path.
    """
    try:
        cfg = config_from_text(text)
    except ValueError as error:
        raise ValueError(f'{source}: {error}') from error
    _check_components(cfg.to_dict(), source)
    return cfg


def _check_components(value: Any, source: str) -> None:
    if isinstance(value, Mapping):
        kind = value.get('type')
        if isinstance(kind, str) and not _COMPONENT.fullmatch(kind):
            raise ValueError(f'{source}: the component {kind!r} is a path; only registered names are looked up')
        for item in value.values():
            _check_components(item, source)
    elif isinstance(value, (list, tuple)):
        for item in value:
            _check_components(item, source)
