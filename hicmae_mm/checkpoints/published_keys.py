"""Maps the parameter names of the published HiCMAE checkpoints to those of this package, and back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

from torch import Tensor, nn

T = TypeVar('T')

# Pairs (published name, name of this package): complete names, or prefixes that end in a dot. The first pair that fits
# is used, in both directions. Published names without a stream belong to `video`.
_NAMES: tuple[tuple[str, str], ...] = (
    ('video_layer_weights', 'aggregator.layer_weights.video'),
    ('audio_layer_weights', 'aggregator.layer_weights.audio'),
    ('fc_norm.', 'head.norm.'),
    ('head.', 'head.fc.'),
    ('mask_token', 'decoders.video.mask_token'),
    ('mask_token_audio', 'decoders.audio.mask_token'),
    ('encoder_to_decoder.', 'decoders.video.embed.'),
    ('encoder_to_decoder_audio.', 'decoders.audio.embed.'),
    ('encoder_fusion.blocks.', 'fusion.blocks.video.'),
    ('encoder_fusion.blocks_audio.', 'fusion.blocks.audio.'),
    ('encoder_fusion.norm.', 'fusion.norms.video.'),
    ('encoder_fusion.norm_audio.', 'fusion.norms.audio.'),
    ('encoder.', 'encoders.video.'),
    ('encoder_audio.', 'encoders.audio.'),
    ('decoder.', 'decoders.video.'),
    ('decoder_audio.', 'decoders.audio.'),
)
# the norms of a cross block, anywhere in a name
_PARTS: tuple[tuple[str, str], ...] = (('.cross_norm1.', '.query_norm.'), ('.cross_norm2.', '.context_norm.'))
_OURS = tuple((ours, published) for published, ours in _NAMES)
_OUR_PARTS = tuple((ours, published) for published, ours in _PARTS)


def _renamed(key: str, names: tuple[tuple[str, str], ...], parts: tuple[tuple[str, str], ...]) -> str | None:
    for old, new in names:
        if key == old or (old.endswith('.') and key.startswith(old)):
            renamed = new + key[len(old) :]
            for old_part, new_part in parts:
                renamed = renamed.replace(old_part, new_part)
            return renamed
    return None


def map_published_key(key: str) -> str:
    """Converts the published name of a parameter to the name in this package.

    Raises:
        KeyError: If the published implementation has no such parameter.

    Example:
        >>> map_published_key('encoder_audio.blocks.0.norm1.weight')
        'encoders.audio.blocks.0.norm1.weight'
    """
    renamed = _renamed(key, _NAMES, _PARTS)
    if renamed is None:
        raise KeyError(f'{key!r} is not a parameter name of a published HiCMAE checkpoint')
    return renamed


def published_key(key: str) -> str:
    """Converts a parameter name of this package to the published name; the inverse of :func:`map_published_key`.

    Raises:
        KeyError: If the published implementation has no such parameter.
    """
    renamed = _renamed(key, _OURS, _OUR_PARTS)
    if renamed is None or renamed.endswith('.positions') or map_published_key(renamed) != key:
        raise KeyError(f'{key!r} has no counterpart in the published HiCMAE implementation')
    return renamed


def is_published(names: Iterable[str]) -> bool:
    """Tells whether names are those of a published checkpoint: all are known, and both encoders are among them."""
    names = list(names)
    has_both = all(
        any(name.startswith(part) for name in names) for part in ('encoder.blocks.', 'encoder_audio.blocks.')
    )
    return has_both and all(_renamed(name, _NAMES, _PARTS) is not None for name in names)


def _map_keys(state: Mapping[str, T], rename: Callable[[str], str], problem: str) -> dict[str, T]:
    renamed, unknown = {}, []
    for key, value in state.items():
        try:
            renamed[rename(key)] = value
        except KeyError:
            unknown.append(key)
    if unknown:
        raise KeyError(f'{problem}: {len(unknown)} unknown parameter names, e.g. {unknown[:5]}')
    return renamed


def map_published_keys(state: Mapping[str, T]) -> dict[str, T]:
    """Renames a published state dict.

    Args:
        state: Values by published name.

    Returns:
        The same values by the names of this package.

    Raises:
        KeyError: If names are unknown. The message counts them.
    """
    return _map_keys(state, map_published_key, 'not a published HiCMAE checkpoint')


def published_keys(state: Mapping[str, T]) -> dict[str, T]:
    """Renames a state dict of this package to the published names; the inverse of :func:`map_published_keys`.

    Raises:
        KeyError: If the published implementation lacks some of the parameters. The message counts them.
    """
    return _map_keys(state, published_key, 'not a model of the published HiCMAE implementation')


def check_published(model: nn.Module, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Checks that the names and shapes of published weights are exactly those of a model.

    Args:
        model: The model. It may be on the ``meta`` device, because values are not compared.
        state: Weights by published name.

    Returns:
        The weights by the names of this package.

    Raises:
        KeyError: If a name is unknown.
        ValueError: If parameters are missing in the checkpoint or in the model, or if shapes differ. The message
            counts them.
    """
    renamed, own = map_published_keys(state), model.state_dict()
    problems = _listed('missing in the checkpoint', own.keys() - renamed.keys())
    problems += _listed('not in the model', renamed.keys() - own.keys())
    shapes = (key for key in own.keys() & renamed.keys() if own[key].shape != renamed[key].shape)
    problems += _listed('of another shape', shapes)
    if problems:
        raise ValueError('the checkpoint does not fit the model: ' + '; '.join(problems))
    return renamed


def load_published(model: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Loads published weights into a model; raises the errors of :func:`check_published`."""
    model.load_state_dict(check_published(model, state))


def _listed(what: str, keys: Iterable[str]) -> list[str]:
    found = sorted(keys)
    return [f'{len(found)} {what} ({", ".join(found[:5])}{", ..." if len(found) > 5 else ""})'] if found else []
