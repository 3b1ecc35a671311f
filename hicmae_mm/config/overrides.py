"""Overrides of a config from the command line, and reading one with them."""

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
    """Refuses ``--cfg-options`` that would change nothing, or that the config has no place for.

    Args:
        cfg (Config): The config as read from its file, before the options are merged.
        options (dict): Dotted key -> value.

    Raises:
        ValueError: The first part of a key is neither a key of the runner nor of the config; it is a variable of the
            config file, whose uses were filled in when the file was read; something else is used in its place; another
            option replaces it; or its path leads through a list or value without such a part.
    """
    known = known_top_level_keys()
    for option in options:
        key = option.split('.')[0]
        if key not in known:
            _refuse_unknown(cfg, option, known)
        _refuse_overruled(cfg, option, options)
        _check_path(cfg, option, options[option])


def refuse_twice(options: Mapping[str, Any] | None, flags: Mapping[str, str]) -> None:
    """Refuses overrides in whose place the value of another argument would be used.

    Args:
        options (dict | None): Dotted key -> value.
        flags (dict): Key of the config -> argument that sets it.

    Raises:
        ValueError: Both are given.
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
    """Raises ValueError for an option in whose place something else is used."""
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
    """Raises ValueError where the config has no place for an option."""
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

    Modules named by ``custom_imports`` are imported. ``slot._delete_=True`` replaces a slot; where the config leaves
    the slot out there is nothing to delete, and MMEngine would hand the flag on to the component.

    Args:
        cfg (Config): The config as read from its file.
        options (dict): Dotted key -> value.

    Raises:
        ValueError: As in :func:`check_overrides`.
        ImportError: A module of ``custom_imports`` that is not there.
    """
    check_overrides(cfg, options)
    for option in options:
        _fill_empty_slots(cfg, option)
    cfg.merge_from_dict(dict(options))
    if any(option.split('.')[0] == 'custom_imports' for option in options) and cfg.get('custom_imports'):
        import_modules_from_strings(**cfg.custom_imports)  # else only what the file itself names is imported
    for option in options:
        *path, last = option.split('.')
        if last == '_delete_':
            slot: Any = cfg
            for key in path:
                slot = slot[int(key)] if isinstance(slot, list) else slot[key]
            slot.pop('_delete_', None)


def _fill_empty_slots(cfg: Config, option: str) -> None:
    """Makes room for the parts of a slot that the config leaves empty (None)."""
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
        path (str | Path): Config file.
        options (dict | None): Dotted key -> value, as of ``--cfg-options``.

    Raises:
        FileNotFoundError: No such file.
        ValueError: As in :func:`~hicmae_mm.config.reading.read_config` and :func:`check_overrides`, or an override
            misspells a key of a component.
    """
    cfg = read_config(path)
    if options:
        merge_overrides(cfg, options)
        check_config(cfg)
    return cfg
