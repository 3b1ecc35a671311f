"""Read configs that come with weights from other people, without running any code in them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from mmengine.config import Config

_COMPONENT = re.compile(r'((hicmae_mm|mmaction)\.)?\w+')


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
    from hicmae_mm.export.config_text import config_from_text

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
