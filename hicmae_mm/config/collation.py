"""Finds the collate function that a config names."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from mmengine.config import Config

from hicmae_mm.datasets.collate import collate_streams
from hicmae_mm.registry import FUNCTIONS

Collate = Callable[[Sequence[Any]], dict[str, Any]]


def collate_of(cfg: Config, split: str | None = None, order: Sequence[str] = ('test', 'val', 'train')) -> Collate:
    """Builds the ``collate_fn`` of a config's data loader.

    Args:
        cfg: Config of a model.
        split: ``'test'``, ``'val'`` or ``'train'``; ``None`` means the first one that the config has.
        order: Order in which they are looked for.

    Returns:
        The function, which can be sent to worker processes; ``collate_streams`` where the config names none.

    Raises:
        ValueError: If the config names a function that is not registered.
    """
    names = order if split is None else (split,)
    loaders = [cfg[f'{name}_dataloader'] for name in names if cfg.get(f'{name}_dataloader')]
    options = dict(loaders[0].get('collate_fn') or {}) if loaders else {}
    if not options:
        return collate_streams
    kind = options.pop('type')
    function = FUNCTIONS.get(kind) if isinstance(kind, str) else kind
    if function is None:
        raise ValueError(f'collate_fn {kind!r} is not a registered function; is its module in custom_imports?')
    return partial(function, **options) if options else function
