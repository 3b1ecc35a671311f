"""Reading the text of a resolved config without running it.

``Config.fromfile`` imports its file, so that whoever wrote the file can run anything. A resolved config, as MMEngine
prints it, needs none of that: it is a list of ``name = value`` lines, values made of numbers, text, lists, tuples,
dictionaries and calls of ``dict``.
"""

from __future__ import annotations

import ast
from typing import Any

from mmengine.config import Config


def config_from_text(text: str) -> Config:
    """The config of a resolved text (``Config.pretty_text``).

    Raises:
        ValueError: The text holds something else than assignments of plain values; the line is named.
    """
    try:
        statements = ast.parse(text).body
    except SyntaxError as error:
        raise ValueError(f'the config is not readable, line {error.lineno}: {error.msg}') from error
    values: dict[str, Any] = {}
    for statement in statements:
        if not isinstance(statement, ast.Assign) or not isinstance(statement.targets[0], ast.Name):
            raise ValueError(f'the config must be a list of "name = value", line {statement.lineno} is something else')
        values[statement.targets[0].id] = _value(statement.value)
    return Config(values)


def _value(node: ast.expr) -> Any:
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == 'dict' and not node.args:
        return {str(keyword.arg): _value(keyword.value) for keyword in node.keywords}
    if isinstance(node, ast.Dict) and all(node.keys):
        return {_value(key): _value(value) for key, value in zip(node.keys, node.values) if key is not None}
    if isinstance(node, (ast.List, ast.Tuple)):
        items = [_value(item) for item in node.elts]
        return tuple(items) if isinstance(node, ast.Tuple) else items
    try:
        return ast.literal_eval(node)
    except ValueError:
        raise ValueError(
            f'the config must hold plain values, line {node.lineno} has {ast.unparse(node)[:80]!r}'
        ) from None
