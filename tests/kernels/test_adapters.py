"""Layers put in place of linear ones are computed through, with kernels, in every mode."""

from __future__ import annotations

import copy
import dataclasses
from typing import Any

import pytest
import torch
from mmengine.runner import set_random_seed
from torch import Tensor, nn

from hicmae_mm.kernels import linear, remove_cpu_kernels, use_cpu_kernels
from hicmae_mm.models.layers import Block, CrossAttention, CrossBlock, Mlp, SelfAttention, run_block
from hicmae_mm.registry import MODELS
from tests.component_cases import MODEL_CASES, batch_of, with_component
from tests.models.operations import Operations

pytestmark = pytest.mark.usefixtures('hicmae_scope')
MODES = ('train', 'recompute', 'eval', 'compile', 'export')


@pytest.fixture(autouse=True)
def _any_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(linear, 'MIN_ROWS', 1)
    monkeypatch.setattr(linear, 'MIN_MACS', 1)


class LowRank(nn.Module):
    """A linear layer plus a product of two small ones."""

    def __init__(self, base: nn.Linear) -> None:
        super().__init__()
        self.base = base
        self.down = nn.Linear(base.in_features, 2, bias=False)
        self.up = nn.Linear(2, base.out_features, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.base(x) + self.up(self.down(x))

    @property
    def merged_weight(self) -> Tensor:
        return self.base.weight + self.up.weight @ self.down.weight


def linears(model: nn.Module) -> list[str]:
    return [name for name, part in model.named_modules() if isinstance(part, nn.Linear)]


def adapted(model: nn.Module, names: list[str]) -> tuple[nn.Module, nn.Module]:
    """The model with adapters, and a plain one that must give the same: their products are in its weights."""
    merged = copy.deepcopy(model)
    remove_cpu_kernels(merged)
    for name in names:
        adapter = LowRank(model.get_submodule(name))
        model.set_submodule(name, adapter)
        merged.get_submodule(name).weight.data = adapter.merged_weight.detach().clone()
    return model, merged


@pytest.mark.parametrize('recompute', [False, True])
@pytest.mark.parametrize('component', MODEL_CASES)
def test_every_component_computes_through_every_adapter(component: str, recompute: bool) -> None:
    case = MODEL_CASES[component]
    torch.manual_seed(0)
    model = MODELS.build(with_component(case.base, case.slot, component, case.options))
    for part in model.modules():
        if recompute and hasattr(part, 'checkpoint_activations'):
            part.checkpoint_activations = True
    use_cpu_kernels(model)
    names = linears(model)
    model, merged = adapted(model, names)
    batch = batch_of(model)
    losses, predictions = [], []
    for one in (model, merged):
        set_random_seed(1)
        losses.append(one.train()(**one.data_preprocessor(copy.deepcopy(batch), training=True), mode='loss'))
        sum(value for key, value in losses[-1].items() if 'loss' in key).backward()
        with torch.no_grad():
            prepared = one.eval().data_preprocessor(copy.deepcopy(batch), training=False)
            predictions.append(one(prepared['inputs'], **only_masks(prepared), mode='tensor'))
    assert_close(losses[0], losses[1])
    assert_close(predictions[0], predictions[1])
    for name in names:
        expected = merged.get_submodule(name).weight.grad
        torch.testing.assert_close(model.get_submodule(name).base.weight.grad, expected, rtol=1e-2, atol=1e-4)


def layers_of(model: nn.Module) -> dict[type, str]:
    """The first module of every kind that computes with linear layers of its own, by name."""
    found: dict[type, str] = {}
    for name in linears(model):
        holder = name.rpartition('.')[0]
        while isinstance(model.get_submodule(holder), (nn.ModuleDict, nn.ModuleList)):
            holder = holder.rpartition('.')[0]
        found.setdefault(type(model.get_submodule(holder)), holder)
    return found


def inputs_of(model: nn.Module, names: list[str]) -> dict[str, tuple[tuple[Any, ...], dict[str, Any]]]:
    """What the named modules get when the model predicts."""
    seen: dict[str, tuple[tuple[Any, ...], dict[str, Any]]] = {}
    for name in names:
        model.get_submodule(name).register_forward_pre_hook(
            lambda _, given, named, name=name: seen.setdefault(name, (given, named)) and None, with_kwargs=True
        )
    prepared = model.data_preprocessor(batch_of(model), training=False)
    model(prepared['inputs'], mode='tensor', **only_masks(prepared))
    return seen


def tensors_of(value: Any) -> list[Tensor]:
    """All tensors in containers and data classes."""
    if isinstance(value, Tensor):
        return [value]
    parts = vars(value) if dataclasses.is_dataclass(value) else value
    parts = parts.values() if isinstance(parts, dict) else parts if isinstance(parts, (list, tuple)) else ()
    return [tensor for part in parts for tensor in tensors_of(part)]


@pytest.mark.slow
@torch.no_grad()
def test_every_kind_of_layer_computes_through_adapters_when_it_is_compiled() -> None:
    every: set[type] = set()
    covered: set[type] = set()
    for component, case in MODEL_CASES.items():
        torch.manual_seed(0)
        model = MODELS.build(with_component(case.base, case.slot, component, case.options)).eval()
        every |= set(layers_of(model))
        layers = {kind: name for kind, name in layers_of(model).items() if kind not in covered}
        seen = inputs_of(copy.deepcopy(model), list(layers.values()))
        use_cpu_kernels(model)
        model, merged = adapted(model, linears(model))
        for kind, name in layers.items():
            if name in seen:
                given, named = seen[name]
                torch._dynamo.reset()
                found = torch.compile(model.get_submodule(name), backend='aot_eager')(*given, **named)
                assert_close(tensors_of(found), tensors_of(merged.get_submodule(name)(*given, **named)))
                covered.add(kind)
    assert {kind.__name__ for kind in every - covered} <= {
        'FeatureAlignment',
        'FeatureRestoration',
    }  # they compute losses
    assert len(covered) > 30
    assert {Mlp, SelfAttention, CrossAttention} <= covered


def only_masks(prepared: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in prepared.items() if key == 'masks'}


def assert_close(ours: Any, theirs: Any) -> None:
    if isinstance(theirs, dict):
        assert ours.keys() == theirs.keys()
        ours, theirs = list(ours.values()), list(theirs.values())
    torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-4)


def run(block: nn.Module, given: tuple[Tensor, ...], mode: str) -> Tensor:
    block.train(mode in ('train', 'recompute'))
    if mode == 'compile':
        torch._dynamo.reset()
        return torch.compile(block, backend='aot_eager', fullgraph=True)(*given)
    if mode == 'export':
        return torch.export.export(block, given).module()(*given)
    with torch.set_grad_enabled(block.training):
        return run_block(block, *given, recompute=mode == 'recompute')


@pytest.mark.parametrize('is_before', [True, False])
@pytest.mark.parametrize('mode', MODES)
@pytest.mark.parametrize('kind', [Block, CrossBlock])
def test_blocks_compute_through_each_adapter_alone(kind: type[Block], mode: str, is_before: bool) -> None:
    """Put in before the kernels or after them; the other layers of the block are plain."""
    torch.manual_seed(0)
    given = tuple(torch.randn(2, 6, 8) for _ in range(1 + (kind is CrossBlock)))
    names = linears(kind(8, 2))
    assert len(names) == (7 if kind is CrossBlock else 4)
    for name in names if mode not in ('compile', 'export') or not is_before else names[:1]:
        block = kind(8, 2)
        if not is_before:
            use_cpu_kernels(block)
        block, merged = adapted(block, [name])
        if is_before:
            use_cpu_kernels(block)
        torch.testing.assert_close(run(block, given, mode), merged(*given), rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize('mode', ['train', 'recompute', 'eval'])
@pytest.mark.parametrize('kind', [Block, CrossBlock])
def test_hooks_on_each_layer_change_its_result(kind: type[Block], mode: str) -> None:
    torch.manual_seed(0)
    given = tuple(torch.randn(2, 6, 8) for _ in range(1 + (kind is CrossBlock)))
    for name in linears(kind(8, 2)):
        block = kind(8, 2)
        merged = copy.deepcopy(block)
        layer = merged.get_submodule(name)
        layer.weight.data *= 3
        if layer.bias is not None:
            layer.bias.data *= 3
        use_cpu_kernels(block)
        block.get_submodule(name).register_forward_hook(lambda module, inputs, out: 3 * out)
        torch.testing.assert_close(run(block, given, mode), merged(*given), rtol=1e-3, atol=1e-5)


@pytest.mark.filterwarnings('ignore:torch.ao.quantization is deprecated')
def test_dynamic_quantisation_reaches_every_linear_layer() -> None:
    torch.manual_seed(0)
    block, x = CrossBlock(64, 2).eval(), torch.randn(2, 6, 64)
    use_cpu_kernels(block)
    quantized = torch.ao.quantization.quantize_dynamic(block, {nn.Linear})
    with torch.no_grad(), Operations() as operations:
        out = quantized(x, x)
        torch.testing.assert_close(out, block(x, x), rtol=0.1, atol=0.1)
    assert sum('quantized.linear_dynamic' in name for name in operations.names) == 7
