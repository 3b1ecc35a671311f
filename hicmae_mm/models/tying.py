"""Parts of a model that are one and the same module under several names."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from torch import Tensor, nn


def tie_parts(model: nn.Module, tied: Mapping[str, str]) -> None:
    """Puts a part of a model in the place of another, so that both share their parameters.

    State dicts hold the parameters once, under the name of the part that stays.

    Args:
        model: Model with all parts built.
        tied: Name of the part that is replaced, and of the one in its place:
            ``{'encoders.image.blocks': 'encoders.video.blocks'}``.

    Raises:
        ValueError: If a part does not exist, or parts have different parameters.
    """
    parts = dict(model.named_modules())
    for name, source in tied.items():
        unknown = [part for part in (name, source) if part not in parts or not part]
        if unknown:
            raise ValueError(f'tied names the part {unknown[0]!r}, which the model lacks')
        if _shapes(parts[name]) != _shapes(parts[source]):
            raise ValueError(
                f'tied puts {source!r} in the place of {name!r}, but their parameters differ; give both the same '
                'options'
            )
    for name, source in tied.items():
        parent, _, child = name.rpartition('.')
        setattr(model.get_submodule(parent), child, parts[source])
    if tied:
        model.register_state_dict_post_hook(partial(_without_copies, tuple(tied)))
        model.register_load_state_dict_pre_hook(partial(_with_copies, dict(tied)))


def _shapes(part: nn.Module) -> dict[str, tuple[int, ...]]:
    return {name: tuple(value.shape) for name, value in part.state_dict().items()}


def _without_copies(tied: tuple[str, ...], _: nn.Module, state: dict[str, Tensor], prefix: str, *__: Any) -> None:
    beginnings = tuple(f'{prefix}{name}.' for name in tied)
    for key in [key for key in state if key.startswith(beginnings)]:
        del state[key]


def _with_copies(tied: dict[str, str], _: nn.Module, state: dict[str, Tensor], prefix: str, *__: Any) -> None:
    for name, source in tied.items():
        beginning = f'{prefix}{source}.'
        for key in [key for key in state if key.startswith(beginning)]:
            state.setdefault(f'{prefix}{name}.{key.removeprefix(beginning)}', state[key])
