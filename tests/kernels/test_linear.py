from __future__ import annotations

from functools import partial

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hicmae_mm.kernels import linear as module
from hicmae_mm.kernels import use_cpu_kernels
from hicmae_mm.kernels.linear import HAS_ONEDNN, MIN_ROWS, dropout, gelu, linear, remember
from hicmae_mm.models.layers import Mlp
from tests.models.operations import Operations

LARGE, SMALL = (MIN_ROWS, 512, 1024), (6, 5, 4)  # rows, in, out: above and below what oneDNN is used for


def gelu_linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    return linear(gelu(nn.GELU(), x), weight, bias)


def layer_norm(embed_dims: int) -> nn.LayerNorm:
    norm = nn.LayerNorm(embed_dims, eps=1e-6)
    use_cpu_kernels(norm)
    return norm


def operands(size: tuple[int, int, int], dtype: torch.dtype = torch.float32) -> list[Tensor]:
    rows, inner, outer = size
    torch.manual_seed(0)
    shapes = ((2, rows // 2, inner), (outer, inner), (outer,))
    return [torch.randn(shape, dtype=dtype).requires_grad_() for shape in shapes]


@pytest.mark.parametrize('size', [LARGE, SMALL])
@pytest.mark.parametrize('has_bias', [True, False])
@pytest.mark.parametrize(
    ('fast', 'plain'), [(linear, F.linear), (gelu_linear, lambda x, w, b: F.linear(F.gelu(x), w, b))]
)
def test_values_and_gradients_are_those_of_the_plain_operations(size, has_bias, fast, plain) -> None:
    x, weight, bias = operands(size)
    wanted = [x, weight, *([bias] if has_bias else [])]
    results = []
    for function in (fast, plain):
        out = function(x, weight, bias if has_bias else None)
        results.append([out, *torch.autograd.grad(out.square().sum(), wanted)])
    for ours, theirs in zip(*results):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5 * float(theirs.detach().abs().max()))


@pytest.mark.parametrize('function', [linear, gelu_linear])
def test_gradients_by_differences(function) -> None:
    assert torch.autograd.gradcheck(function, operands(SMALL, torch.float64))


@pytest.mark.parametrize('frozen', ['x', 'weight', 'bias'])
@pytest.mark.parametrize('function', [linear, gelu_linear])
def test_frozen_operands_get_no_gradient(function, frozen: str) -> None:
    named = dict(zip(('x', 'weight', 'bias'), operands(LARGE)))
    named[frozen].requires_grad_(False)
    function(**named).sum().backward()
    assert {name for name, tensor in named.items() if tensor.grad is None} == {frozen}


@pytest.mark.parametrize('size', [SMALL, LARGE])
def test_a_frozen_weight_needs_no_input(size: tuple[int, int, int]) -> None:
    x, weight, bias = operands(size)
    stored: list[int] = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: stored.append(t.numel()) or t, lambda t: t):
        linear(x, weight.detach(), bias)
    assert stored == [weight.numel()]


@pytest.mark.skipif(not HAS_ONEDNN, reason='torch has no oneDNN for this processor')
@pytest.mark.parametrize('is_training', [True, False])
def test_onednn_takes_large_products_only(is_training: bool) -> None:
    for size in (LARGE, SMALL):
        x, weight, bias = operands(size)
        with torch.set_grad_enabled(is_training), Operations() as operations:
            linear(x, weight, bias)
        assert operations.uses_onednn is (size == LARGE)


def test_autocast_and_other_types_take_the_usual_way() -> None:
    x, weight, bias = operands(LARGE)
    with torch.no_grad(), Operations() as operations:
        with torch.autocast('cpu', torch.bfloat16):
            assert linear(x, weight, bias).dtype == torch.bfloat16
        assert linear(x.double(), weight.double(), bias.double()).dtype == torch.float64
    assert not operations.uses_onednn


def test_autocast_casts_what_gelu_linear_gets_and_gradients_stay_float32() -> None:
    x, weight, bias = operands(SMALL)
    with torch.autocast('cpu', torch.bfloat16):
        out = gelu_linear(x, weight, bias)
    assert out.dtype == torch.bfloat16
    out.sum().backward()
    assert {tensor.grad.dtype for tensor in (x, weight, bias)} == {torch.float32}
    torch.testing.assert_close(out.float(), F.linear(F.gelu(x), weight, bias), rtol=0.05, atol=0.05)


def stored_by(function) -> list[Tensor]:
    """What a function keeps for its backward pass."""
    stored: list[Tensor] = []
    with torch.autograd.graph.saved_tensors_hooks(
        lambda tensor: stored.append(tensor) or tensor, lambda tensor: tensor
    ):
        function()
    return stored


def test_gelu_is_not_stored() -> None:
    x, weight, bias = operands(SMALL)
    stored = stored_by(lambda: gelu_linear(x, weight, bias))
    assert {tensor.untyped_storage().data_ptr() for tensor in stored} == {x.data_ptr(), weight.data_ptr()}


@pytest.mark.parametrize('size', [LARGE, SMALL])
def test_a_norm_before_a_linear_layer_changes_neither_values_nor_gradients(size) -> None:
    x, weight, bias = operands(size)
    torch.manual_seed(1)
    norm = layer_norm(size[1])
    nn.init.normal_(norm.weight)
    nn.init.normal_(norm.bias)
    wanted, results = [x, weight, bias, norm.weight, norm.bias], []
    for function in (lambda: linear(norm(x), weight, bias), lambda: F.linear(norm(x), weight, bias)):
        out = function()
        results.append([out, *torch.autograd.grad(out.square().sum(), wanted)])
    for ours, theirs in zip(*results):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5 * float(theirs.detach().abs().max()))


@pytest.mark.skipif(not HAS_ONEDNN, reason='torch has no oneDNN for this processor')
def test_the_result_of_a_norm_is_not_stored() -> None:
    x, weight, bias = operands(LARGE)
    norm = layer_norm(LARGE[1])
    large = [tensor for tensor in stored_by(lambda: linear(norm(x), weight, bias)) if tensor.shape == x.shape]
    assert {tensor.untyped_storage().data_ptr() for tensor in large} == {x.untyped_storage().data_ptr()}


def test_a_result_that_was_changed_in_place_is_not_taken_for_that_of_the_norm() -> None:
    x, weight, bias = operands(LARGE)
    norm, gradients = layer_norm(LARGE[1]), []
    for function in (linear, F.linear):
        shifted = norm(x).mul_(3)
        gradients += torch.autograd.grad(function(shifted, weight, bias).square().sum(), weight)
    torch.testing.assert_close(*gradients, rtol=1e-4, atol=1e-5 * float(gradients[1].abs().max()))


@pytest.mark.skipif(not HAS_ONEDNN, reason='torch has no oneDNN for this processor')
def test_what_is_made_again_is_not_stored_and_gives_the_same_gradients() -> None:
    x, weight, bias = operands(LARGE)
    source, made = x.detach(), x.detach() * 2 + 1
    remember(made, lambda source: source * 2 + 1, source)
    gradients = torch.autograd.grad(linear(made, weight, bias).square().sum(), (weight, bias))
    expected = torch.autograd.grad(F.linear(source * 2 + 1, weight, bias).square().sum(), (weight, bias))
    for ours, theirs in zip(gradients, expected):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5 * float(theirs.abs().max()))
    stored = {tensor.untyped_storage().data_ptr() for tensor in stored_by(lambda: linear(made, weight, bias))}
    assert source.untyped_storage().data_ptr() in stored
    assert made.untyped_storage().data_ptr() not in stored


@pytest.mark.parametrize('frozen', ['norm', 'weight'])
def test_a_frozen_part_beside_a_norm_gets_no_gradient(frozen: str) -> None:
    x, weight, bias = operands(LARGE)
    norm = layer_norm(LARGE[1])
    norm.requires_grad_(frozen != 'norm')
    weight.requires_grad_(frozen != 'weight')
    linear(norm(x), weight, bias).sum().backward()
    assert (norm.weight.grad is None) is (frozen == 'norm')
    assert (weight.grad is None) is (frozen == 'weight')
    assert x.grad is not None
    assert bias.grad is not None


@pytest.mark.parametrize('changed', ['x', 'source'])
def test_a_change_in_place_makes_a_note_void(changed: str) -> None:
    _, weight, bias = operands(LARGE)
    source = torch.randn(2, MIN_ROWS // 2, LARGE[1])
    made = remember(source * 2, lambda source: source * 2, source)
    (made if changed == 'x' else source).add_(1)
    gradients = [torch.autograd.grad(f(made, weight, bias).square().sum(), weight)[0] for f in (linear, F.linear)]
    torch.testing.assert_close(*gradients, rtol=1e-4, atol=1e-5 * float(gradients[1].abs().max()))


@pytest.mark.parametrize('size', [LARGE, SMALL])
def test_dropout_draws_the_usual_numbers_and_a_linear_layer_needs_its_mask_only(size: tuple[int, int, int]) -> None:
    x, weight, bias = operands(size)
    drop, norm = nn.Dropout(0.3), layer_norm(size[1])
    wanted, results = [x, weight, bias, norm.weight], []
    for function, product in ((partial(dropout, drop), linear), (drop, F.linear)):
        torch.manual_seed(1)
        out = product(function(gelu(nn.GELU(), norm(x))), weight, bias)
        results.append([out, torch.rand(1), *torch.autograd.grad(out.square().sum(), wanted)])
    for ours, theirs in zip(*results):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5 * float(theirs.detach().abs().max()))
    normed = norm(x)
    stored = stored_by(lambda: linear(dropout(drop, gelu(nn.GELU(), normed)), weight, bias))
    large = {(t.dtype, t.untyped_storage().data_ptr()) for t in stored if t.shape == x.shape}
    mask = {pointer for dtype, pointer in large if dtype == torch.bool}
    assert len(mask) == 1
    assert {pointer for _, pointer in large} == mask | {normed.untyped_storage().data_ptr()}
    assert dropout(drop.eval(), x) is x


def test_per_sample_gradients_of_functorch() -> None:
    torch.manual_seed(0)
    mlp, x = Mlp(8, 32), torch.randn(4, 6, 8)
    use_cpu_kernels(mlp)

    def loss(parameters: dict[str, Tensor], x: Tensor) -> Tensor:
        return torch.func.functional_call(mlp, parameters, (x,)).square().sum()

    parameters = dict(mlp.named_parameters())
    total = torch.func.grad(loss)(parameters, x)
    singly = torch.func.vmap(torch.func.grad(loss), (None, 0))(parameters, x)
    for name, gradient in total.items():
        torch.testing.assert_close(singly[name].sum(0), gradient, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize('kind', [nn.Conv2d, nn.Conv3d])
@pytest.mark.parametrize('stride', [4, 2])  # of patches, and of windows that overlap, which stay a convolution
def test_convolutions_of_patches_are_products(kind: type[nn.Conv2d | nn.Conv3d], stride: int) -> None:
    torch.manual_seed(0)
    conv = kind(3, 128, kernel_size=4, stride=stride)
    size = (128, 128) if kind is nn.Conv2d else (16, 64, 64)
    x, results = torch.randn(2, 3, *size), []
    for _ in range(2):
        conv.zero_grad()
        with Operations() as operations:
            out = conv(x)
        out.square().sum().backward()
        results.append([out.detach(), conv.weight.grad, conv.bias.grad])
        use_cpu_kernels(conv)
    assert ('aten.convolution.default' in operations.names) is (stride == 2)
    for plain, fast in zip(*results):
        torch.testing.assert_close(fast, plain, rtol=1e-4, atol=1e-5 * float(plain.abs().max()))


def test_without_onednn_nothing_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    x, weight, bias = operands(LARGE)
    fast = linear(x, weight, bias)
    monkeypatch.setattr(module, 'HAS_ONEDNN', False)
    assert torch.equal(linear(x, weight, bias), F.linear(x, weight, bias))
    torch.testing.assert_close(fast, F.linear(x, weight, bias), rtol=1e-4, atol=1e-4)
