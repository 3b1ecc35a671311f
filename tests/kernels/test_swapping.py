from __future__ import annotations

import copy
import pickle
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from hicmae_mm.kernels import linear, remove_cpu_kernels, swapping, use_cpu_kernels
from hicmae_mm.kernels.linear import HAS_ONEDNN
from hicmae_mm.models.layers import Block, CrossBlock, Mlp, SelfAttention, run_block
from tests.models import tiny
from tests.models.operations import Operations


@pytest.fixture(autouse=True)
def _any_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(linear, 'MIN_ROWS', 1)
    monkeypatch.setattr(linear, 'MIN_MACS', 1)


def with_kernels(model: nn.Module) -> nn.Module:
    use_cpu_kernels(model)
    return model


def swapped(model: nn.Module) -> set[str]:
    """Names of methods that kernels have taken the place of."""
    names = {
        f'{name}.{key}' for name, part in model.named_modules() for key in ('forward', 'heads') if key in vars(part)
    }
    return {name.removeprefix('.') for name in names}


@pytest.mark.parametrize('config', [tiny.pretrainer_config(), tiny.pretrainer_config(checkpoint_activations=True)])
def test_losses_and_gradients_are_those_of_the_plain_model(config: dict) -> None:
    models = [tiny.build(config).train(), with_kernels(tiny.build(config).train())]
    losses = [model(tiny.inputs(), masks=tiny.masks(), mode='loss') for model in models]
    for name, value in losses[0].items():
        torch.testing.assert_close(losses[1][name], value, rtol=1e-5, atol=1e-6)
    for values in losses:
        sum(values.values()).backward()
    for (name, one), other in zip(models[0].named_parameters(), models[1].parameters()):
        torch.testing.assert_close(other.grad, one.grad, rtol=1e-3, atol=1e-6, msg=lambda text, name=name: name + text)


@pytest.mark.skipif(not HAS_ONEDNN, reason='torch has no oneDNN for this processor')
def test_kernels_are_used_until_they_are_removed() -> None:
    block, x, used = Block(8, 2), torch.randn(2, 3, 8), []
    for change in (lambda block: None, use_cpu_kernels, use_cpu_kernels, remove_cpu_kernels):
        change(block)
        with torch.no_grad(), Operations() as operations:
            block(x)
        used.append(operations.uses_onednn)
    assert used == [False, True, True, False]
    assert not swapped(block)


def test_names_of_parameters_and_the_order_of_random_numbers_stay() -> None:
    plain, fast = (
        Block(8, 2, drop_path=0.5, drop=0.2, attn_drop=0.3),
        Block(8, 2, drop_path=0.5, drop=0.2, attn_drop=0.3),
    )
    fast.load_state_dict(plain.state_dict())
    use_cpu_kernels(fast)
    assert list(fast.state_dict()) == list(plain.state_dict())
    assert [name for name, _ in fast.named_parameters()] == [name for name, _ in plain.named_parameters()]
    x, results = torch.randn(4, 6, 8), []
    for block in (plain, fast):
        torch.manual_seed(1)
        results.append((block(x), torch.rand(3)))
    torch.testing.assert_close(results[1], results[0])


@pytest.mark.parametrize('copied', [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
def test_a_copy_computes_with_its_own_parameters(copied: Callable[[nn.Module], nn.Module]) -> None:
    block, x = with_kernels(Block(8, 2)), torch.randn(2, 3, 8)
    twin = copied(block)
    assert swapped(twin) == swapped(block) != set()
    torch.testing.assert_close(twin(x), block(x))
    for parameter in block.parameters():
        nn.init.zeros_(parameter)
    assert torch.equal(block(x), x)
    assert not torch.equal(twin(x), x)
    torch.testing.assert_close(twin(x), copied(twin)(x))


def logged_by(monkeypatch: pytest.MonkeyPatch, model: nn.Module) -> list[str]:
    lines: list[str] = []
    monkeypatch.setattr(swapping, 'print_log', lambda line, logger: lines.append(line))
    use_cpu_kernels(model)
    return lines


def test_changed_modules_keep_their_plain_method_and_one_line_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    blocks = nn.Sequential(Block(8, 2), Block(8, 2), Block(8, 2))
    blocks[0].attn.qkv = nn.Identity()
    blocks[1].mlp.fc1.register_forward_hook(lambda *call: None)
    blocks[2].norm1.forward = lambda x: x
    (line,) = logged_by(monkeypatch, blocks)
    assert line == (
        'Without CPU kernels, since they were changed: 0.attn (qkv is another Identity), 1.mlp (fc1 has hooks), '
        '2.norm1 (another forward)'
    )
    assert {'0.mlp.forward', '1.attn.heads', '1.mlp.fc1.forward', '2.mlp.forward'} <= swapped(blocks)
    assert not {'0.attn.heads', '1.mlp.forward'} & swapped(blocks)
    assert not logged_by(monkeypatch, nn.Sequential(Block(8, 2), CrossBlock(8, 2)))


class Negative(Mlp):
    def forward(self, x: Tensor) -> Tensor:
        return -super().forward(x)


def test_subclasses_with_a_forward_of_their_own_keep_it() -> None:
    mlp, x = with_kernels(Negative(8, 16)), torch.randn(2, 3, 8)
    assert swapped(mlp) == {'fc1.forward', 'fc2.forward', 'act.forward', 'drop.forward'}
    torch.testing.assert_close(mlp(x), -mlp.fc2(nn.functional.gelu(mlp.fc1(x))))


@pytest.mark.parametrize('is_training', [True, False])
@pytest.mark.parametrize('recompute', [True, False])
@pytest.mark.parametrize(
    ('name', 'layer'),
    [
        ('mlp.act', nn.GELU(approximate='tanh')),
        ('mlp.act', nn.ReLU()),
        ('mlp.fc1', nn.Linear(8, 32, bias=False)),
        ('mlp.fc2', nn.Linear(32, 8, bias=False)),
        ('attn.qkv', nn.Linear(8, 24, bias=True)),
    ],
)
def test_layers_of_other_settings_are_computed_through(
    name: str, layer: nn.Module, is_training: bool, recompute: bool
) -> None:
    torch.manual_seed(0)
    block, x = Block(8, 2, mlp_ratio=4).train(is_training), torch.randn(2, 3, 8, requires_grad=True)
    block.set_submodule(name, layer)
    expected = run_block(block, x, recompute=recompute)
    use_cpu_kernels(block)
    with torch.set_grad_enabled(is_training):
        torch.testing.assert_close(run_block(block, x, recompute=recompute and is_training), expected)


def test_hooks_on_all_modules_see_every_layer() -> None:
    block, seen = with_kernels(Block(8, 2)), []
    with nn.modules.module.register_module_forward_hook(lambda module, *call: seen.append(module)), torch.no_grad():
        block(torch.randn(2, 3, 8))
    assert {id(part) for part in block.modules()} == {id(part) for part in seen}


def test_double_precision_autocast_and_inference_mode() -> None:
    torch.manual_seed(0)
    block = Block(8, 2).eval()
    x = torch.randn(2, 3, 8)
    with torch.autocast('cpu', torch.bfloat16):
        expected = block(x)
    use_cpu_kernels(block)
    with torch.autocast('cpu', torch.bfloat16):
        torch.testing.assert_close(block(x), expected, rtol=0.02, atol=0.02)
        block(x).sum().backward()
    assert {parameter.grad.dtype for parameter in block.parameters()} == {torch.float32}
    with torch.inference_mode():
        torch.testing.assert_close(block(x.clone()), block(x), rtol=1e-5, atol=1e-6)
    doubled = block.double()
    assert torch.autograd.gradcheck(doubled, x.double().requires_grad_())


def test_compiled_and_exported_blocks_are_one_graph_of_plain_operations() -> None:
    torch.manual_seed(0)
    for block in (with_kernels(Block(64, 2)), with_kernels(CrossBlock(64, 2))):
        given = [torch.randn(2, 16, 64)] * (2 if isinstance(block, CrossBlock) else 1)
        expected = block(*given)
        torch._dynamo.reset()
        compiled = torch.compile(block, backend='aot_eager', fullgraph=True)
        torch.testing.assert_close(compiled(*given), expected, rtol=1e-4, atol=1e-5)
        program = torch.export.export(block, tuple(given))
        assert not [node for node in program.graph.nodes if 'mkldnn' in str(node.target)]
        torch.testing.assert_close(program.module()(*given), expected, rtol=1e-4, atol=1e-5)
    torch._dynamo.reset()


def test_attention_takes_named_arguments() -> None:
    attention, x = with_kernels(SelfAttention(8, 2)), torch.randn(2, 3, 8)
    padding = torch.tensor([[False, False, True], [True, True, True]])
    assert not attention(x=x, padding_mask=padding)[1].any()
