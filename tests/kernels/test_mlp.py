from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from hicmae_mm.kernels import mlp as module
from hicmae_mm.kernels import use_cpu_kernels
from hicmae_mm.kernels.linear import HAS_ONEDNN
from hicmae_mm.models.layers import Mlp, run_block
from tests.models.operations import Operations


def test_mlp_is_two_layers_with_gelu_in_evaluation_and_training() -> None:
    torch.manual_seed(0)
    mlp, x = Mlp(64, 1024), torch.randn(2, 1024, 64)
    use_cpu_kernels(mlp)
    plain = nn.Sequential(nn.Linear(64, 1024), nn.GELU(), nn.Linear(1024, 64))
    plain[0].load_state_dict(mlp.fc1.state_dict())
    plain[2].load_state_dict(mlp.fc2.state_dict())
    torch.testing.assert_close(mlp(x), plain(x), rtol=1e-4, atol=1e-6)
    with torch.no_grad():
        torch.testing.assert_close(mlp(x), plain(x), rtol=1e-4, atol=1e-6)


class NormedMlp(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm, self.mlp = nn.LayerNorm(64, 1e-6), Mlp(64, 512)
        use_cpu_kernels(self)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.mlp(self.norm(x))


def gradients(model: nn.Module, x: Tensor, recompute: bool) -> list[Tensor | None]:
    model.zero_grad()
    x.grad = None
    out = run_block(model, x, recompute=recompute)
    out.square().sum().backward()
    return [out.detach(), x.grad, *(parameter.grad for parameter in model.parameters())]


@pytest.mark.parametrize('frozen', ['', 'norm', 'mlp.fc1', 'mlp.fc1.weight', 'mlp.fc2', 'mlp.fc2.bias', 'mlp', 'x'])
@pytest.mark.parametrize('rows', [4, 300])  # one piece, and on a CPU several of unequal size
def test_recomputed_gradients_equal_stored_ones(monkeypatch: pytest.MonkeyPatch, frozen: str, rows: int) -> None:
    monkeypatch.setattr(module, 'PIECE_BYTES', 512 * 4 * 128)
    torch.manual_seed(0)
    model, x = NormedMlp().train(), torch.randn(2, rows, 64).requires_grad_(frozen != 'x')
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(not (frozen and name.startswith(frozen)))
    for ours, theirs in zip(gradients(model, x, True), gradients(model, x, False), strict=True):
        assert (ours is None) is (theirs is None)
        if ours is not None:
            torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5 * float(theirs.abs().max()))


def test_recomputed_under_autocast_gives_float32_gradients() -> None:
    torch.manual_seed(0)
    model, x = NormedMlp().train(), torch.randn(2, 64, 64)
    with torch.autocast('cpu', torch.bfloat16):
        ours, theirs = gradients(model, x, True), gradients(model, x, False)
    for one, other in zip(ours[2:], theirs[2:]):
        assert one.dtype == torch.float32
        torch.testing.assert_close(one, other, rtol=0.05, atol=0.05 * float(other.abs().max()))


@pytest.mark.skipif(not HAS_ONEDNN, reason='torch has no oneDNN for this processor')
def test_the_hidden_layer_exists_in_pieces_and_its_products_are_recomputed_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pieces = 4
    monkeypatch.setattr(module, 'PIECE_BYTES', 2 * 4096 * 512 * 4 // pieces)
    model, x = NormedMlp().train(), torch.randn(2, 4096, 64, requires_grad=True)
    with Operations() as forward:
        out = run_block(model, x, recompute=True)
    with Operations() as backward:
        out.sum().backward()
    assert [sum('_linear_pointwise' in name for name in run.names) for run in (forward, backward)] == [
        2 * pieces,  # both layers
        3 * pieces,  # the hidden layer again, then its gradient and that of x; nothing for the result
    ]
