from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from tests.models import tiny

BLOCKS = {'encoders.audio.blocks': 'encoders.video.blocks', 'encoders.audio.norm': 'encoders.video.norm'}


def model(tied: dict[str, str], seed: int = 0, **options: Any) -> nn.Module:
    return tiny.build(tiny.recognizer_config(tied=tied, **options), seed)


def test_tied_parts_are_one_module_and_are_stored_once() -> None:
    tied, plain = model(BLOCKS), model({})
    assert tied.encoders['audio'].blocks is tied.encoders['video'].blocks
    shared = sum(
        value.numel() for name in ('blocks', 'norm') for value in getattr(plain.encoders['video'], name).parameters()
    )
    assert sum(p.numel() for p in plain.parameters()) - sum(p.numel() for p in tied.parameters()) == shared
    state = tied.state_dict()
    assert not [name for name in state if name.startswith(('encoders.audio.blocks.', 'encoders.audio.norm.'))]
    assert 'encoders.audio.patch_embed.proj.weight' in state

    other = model(BLOCKS, seed=1)
    other.load_state_dict(state)
    with torch.no_grad():
        torch.testing.assert_close(other.eval()(tiny.inputs()), tied.eval()(tiny.inputs()))


def test_learning_rates_follow_the_part_that_stays() -> None:
    names = [name for name, _ in model(BLOCKS).named_parameters()]
    assert not [name for name in names if name.startswith('encoders.audio.blocks.')]


def test_what_cannot_be_tied() -> None:
    with pytest.raises(ValueError, match="tied names the part 'encoders.text', which the model lacks"):
        model({'encoders.text': 'encoders.video'})
    with pytest.raises(ValueError, match=r'their parameters differ; give both the same options'):
        model({'encoders.audio.patch_embed': 'encoders.video.patch_embed'})
