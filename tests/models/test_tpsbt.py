"""TPSBT with masks as it should be, and what it refuses. Its numbers are compared in tests/parity/test_svfap.py."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from hicmae_mm.structures import as_token_mask
from tests.models import tiny

EMBED = dict(type='TubeletEmbed', image_size=64, num_frames=8)
GRID, WIDTH = (4, 4, 4), 16


def encoder(**options: Any) -> nn.Module:
    config = dict(
        type='TPSBTEncoder',
        patch_embed=EMBED,
        embed_dims=WIDTH,
        stage_depths=(1, 2, 1),
        num_heads=2,
        bottleneck_tokens=(3, 2),
    )
    return tiny.build(config | options)


def tube(num_visible: int = 6, batch: int = 2) -> Tensor:
    order = torch.rand(batch, 16, generator=torch.Generator().manual_seed(0)).argsort(dim=1)
    return (order >= num_visible).repeat(1, GRID[0])  # (B, P) -> (B, T * P)


def video(seed: int = 0, batch: int = 2) -> Tensor:
    return torch.randn(batch, 3, 8, 64, 64, generator=torch.Generator().manual_seed(seed))


def test_tokens_of_every_layer() -> None:
    model = encoder()
    output = model(video())
    assert [layer.shape[1] for layer in output.hidden] == [64, 2 * 3, 2 * 16, 16]
    assert output.tokens is output.hidden[-1]
    assert model.output_grid == (1, 4, 4)
    masked = model(video(), tube())
    assert [layer.shape[1] for layer in masked.hidden] == [24, 2 * 3, 2 * 6, 6]
    assert masked.tokens.shape == (2, 24, WIDTH)


def test_masked_patches_do_not_reach_the_encoder() -> None:
    mask = tube()
    hidden = mask.unflatten(1, GRID)[:, None].repeat_interleave(2, 2)
    hidden = hidden.repeat_interleave(16, 3).repeat_interleave(16, 4)  # (B, 1, T, H, W)
    changed = torch.where(hidden, video(1), video())
    for published, is_equal in ((False, True), (True, False)):
        model = encoder(published_pretraining=published).eval()
        assert torch.equal(model(video(), mask).tokens, model(changed, mask).tokens) is is_equal


def test_later_stages_are_repeated_for_the_frames_that_they_come_from() -> None:
    model, tokens = encoder(), torch.arange(2.0).repeat_interleave(6).view(1, 12, 1)  # 2 steps of 6 tokens
    assert model._full_length(tokens, 2).flatten().tolist() == [0] * 12 + [1] * 12
    positions = torch.arange(6.0).repeat(2).view(1, 12, 1)
    assert model._full_length(positions, 2).flatten().tolist() == [*range(6)] * 4


def test_only_the_repaired_pretraining_trains_the_bottleneck() -> None:
    for published in (False, True):
        model = encoder(published_pretraining=published)
        model(video(), tube()).tokens.square().sum().backward()
        untrained = {name for name, parameter in model.named_parameters() if parameter.grad is None}
        assert any(name.startswith('spatial_downsamples.') for name in untrained) is published


def test_layer_ids() -> None:
    model = encoder()
    assert model.layer_id('patch_embed.proj.weight') == 0
    assert model.layer_id('blocks.3.cross_attn.q.weight') == 4
    assert model.layer_id('temporal_downsamples.0.weight') is None
    assert model.layer_id('spatial_downsamples.1.mlp.fc1.bias') is None


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (
            dict(stage_depths=(1, 1, 1, 1), bottleneck_tokens=2),
            'grid of .4, 4, 4.; it needs three axes, the first a multiple of 8',
        ),
        (dict(bottleneck_tokens=(2,)), 'one number for each of the 2 later stages, got .2.'),
        (dict(stage_depths=(1, 0, 1)), 'numbers of blocks from 1 on'),
    ],
)
def test_wrong_sizes_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        encoder(**options)


def test_wrong_masks_are_refused() -> None:
    moved = tube()
    moved[0, :16] = moved[0, :16].roll(1)  # as many in every frame, but not the same
    uneven = torch.arange(64).expand(2, -1) > 20
    for mask in (moved, uneven):
        with pytest.raises(ValueError, match='the same patches must be visible in every frame'):
            encoder()(video(), mask)
    with pytest.raises(ValueError, match='even number of visible patches per frame, got 5'):
        encoder(published_pretraining=True)(video(), as_token_mask(tube(5)))


def test_skips_of_layers_with_fewer_tokens_are_refused_while_building() -> None:
    config = tiny.pretrainer_config(skip_layers=(0, 1), contrastive=None)
    config['encoders']['video'] = dict(
        type='TPSBTEncoder',
        patch_embed=dict(type='TubeletEmbed', image_size=32, num_frames=4),
        embed_dims=16,
        stage_depths=(1, 2),
        num_heads=2,
        bottleneck_tokens=2,
    )
    with pytest.raises(ValueError, match='only the layers 0 to 0 have a token for every visible patch'):
        tiny.build(config)
