"""Every maskable encoder with every fusion and every decoder: it pre-trains a step, or building it says why not."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

import pytest
import torch
from torch import nn

from hicmae_mm.measuring.random_batch import random_batch
from hicmae_mm.models.decoders import BaseDecoder
from hicmae_mm.models.encoders import MaskableEncoder
from hicmae_mm.registry import MODELS
from tests.component_cases import MODEL_CASES, own_components
from tests.models.test_matrix import components, encoder_of
from tests.models.test_swaps import NAMES, Combination, options_of, pairwise

TARGETS = {5: 'VideoPatchTarget', 4: 'SpectrogramPatchTarget'}  # by axes of the input


def decoders() -> list[str]:
    kinds = own_components(MODELS).items()
    return sorted(name for name, kind in kinds if isinstance(kind, type) and issubclass(kind, BaseDecoder))


def maskable() -> list[str]:
    return [name for name in components('encoder') if issubclass(MODELS.get(name), MaskableEncoder)]


def pretrainer(encoder: str, fusion: str, decoder: str) -> nn.Module:
    config, example = encoder_of(encoder)
    target = TARGETS[example.ndim]
    return MODELS.build(
        dict(
            type='AudioVisualPretrainer',
            encoders={name: dict(config) for name in NAMES},
            fusion=None if fusion == 'none' else options_of(fusion),
            decoders={name: dict(MODEL_CASES[decoder].options, type=decoder) for name in NAMES},
            heads={
                name: dict(type='ReconstructionHead', target=dict(type=target), loss=dict(type='MaskedMSELoss'))
                for name in NAMES
            },
            skip_layers=(0,) if decoder == 'HierarchicalDecoder' else (),
            data_preprocessor=dict(type='AudioVisualDataPreprocessor'),
        )
    )


def refusal(combination: Combination) -> str | None:
    """Why a combination is refused while it is built; None if it trains a step."""
    torch.manual_seed(0)
    try:
        model = pretrainer(*combination)
    except ValueError as error:
        return str(error)
    batch = random_batch(model, 2)
    for name, encoder in model.encoders.items():
        if len(encoder.grid) == 3:
            # one of two patches of each region, and the same in every frame: every encoder takes such a mask
            hidden = torch.arange(encoder.grid[-1]) % 2 == 1
            batch['masks'][name] = hidden.expand(encoder.grid).reshape(1, -1).repeat(2, 1)  # (T, H, W) -> (B, N)
    batch = model.data_preprocessor(batch, training=True)
    batch.pop('skipped', None)
    torch.manual_seed(1)
    losses = model(**batch, mode='loss')
    total = sum(value for key, value in losses.items() if 'loss' in key)
    total.backward()
    assert torch.isfinite(total)
    other = pretrainer(*combination)
    other.load_state_dict(model.state_dict())
    torch.manual_seed(1)
    again = other(**batch, mode='loss')
    torch.testing.assert_close({key: again[key] for key in losses}, losses, rtol=1e-4, atol=1e-4)
    return None


def check(combinations: Iterable[Combination]) -> None:
    late, reasons = [], {}
    for combination in combinations:
        try:
            reasons[combination] = refusal(combination)
        except Exception as error:
            late.append(f'{" + ".join(combination)}: {error!r}')
    assert not late, f'{len(late)} fail late, {reasons}:\n' + '\n'.join(late)
    assert any(reason is None for reason in reasons.values())


AXES = (maskable(), ['none', *components('fusion')], decoders())


def test_every_two_components_meet() -> None:
    check(pairwise(AXES))


@pytest.mark.slow
def test_every_combination() -> None:
    check(itertools.product(*AXES))
