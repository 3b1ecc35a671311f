"""Checks the overrides of a command line, and merges them into a config."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from mmengine.config import Config, ConfigDict
from mmengine.utils import import_modules_from_strings

from hicmae_mm.config.checks import check_config, known_top_level_keys
from hicmae_mm.config.reading import read_config


def check_overrides(cfg: Config, options: Mapping[str, Any]) -> None:
    """Checks that every one of ``--cfg-options`` would change something, and that the config has a place for it.

    Args:
        cfg: The config as read from its file, before the options are merged.
        options: Overrides by dotted key.

    Raises:
        ValueError: If the first part of a key is a key of neither the runner nor the config; if it is a variable of the
            config file, because all uses of a variable are replaced when the file is read; if another setting takes
            precedence; if two options overlap; or if a list or a value on its path has no such part.
    """
    known = known_top_level_keys()
    for option in options:
        key = option.split('.')[0]
        if key not in known:
            _refuse_unknown(cfg, option, known)
        _refuse_overruled(cfg, option, options)
        _check_path(cfg, option, options[option])


def refuse_twice(options: Mapping[str, Any] | None, flags: Mapping[str, str]) -> None:
    """Checks that no override sets a key that another command line argument sets as well.

    Args:
        options: Overrides by dotted key; None if there are none.
        flags: Argument of the command line by the key of the config that it sets.

    Raises:
        ValueError: If both are given.
    """
    for option in options or {}:
        for key, flag in flags.items():
            if option == key or option.startswith(f'{key}.'):
                raise ValueError(f'{option} and {flag} are both given: leave {option} out')


def _refuse_unknown(cfg: Config, option: str, known: set[str]) -> None:
    key = option.split('.')[0]
    if key not in cfg:
        close = difflib.get_close_matches(key, known | set(cfg), n=1, cutoff=0.6)
        hint = f'did you mean {close[0]!r}?' if close else f'expected one of {sorted(known)}'
        raise ValueError(f'unknown config key {option!r}: {hint}')
    places = [path for path in _places(dict(cfg.items()), cfg[key]) if path.split('.')[0] in known]
    where = f'override {places[0]} instead' if places else 'nothing in the config has its value'
    raise ValueError(
        f'{key!r} is a variable of the config file: overriding it would not change what was made from it; {where}'
    )


def _refuse_overruled(cfg: Config, option: str, options: Mapping[str, Any]) -> None:
    """Raises ValueError for an option that another setting would replace."""
    key = option.split('.')[0]
    if key == 'launcher':
        raise ValueError("launcher is given as --launcher, whose value replaces the config's")
    model = cfg.get('model')
    if key == 'data_preprocessor' and isinstance(model, Mapping) and model.get(key):
        raise ValueError(f'{option} would change nothing: the model has its own; override model.{option} instead')
    outer = next((name for name in options if option.startswith(f'{name}.')), None)
    if outer is not None:
        raise ValueError(f'{outer} and {option} are both given, and one would replace the other: leave one out')


def _check_path(cfg: Config, option: str, value: Any) -> None:
    """Raises ValueError if the config has no place for an option."""
    node: Any = cfg
    path = ''
    for part in option.split('.'):
        if isinstance(node, (list, tuple)):
            if not part.isdecimal():
                raise ValueError(f'{path} is a list of {len(node)}: name the item, as in {path}.0.{part}')
            if int(part) >= len(node):
                raise ValueError(f'{option}: {path} has {len(node)} items, counted from 0')
            node = node[int(part)]
        elif isinstance(node, (Mapping, Config)):
            if part not in node:
                return
            node = node[part]
        elif node is None:
            return
        else:
            raise ValueError(f'{option}: {path} is {node!r}, which has no parts')
        path = f'{path}.{part}' if path else part
    if isinstance(node, Mapping) and 'type' in node and isinstance(value, (str, int, float)):
        raise ValueError(f'{option}={value}: this is a component with keys ({", ".join(node)}); override one of them')


def _places(value: Any, wanted: Any, path: str = '') -> Iterator[str]:
    """Yields the dotted paths where a value occurs."""
    if path and '.' in path and type(value) is type(wanted) and value == wanted:
        yield path
    items: Iterable[tuple[Any, Any]] = ()
    if isinstance(value, (list, tuple)):
        items = enumerate(value)
    elif isinstance(value, Mapping):
        items = value.items()
    for key, item in items:
        yield from _places(item, wanted, f'{path}.{key}' if path else str(key))


def merge_overrides(cfg: Config, options: Mapping[str, Any]) -> None:
    """Checks ``--cfg-options`` and merges them into a config, in place.

    The modules in ``custom_imports`` are imported. ``slot._delete_=True`` replaces a slot. If the config has no such
    slot, this function removes the flag, because MMEngine would pass it to the component.

    Args:
        cfg: The config as read from its file. It is changed in place.
        options: Overrides by dotted key.

    Raises:
        ValueError: If there is an error as in :func:`check_overrides`.
        ImportError: If a module of ``custom_imports`` does not exist.
    """
    check_overrides(cfg, options)
    for option in options:
        _fill_empty_slots(cfg, option)
    cfg.merge_from_dict(dict(options))
    if any(option.split('.')[0] == 'custom_imports' for option in options) and cfg.get('custom_imports'):
        import_modules_from_strings(**cfg.custom_imports)  # MMEngine has imported only the modules that the file names
    for option in options:
        *path, last = option.split('.')
        if last == '_delete_':
            slot: Any = cfg
            for key in path:
                slot = slot[int(key)] if isinstance(slot, list) else slot[key]
            slot.pop('_delete_', None)


def _fill_empty_slots(cfg: Config, option: str) -> None:
    """Replaces an empty slot (None) by a dictionary, so that options can set its parts."""
    node: Any = cfg
    for part in option.split('.')[:-1]:
        key: Any = int(part) if isinstance(node, list) else part
        if isinstance(node, (Mapping, Config)) and key not in node:
            return
        if node[key] is None:
            node[key] = ConfigDict()
        node = node[key]


def load_config(path: str | Path, options: Mapping[str, Any] | None = None) -> Config:
    """Reads a config file and applies overrides, for command-line tools.

    Args:
        path: Config file.
        options: Overrides by dotted key, as in ``--cfg-options``; None if there are none.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If there is an error as in :func:`~hicmae_mm.config.reading.read_config` and
            :func:`check_overrides`, or if an override misspells a key of a component.

    Example:
        >>> cfg = load_config('configs/hicmae_small_cremad.py', {'model.head.loss.type': 'SoftCrossEntropyLoss'})
        >>> cfg.model.head.loss.type
        'SoftCrossEntropyLoss'
    """
    cfg = read_config(path)
    if options:
        merge_overrides(cfg, options)
        check_config(cfg)
    return cfg
