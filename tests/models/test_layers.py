from __future__ import annotations

import math

import pytest
import timm.layers
import torch
from torch import nn

from hicmae_mm.kernels import use_cpu_kernels
from hicmae_mm.models.layers import (
    Block,
    CrossAttention,
    CrossBlock,
    SelfAttention,
    SpectrogramEmbed,
    TubeletEmbed,
    gather_tokens,
    run_block,
    scatter_tokens,
    sine_positions,
)
from hicmae_mm.models.layers.blocks import DropPath
from hicmae_mm.models.layers.patchify import patchify, token_grid
from hicmae_mm.models.targets.layout import channels_first, channels_last, unpatchify
from hicmae_mm.structures import TokenMask
from tests.models.operations import Operations


def naive_attention(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, heads: int) -> torch.Tensor:
    out = torch.empty(q.shape[0], q.shape[1], q.shape[2])
    width = q.shape[-1] // heads
    for b in range(q.shape[0]):
        for h in range(heads):
            part = slice(h * width, (h + 1) * width)
            for i in range(q.shape[1]):
                weights = torch.stack([q[b, i, part] @ k[b, j, part] / math.sqrt(width) for j in range(k.shape[1])])
                out[b, i, part] = weights.softmax(0) @ v[b, :, part]
    return out


def test_self_attention_equals_a_loop_and_biases_only_queries_and_values() -> None:
    torch.manual_seed(0)
    attention, x = SelfAttention(8, 2), torch.randn(2, 5, 8)
    nn.init.normal_(attention.q_bias)
    nn.init.normal_(attention.v_bias)
    q, k, v = (x @ attention.qkv.weight.T).chunk(3, dim=-1)
    expected = attention.proj(naive_attention(q + attention.q_bias, k, v + attention.v_bias, 2))
    torch.testing.assert_close(attention(x), expected)


def test_cross_attention_equals_a_loop() -> None:
    torch.manual_seed(0)
    attention, x, context = CrossAttention(8, 4), torch.randn(2, 3, 8), torch.randn(2, 6, 8)
    nn.init.normal_(attention.q_bias)
    nn.init.normal_(attention.v_bias)
    k, v = (context @ attention.kv.weight.T).chunk(2, dim=-1)
    q = x @ attention.q.weight.T + attention.q_bias
    torch.testing.assert_close(attention(x, context), attention.proj(naive_attention(q, k, v + attention.v_bias, 4)))


@pytest.mark.parametrize('attention', [SelfAttention, CrossAttention])
def test_heads_must_divide_the_width(attention: type[nn.Module]) -> None:
    with pytest.raises(ValueError, match='embed_dims=10 is not a multiple of num_heads=4'):
        attention(10, 4)


def test_blocks_ignore_padding() -> None:
    torch.manual_seed(0)
    block, cross = Block(8, 2), CrossBlock(8, 2)
    x, context = torch.randn(1, 3, 8), torch.randn(1, 4, 8)
    padded_x, padded_context = torch.cat([x, torch.randn(1, 2, 8)], 1), torch.cat([context, torch.randn(1, 1, 8)], 1)
    pad_x, pad_context = torch.arange(5)[None] >= 3, torch.arange(5)[None] >= 4
    torch.testing.assert_close(block(padded_x, pad_x)[:, :3], block(x))
    torch.testing.assert_close(cross(padded_x, padded_context, pad_x, pad_context)[:, :3], cross(x, context))


def test_sine_positions_by_hand() -> None:
    table = sine_positions(3, 4)
    assert table.shape == (1, 3, 4)
    expected = [math.sin(2), math.cos(2), math.sin(2 / 100), math.cos(2 / 100)]
    torch.testing.assert_close(table[0, 2], torch.tensor(expected))


def test_token_mask_indices() -> None:
    mask = torch.tensor([[True, False, True, False], [False, True, True, False]])
    indexed = TokenMask.from_bool(mask)
    assert indexed.visible.tolist() == [[1, 3], [0, 3]]
    assert indexed.masked.tolist() == [[0, 2], [1, 2]]


@pytest.mark.parametrize(
    ('mask', 'message'),
    [
        (torch.ones(2, 4, dtype=torch.bool), 'leaves no visible token of 4'),
        (torch.zeros(2, 4, dtype=torch.bool), 'hides none of 4 tokens'),
        (torch.tensor([[True, False], [False, False]]), r'same number of tokens, got \[0, 1\]'),
        (torch.ones(2, 4), r'boolean mask \(B, N\)'),
    ],
)
def test_token_mask_rejects(mask: torch.Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TokenMask.from_bool(mask)


def test_gather_and_scatter_are_inverse() -> None:
    tokens, indices = torch.arange(24.0).reshape(2, 4, 3), torch.tensor([[3, 1], [0, 2]])
    picked = gather_tokens(tokens, indices)
    assert picked[0].tolist() == [[9, 10, 11], [3, 4, 5]]
    torch.testing.assert_close(scatter_tokens(picked, indices, tokens), tokens)


@pytest.mark.parametrize(('size', 'patch'), [((4, 6, 8), (2, 3, 4)), ((6, 4), (3, 2))])
def test_patchify_round_trip_and_selection(size: tuple[int, ...], patch: tuple[int, ...]) -> None:
    x = torch.arange(2.0 * 3 * math.prod(size)).reshape(2, 3, *size)
    patches = patchify(x, patch)
    torch.testing.assert_close(unpatchify(patches, size, patch), x)
    indices = torch.tensor([[3, 0], [1, 2]])
    torch.testing.assert_close(patchify(x, patch, indices), gather_tokens(patches, indices))
    corner = x[(slice(None), slice(None), *(slice(0, p) for p in patch))]
    torch.testing.assert_close(patches[:, 0], corner.flatten(1))
    torch.testing.assert_close(channels_first(channels_last(patches, 3), 3), patches)


def test_token_grid_rejects_a_remainder() -> None:
    with pytest.raises(ValueError, match=r'input size \(16, 100\) is not a multiple of the patch size \(2, 16\)'):
        token_grid((16, 100), (2, 16))


@pytest.mark.parametrize(
    ('embed', 'shape'),
    [(TubeletEmbed(8, image_size=32, num_frames=4), (2, 3, 4, 32, 32)), (SpectrogramEmbed(8, 48, 32), (2, 1, 48, 32))],
)
def test_patch_embedding_equals_its_convolution(embed: nn.Module, shape: tuple[int, ...]) -> None:
    x = torch.randn(shape)
    expected = embed.proj(x).flatten(2).transpose(1, 2)
    torch.testing.assert_close(embed(x), expected, rtol=1e-4, atol=1e-5)
    indices = torch.tensor([[2, 0], [1, 3]])
    torch.testing.assert_close(embed(x, indices), gather_tokens(expected, indices), rtol=1e-4, atol=1e-5)


def test_patches_are_embedded_in_inference_mode() -> None:
    torch.manual_seed(0)
    embed, x = TubeletEmbed(8, image_size=32, num_frames=4), torch.randn(2, 3, 4, 32, 32)
    expected = embed(x).detach()
    with torch.inference_mode():
        torch.testing.assert_close(embed(x.clone()), expected)


def test_patch_embedding_names_the_size_it_wants() -> None:
    with pytest.raises(
        ValueError, match=r'TubeletEmbed is configured for input \(B, 3, 4, 32, 32\), got \(1, 3, 4, 48, 48\)'
    ):
        TubeletEmbed(8, image_size=32, num_frames=4)(torch.zeros(1, 3, 4, 48, 48))


@pytest.mark.parametrize('kind', ['drop', 'attn_drop'])
def test_dropout_is_unbiased_in_training_and_absent_in_evaluation(kind: str) -> None:
    torch.manual_seed(0)
    plain = CrossBlock(8, 2).eval()
    block = CrossBlock(8, 2, **{kind: 0.3})
    block.load_state_dict(plain.state_dict())
    x, context = torch.randn(1, 3, 8), torch.randn(1, 4, 8)
    torch.testing.assert_close(block.eval()(x, context), plain(x, context))
    block.train()
    normed = block.query_norm(x), block.context_norm(context)
    draws = block.cross_attn(*(part.expand(4000, -1, -1) for part in normed))
    assert not torch.equal(draws[0], draws[1])
    torch.testing.assert_close(draws.mean(0), plain.cross_attn(*normed)[0], atol=0.05, rtol=0)
    if kind == 'drop':
        assert float((draws == 0).float().mean()) == pytest.approx(0.3, abs=0.02)


SOFTMAX_KERNELS = ('aten._scaled_dot_product_flash_attention_for_cpu.default', 'aten._safe_softmax.default')


@pytest.mark.parametrize(('attn_drop', 'runs'), [(0.0, 1), (0.3, 2)])
def test_recomputed_blocks_keep_what_attention_puts_out(attn_drop: float, runs: int) -> None:
    """Unless it is random: numbers that are not drawn again would shift those of the dropout that follows."""
    torch.manual_seed(0)
    block = Block(8, 2, drop_path=0.5, drop=0.2, attn_drop=attn_drop)
    block.train()
    x, gradients, counts = torch.randn(4, 6, 8), [], []
    for recompute in (False, True):
        torch.manual_seed(1)
        with Operations() as operations:
            run_block(block, x, recompute=recompute).square().sum().backward()
        counts.append(sum(name in SOFTMAX_KERNELS for name in operations.names))
        gradients.append([parameter.grad.clone() for parameter in block.parameters()])
        block.zero_grad()
    assert counts == [1, runs]
    for stored, recomputed in zip(*gradients):
        torch.testing.assert_close(recomputed, stored, rtol=0, atol=0)


@pytest.mark.parametrize(('num_context', 'runs'), [(3, 3), (6, 2)])  # of two attentions, one of them to the context
def test_attention_to_few_tokens_is_recomputed_too(num_context: int, runs: int) -> None:
    torch.manual_seed(0)
    block = CrossBlock(8, 2).train()
    with Operations() as operations:
        run_block(block, torch.randn(4, 6, 8), torch.randn(4, num_context, 8), recompute=True).sum().backward()
    assert sum(name in SOFTMAX_KERNELS for name in operations.names) == runs


@pytest.mark.parametrize('drop_prob', [0.3, 1.0])
def test_drop_path_equals_timms_and_its_kernel_stores_nothing(drop_prob: float) -> None:
    ours, theirs, fast = DropPath(drop_prob), timm.layers.DropPath(drop_prob), DropPath(drop_prob)
    use_cpu_kernels(fast)
    x, results = torch.randn(64, 3, 2, requires_grad=True), []
    for module in (ours, theirs, fast):
        torch.manual_seed(0)
        stored: list[torch.Tensor] = []
        hooks = torch.autograd.graph.saved_tensors_hooks(
            lambda tensor, stored=stored: stored.append(tensor) or tensor, lambda t: t
        )
        with hooks:
            out = module.train()(x)
        results.append([out, *torch.autograd.grad(out.square().sum(), x)])
        assert bool(stored) is (module is not fast)
    for one, other, third in zip(*results):
        assert torch.equal(one, other)
        assert torch.equal(one, third)
    assert torch.equal(ours.eval()(x), x)
