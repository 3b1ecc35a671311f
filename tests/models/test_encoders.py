from __future__ import annotations

from typing import Any

import pytest
import torch

from hicmae_mm.models.layers import gather_tokens
from hicmae_mm.registry import MODELS
from hicmae_mm.structures import TokenMask
from tests.models import tiny


def test_hidden_holds_every_normed_layer_and_ends_with_the_tokens() -> None:
    encoder = tiny.build(tiny.encoder_config('video'))
    output = encoder(tiny.inputs()['video'])
    assert [tuple(h.shape) for h in output.hidden] == [(2, tiny.VIDEO_TOKENS, tiny.WIDTH)] * tiny.DEPTH
    assert output.tokens is output.hidden[-1]
    torch.testing.assert_close(output.tokens.mean(-1), torch.zeros(2, tiny.VIDEO_TOKENS), atol=1e-6, rtol=0)


def test_only_visible_tokens_are_encoded() -> None:
    encoder, x = tiny.build(tiny.encoder_config('audio')), tiny.inputs()['audio']
    mask = TokenMask.from_bool(tiny.masks()['audio'])
    tokens = gather_tokens(encoder.patch_embed(x) + encoder.positions, mask.visible)
    for block in encoder.blocks:
        tokens = block(tokens)
    torch.testing.assert_close(encoder(x, mask.mask).tokens, encoder.norm(tokens))
    torch.testing.assert_close(encoder(x, mask).tokens, encoder.norm(tokens))


def test_a_mask_of_another_grid_is_refused() -> None:
    encoder = tiny.build(tiny.encoder_config('audio'))
    with pytest.raises(ValueError, match=r'the mask has 6 tokens, the encoder 4 \(grid \(2, 2\)\)'):
        encoder(tiny.inputs(1)['audio'], torch.tensor([[True, False] * 3]))


def test_checkpointed_activations_change_neither_output_nor_gradient() -> None:
    plain = tiny.build(tiny.encoder_config('video')).train()
    saving = tiny.build(tiny.encoder_config('video', checkpoint_activations=True)).train()
    x = tiny.inputs()['video']
    for encoder in (plain, saving):
        encoder(x).tokens.square().sum().backward()
    for a, b in zip(plain.parameters(), saving.parameters()):
        torch.testing.assert_close(a.grad, b.grad)


def test_drop_path_grows_linearly() -> None:
    encoder = tiny.build(tiny.encoder_config('video', drop_path_rate=0.2))
    assert [getattr(block.drop_path, 'drop_prob', 0.0) for block in encoder.blocks] == pytest.approx([0, 0.1, 0.2])


def test_positions_are_not_in_checkpoints() -> None:
    assert not [key for key in tiny.build(tiny.encoder_config('video')).state_dict() if 'positions' in key]


def test_layer_ids() -> None:
    encoder = tiny.build(tiny.encoder_config('video'))
    assert encoder.layer_id('patch_embed.proj.bias') == 0
    assert encoder.layer_id('blocks.2.attn.q_bias') == 3
    assert encoder.layer_id('norm.weight') is None


def test_dropout_reaches_tokens_and_blocks() -> None:
    encoder = tiny.build(tiny.encoder_config('audio', drop_rate=0.2, attn_drop_rate=0.1))
    assert encoder.token_drop.p == 0.2
    assert {(b.attn.attn_drop, b.attn.proj_drop.p, b.mlp.drop.p) for b in encoder.blocks} == {(0.1, 0.2, 0.2)}
    plain = tiny.build(tiny.encoder_config('audio'))
    assert plain.state_dict().keys() == encoder.state_dict().keys()
    x = tiny.inputs()['audio']
    assert torch.equal(encoder.eval()(x).tokens, plain.eval()(x).tokens)
    encoder.train()
    assert not torch.equal(encoder(x).tokens, encoder(x).tokens)


@pytest.mark.parametrize(
    'options',
    [
        dict(type='Emotion2VecEncoder', embed_dims=12, depth=1, prenet_depth=1, num_heads=3, position_groups=4),
        dict(
            type='PromptedViTEncoder',
            patch_embed=dict(type='ImageEmbed', image_size=32),
            embed_dims=12,
            depth=2,
            num_heads=2,
            prompt_interval=2,
        ),
        dict(
            type='PromptedViTEncoder',
            patch_embed=dict(type='SpectrogramEmbed', num_frames=32, num_mel_bins=16),
            embed_dims=12,
            depth=2,
            num_heads=2,
            prompt_interval=2,
        ),
    ],
    ids=['waveform', 'frames', 'spectrogram'],
)
def test_encoders_take_the_example_that_they_give(options: dict[str, Any]) -> None:
    encoder = MODELS.build(options)
    example = encoder.example_input(2, torch.Generator().manual_seed(0))
    output = encoder(example)
    assert torch.equal(example, encoder.example_input(2, torch.Generator().manual_seed(0)))
    assert output.tokens.shape == (2, output.tokens.shape[1], encoder.embed_dims)
    assert len(output.hidden) == encoder.depth
