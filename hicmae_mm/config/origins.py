"""Finds the file of a chain of configs from which each value comes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from mmengine.config import Config

from hicmae_mm.config.reading import base_files, read_config


class Origin(NamedTuple):
    """Describes one value of a config.

    Attributes:
        value: A number, a text, None, or a list without dictionaries.
        source: The file that sets the value, or ``'--cfg-options'``.
    """

    value: Any
    source: str


def config_origins(path: str | Path, merged: Config | None = None) -> dict[str, Origin]:
    """Finds out where each value of a config comes from.

    A file that repeats the value of the file that it inherits from does not count as its origin. Files of the new style
    (``read_base``) count as a whole.

    Args:
        path: Config file.
        merged: The same config after the overrides of a command line. Values that differ from the file come from the
            command line.

    Returns:
        Origins by dotted key, in the spelling of ``--cfg-options`` (``train_dataloader.dataset.pipeline.3.policy``).

    Example:
        >>> origins = config_origins('configs/hicmae_small_cremad.py')
        >>> origins['model.encoders.video.embed_dims']
        Origin(value=384, source='configs/hicmae_small_cremad.py')
        >>> origins['model.encoders.video.depth'].source
        'configs/_base_/models/hicmae_base_finetune.py'
    """
    found = _origins_of_file(Path(path))
    if merged is None:
        return found
    return _update(found, merged.to_dict(), '--cfg-options')


def _origins_of_file(path: Path) -> dict[str, Origin]:
    inherited: dict[str, Origin] = {}
    for base in base_files(path):
        inherited |= _origins_of_file(base)
    return _update(inherited, read_config(path).to_dict(), path.as_posix())


def _update(known: dict[str, Origin], values: Mapping[str, Any], source: str) -> dict[str, Origin]:
    """Keeps the origin of each value that did not change, and sets ``source`` as the origin of the others."""
    return {
        key: known[key] if key in known and _is_same(known[key].value, value) else Origin(value, source)
        for key, value in _flat(values)
    }


def _is_same(first: Any, second: Any) -> bool:
    return type(first) is type(second) and first == second


def _flat(value: Any, prefix: str = '') -> Iterator[tuple[str, Any]]:
    """Yields dotted keys and values. It enters lists of dictionaries; other lists are values."""
    if isinstance(value, Mapping) and value:
        items: list[tuple[Any, Any]] = list(value.items())
    elif isinstance(value, (list, tuple)) and any(isinstance(item, Mapping) for item in value):
        items = list(enumerate(value))
    else:
        yield prefix, value
        return
    for key, item in items:
        yield from _flat(item, f'{prefix}.{key}' if prefix else str(key))
