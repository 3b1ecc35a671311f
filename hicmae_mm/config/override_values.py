"""Reads the values of ``--cfg-options`` (numbers, texts, lists and dictionaries) from the text of the command line."""

from __future__ import annotations

import argparse
import ast
import re
from collections.abc import Sequence
from typing import Any

from mmengine.config import DictAction

_LONGEST_TEXT = 100_000
_SPACE = '\0'  # replaces spaces while MMEngine reads a value, because MMEngine removes them
_WORDS = {'true': True, 'false': False}
_FORM = 'lists of dictionaries are given as "custom_hooks=[dict(type=\'EMAHook\', momentum=0.001)]"'


class OverrideAction(DictAction):
    """Reads ``--cfg-options KEY=VALUE ...`` as MMEngine's action does, with four differences.

    It reads dictionaries, alone or in lists. It keeps spaces within a text. A key that is given twice is an error. A
    value that cannot be read ends in a message of one line.

    Example:
        >>> parser = argparse.ArgumentParser()
        >>> _ = parser.add_argument('--cfg-options', nargs='+', action=OverrideAction)
        >>> parser.parse_args(['--cfg-options', "custom_hooks=[dict(type='EMAHook')]", 'a.b=1,2']).cfg_options
        {'custom_hooks': [{'type': 'EMAHook'}], 'a.b': [1, 2]}
    """

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> None:
        """Adds the values to those of earlier ``--cfg-options``."""
        options = dict(getattr(namespace, self.dest, None) or {})
        for text in [values] if isinstance(values, str) else values or []:
            key, equals, value = str(text).partition('=')
            if not equals or not key or any(not part for part in key.split('.')):
                parser.error(f'{option_string}: expected key=value, got {text!r}')
            if key in options:
                parser.error(f'{option_string}: {key} is given twice')
            try:
                options[key] = read_value(value)
            except ValueError as error:
                parser.error(f'{option_string}: {key}: {error}')
        setattr(namespace, self.dest, options)


def read_value(text: str) -> Any:
    """Reads one value.

    Args:
        text: The value in MMEngine's spelling (``3``, ``true``, ``None``, ``a,b``, ``[1,(2,3)]``, a text with or
            without quotes), or a dictionary in Python's notation (``dict(type='EMAHook')``, ``{'type': 'EMAHook'}``).

    Raises:
        ValueError: If brackets do not match, a dictionary cannot be read, or the text is too long.

    Example:
        >>> read_value('[1,(2,3)]'), read_value('true'), read_value('dict(a=1)')
        ([1, (2, 3)], True, {'a': 1})
    """
    if len(text) > _LONGEST_TEXT:
        raise ValueError(f'a value of {len(text)} characters is too long')
    inner = text.strip().strip('\'"').strip()
    if re.match(r'[\[(\s]*(dict\s*\(|{)', inner):
        return _read_structure(inner)
    if inner.count('(') != inner.count(')') or inner.count('[') != inner.count(']'):
        raise ValueError(f'the brackets of {text!r} do not match')
    compact = re.sub(r'\s*([,\[\]()])\s*', r'\1', inner)
    return _with_spaces(DictAction._parse_iterable(compact.replace(' ', _SPACE)))


def _with_spaces(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return type(value)(map(_with_spaces, value))
    return value.replace(_SPACE, ' ') if isinstance(value, str) else value


def _read_structure(text: str) -> Any:
    try:
        return _value_of(ast.parse(text, mode='eval').body)
    except (SyntaxError, RecursionError, MemoryError, ValueError) as error:
        raise ValueError(f'{text!r} cannot be read ({error}); {_FORM}') from error


def _value_of(node: ast.expr) -> Any:
    """Returns the value of an expression of literals, names and ``dict(...)``, without executing anything."""
    match node:
        case ast.Constant(value=bool() | int() | float() | str() | None):
            return node.value
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as number)):
            return -number
        case ast.Name() | ast.Attribute():
            name = ast.unparse(node)  # a name is a text without quotes
            return _WORDS.get(name.lower(), name)
        case ast.List(elts=items):
            return [_value_of(item) for item in items]
        case ast.Tuple(elts=items):
            return tuple(_value_of(item) for item in items)
        case ast.Dict(keys=keys, values=values) if all(keys):
            return {_value_of(key): _value_of(value) for key, value in zip(keys, values) if key is not None}
        case ast.Call(func=ast.Name(id='dict'), args=[], keywords=pairs) if all(pair.arg for pair in pairs):
            return {pair.arg: _value_of(pair.value) for pair in pairs}
    raise ValueError(f'{ast.unparse(node)!r} is not a value')
