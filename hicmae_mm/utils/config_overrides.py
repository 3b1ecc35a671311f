"""Overrides of a config from the command line, and reading one with them."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from mmengine.config import Config

from hicmae_mm.utils.config_checks import known_top_level_keys


def check_overrides(cfg: Config, options: Mapping[str, Any]) -> None:
    """Refuses ``--cfg-options`` that would change nothing.

    Args:
        cfg (Config): The config as read from its file, before the options are merged.
        options (dict): Dotted key -> value.

    Raises:
        ValueError: The first part of a key is neither a key of the runner nor of the config, or it is a variable of the
            config file, whose uses were filled in when the file was read.
    """
    known = known_top_level_keys()
    for option in options:
        key = option.split('.')[0]
        if key in known:
            continue
        if key not in cfg:
            close = difflib.get_close_matches(key, known | set(cfg), n=1, cutoff=0.6)
            hint = f'did you mean {close[0]!r}?' if close else f'expected one of {sorted(known)}'
            raise ValueError(f'unknown config key {option!r}: {hint}')
        places = [path for path in _places(dict(cfg.items()), cfg[key]) if path.split('.')[0] in known]
        where = f'override {places[0]} instead' if places else 'override the key that uses it'
        raise ValueError(
            f'{key!r} is a variable of the config file: overriding it would not change what was made from it; {where}'
        )


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

    ``slot._delete_=True`` replaces a slot. Where the config leaves the slot out there is nothing to delete, and
    MMEngine would hand the flag on to the component.

    Args:
        cfg (Config): The config as read from its file.
        options (dict): Dotted key -> value.

    Raises:
        ValueError: As in :func:`check_overrides`.
    """
    check_overrides(cfg, options)
    cfg.merge_from_dict(dict(options))
    for option in options:
        *path, last = option.split('.')
        if last == '_delete_':
            slot: Any = cfg
            for key in path:
                slot = slot[int(key)] if isinstance(slot, list) else slot[key]
            slot.pop('_delete_', None)


def load_config(path: str | Path, options: Mapping[str, Any] | None = None) -> Config:
    """Reads a config file and applies overrides, for command-line tools.

    Args:
        path (str | Path): Config file.
        options (dict | None): Dotted key -> value, as of ``--cfg-options``.

    Raises:
        FileNotFoundError: No such file.
        ValueError: As in :func:`check_overrides`.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f'config file {path} does not exist')
    cfg = Config.fromfile(path)
    merge_overrides(cfg, options or {})
    return cfg
