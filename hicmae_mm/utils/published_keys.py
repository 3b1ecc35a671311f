"""Parameter names of the published HiCMAE checkpoints, mapped to this package's."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TypeVar

from torch import Tensor, nn

T = TypeVar('T')

# In order: the first pattern that matches renames. `video` is the unmarked stream of the published names.
_RULES: tuple[tuple[str, str], ...] = (
    (r'(video|audio)_layer_weights$', r'aggregator.layer_weights.\1'),
    (r'fc_norm\.', 'head.norm.'),
    (r'head\.', 'head.fc.'),
    (r'mask_token$', 'decoders.video.mask_token'),
    (r'mask_token_audio$', 'decoders.audio.mask_token'),
    (r'encoder_to_decoder\.', 'decoders.video.embed.'),
    (r'encoder_to_decoder_audio\.', 'decoders.audio.embed.'),
    (r'encoder_fusion\.blocks\.', 'fusion.blocks.video.'),
    (r'encoder_fusion\.blocks_audio\.', 'fusion.blocks.audio.'),
    (r'encoder_fusion\.norm\.', 'fusion.norms.video.'),
    (r'encoder_fusion\.norm_audio\.', 'fusion.norms.audio.'),
    (r'encoder\.', 'encoders.video.'),
    (r'encoder_audio\.', 'encoders.audio.'),
    (r'decoder\.', 'decoders.video.'),
    (r'decoder_audio\.', 'decoders.audio.'),
)
_COMPILED = tuple((re.compile(pattern), new) for pattern, new in _RULES)


def map_published_key(key: str) -> str:
    """This package's name of a published parameter.

    Raises:
        KeyError: No rule knows the name.
    """
    for pattern, new in _COMPILED:
        if pattern.match(key):
            renamed = pattern.sub(new, key, count=1)
            return renamed.replace('.cross_norm1.', '.query_norm.').replace('.cross_norm2.', '.context_norm.')
    raise KeyError(f'{key!r} is not a parameter name of a published HiCMAE checkpoint')


def map_published_keys(state: Mapping[str, T]) -> dict[str, T]:
    """Renames a published state dict.

    Args:
        state: Values by published name.

    Returns:
        The same values by this package's names.

    Raises:
        KeyError: Names that no rule knows, all of them listed.
    """
    renamed, unknown = {}, []
    for key, value in state.items():
        try:
            renamed[map_published_key(key)] = value
        except KeyError:
            unknown.append(key)
    if unknown:
        raise KeyError(f'not a published HiCMAE checkpoint: {len(unknown)} unknown parameter names, e.g. {unknown[:5]}')
    return renamed


def load_published(model: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Loads published weights strictly: every key used, none missing, shapes equal.

    Raises:
        KeyError: An unknown name.
        ValueError: Keys missing from or foreign to the model, or shapes that differ; all of them are listed.
    """
    renamed, own = map_published_keys(state), model.state_dict()
    problems = _listed('missing in the checkpoint', own.keys() - renamed.keys())
    problems += _listed('not in the model', renamed.keys() - own.keys())
    shapes = (key for key in own.keys() & renamed.keys() if own[key].shape != renamed[key].shape)
    problems += _listed('of another shape', shapes)
    if problems:
        raise ValueError('the checkpoint does not fit the model: ' + '; '.join(problems))
    model.load_state_dict(renamed)


def _listed(what: str, keys: Iterable[str]) -> list[str]:
    found = sorted(keys)
    return [f'{len(found)} {what} ({", ".join(found[:5])}{", ..." if len(found) > 5 else ""})'] if found else []
