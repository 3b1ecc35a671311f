from __future__ import annotations

import pytest
import torch
from torch import nn

from hicmae_mm.kernels import cross_attention, linear, use_cpu_kernels
from hicmae_mm.models.encoders.region_block import RegionBlock
from hicmae_mm.models.layers import CrossAttention
from tests.models.operations import Operations


@pytest.fixture(autouse=True)
def _any_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(linear, 'HAS_ONEDNN', True)
    monkeypatch.setattr(linear, 'MIN_ROWS', 1)


def randomised(module: nn.Module) -> nn.Module:
    for parameter in module.parameters():
        nn.init.normal_(parameter, std=0.3)
    return module


@pytest.mark.parametrize('qkv_bias', [True, False])
def test_attention_to_few_tokens_equals_the_plain_one_in_outputs_and_gradients(qkv_bias: bool) -> None:
    torch.manual_seed(0)
    attention = randomised(CrossAttention(16, 2, qkv_bias)).double()
    x, context = (torch.randn(3, n, 16, dtype=torch.double, requires_grad=True) for n in (40, 2))
    wanted = [x, context, *attention.parameters()]
    plain = attention(x, context)
    moved = cross_attention.cross_attention(attention, x, context)
    torch.testing.assert_close(moved, plain)
    probe = torch.randn_like(plain)
    for one, other in zip(torch.autograd.grad(plain, wanted, probe), torch.autograd.grad(moved, wanted, probe)):
        torch.testing.assert_close(other, one)


@pytest.mark.parametrize(('num_tokens', 'num_context', 'moves'), [(40, 2, True), (40, 8, False), (2, 4, False)])
def test_projections_move_only_where_that_saves_products(num_tokens: int, num_context: int, moves: bool) -> None:
    attention = CrossAttention(16, 2)
    use_cpu_kernels(attention)
    with torch.no_grad(), Operations() as operations:
        attention(torch.randn(1, num_tokens, 16), torch.randn(1, num_context, 16))
    assert ('_softmax' in ' '.join(operations.names)) is moves


def test_padding_and_replaced_layers_are_computed_by_the_plain_method() -> None:
    torch.manual_seed(0)
    attention = randomised(CrossAttention(16, 2)).eval()
    x, context = torch.randn(2, 40, 16), torch.randn(2, 3, 16)
    padding = torch.tensor([[False, False, True], [False, False, False]])
    expected = attention(x, context, padding)
    use_cpu_kernels(attention)
    torch.testing.assert_close(attention(x, context, padding), expected)
    attention.q = nn.Sequential(attention.q, nn.Identity())
    attention.q[1].register_forward_hook(lambda module, inputs, output: output * 0)
    attention.q_bias = None
    uniform = attention.attend(torch.zeros(2, 2, 40, 8), *attention.heads('kv', context))
    torch.testing.assert_close(attention(x, context), uniform)


def test_a_region_block_equals_the_plain_one() -> None:
    torch.manual_seed(0)
    block = randomised(RegionBlock(16, 2, drop_path=0.5)).train()
    x = torch.randn(4, 2, 11, 16)
    results = []
    for _ in range(2):
        torch.manual_seed(1)
        results.append(block(x))
        use_cpu_kernels(block)
    torch.testing.assert_close(results[1], results[0], rtol=1e-4, atol=1e-5)
