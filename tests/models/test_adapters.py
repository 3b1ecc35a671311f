"""Adapters: small trained parts beside layers that are not trained."""

from __future__ import annotations

import re
from collections.abc import Callable
from copy import deepcopy
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from hicmae_mm.checkpoints.loading import load_weights
from hicmae_mm.engine.optimizers import LayerDecayOptimWrapperConstructor
from hicmae_mm.kernels import use_cpu_kernels
from hicmae_mm.kernels.linear import HAS_ONEDNN
from hicmae_mm.models.adapters import LoRA, adapted_layers, has_adapters, is_adapter_weight, merge_adapters
from hicmae_mm.models.layers import Block
from tests.component_cases import MODEL_CASES, batch_of, with_component
from tests.models import tiny
from tests.models.test_models import clips

pytest.importorskip('peft')
ENCODERS = {name: case for name, case in MODEL_CASES.items() if re.fullmatch(r'encoders\.\w+', case.slot)}
NOT_ADAPTED = ('FeatureLSTMEncoder', 'FeatureTCNEncoder')  # an LSTM has no layers, and peft no dilation
LAYERS = r'attn\.(qkv|proj)|mlp\.fc[12]'
LORA = dict(type='LoRA', target='encoders.video', modules=LAYERS, r=2, alpha=8)
BOTTLENECK = dict(type='BottleneckAdapter', target='encoders.audio', modules=r'attn\.proj|mlp\.fc2', hidden_dims=3)


def build(*adapters: dict[str, Any], **options: Any) -> nn.Module:
    return tiny.build(tiny.recognizer_config(adapters=list(adapters), **options))


def randomize(model: nn.Module) -> nn.Module:
    """Gives all adapters an effect."""
    torch.manual_seed(3)
    for name, parameter in model.named_parameters():
        if 'lora_' in name or 'bottleneck' in name:
            nn.init.normal_(parameter, std=0.3)
    return model


@pytest.mark.parametrize('adapter', [LORA, BOTTLENECK], ids=['LoRA', 'bottleneck'])
def test_adapters_change_nothing_at_first(adapter: dict[str, Any]) -> None:
    plain, adapted = build(), build(adapter)
    load_weights(adapted, plain.state_dict(), 'plain')  # a checkpoint that knows no adapters
    adapted.init_weights()
    load_weights(adapted, plain.state_dict(), 'plain')
    expected = plain.eval()(tiny.inputs())
    assert torch.equal(adapted.eval()(tiny.inputs()), expected)
    assert not torch.allclose(randomize(adapted)(tiny.inputs()), expected, atol=1e-3)


def test_checkpoints_hold_layers_by_the_names_of_the_plain_model() -> None:
    plain, adapted = build(), build(LORA, BOTTLENECK)
    names = set(adapted.state_dict())
    assert set(plain.state_dict()) < names
    assert {name for name in names if is_adapter_weight(name)} == names - set(plain.state_dict())
    assert 'encoders.video.blocks.0.attn.qkv.lora_A.weight' in names
    other = build(LORA, BOTTLENECK)
    report = load_weights(other, randomize(adapted).state_dict(), 'adapted', require_all=True)
    assert set(report.loaded) == names
    assert not report.unexpected
    for value, expected in zip(other.parameters(), adapted.parameters()):
        assert torch.equal(value, expected)
    with pytest.raises(ValueError, match=r"'adapted' holds adapters that this model lacks, such as 'encoders\.audio"):
        load_weights(build(LORA), adapted.state_dict(), 'adapted', require_all=True)


def test_weights_of_another_shape_are_reported_by_their_plain_names() -> None:
    state = build().state_dict()
    name = 'encoders.video.blocks.0.attn.qkv.weight'
    state[name] = state[name][:5]
    report = load_weights(build(LORA), state, 'plain')
    assert list(report.mismatched) == [name]
    assert all(is_adapter_weight(missing) for missing in report.missing)


def test_a_step_trains_adapters_and_what_is_not_adapted() -> None:
    model = build(LORA, dict(LORA, target='encoders.audio', modules=r'blocks\.1\.mlp\.fc1'), frozen=('fusion',))
    optimizer = dict(optimizer=dict(type='AdamW', lr=0.1))
    wrapper = LayerDecayOptimWrapperConstructor(optimizer, dict(layer_decay=0.5))(model)
    held = {id(value) for group in wrapper.optimizer.param_groups for value in group['params']}
    before = {name: value.detach().clone() for name, value in model.named_parameters()}
    for _ in range(2):  # B is 0 before the first step, so A has no gradient
        wrapper.update_params(model.train()(tiny.inputs(3), clips(0, 1, 2), mode='loss')['loss'])
    changed = {name for name, value in model.named_parameters() if not torch.equal(value, before[name])}
    assert changed == {name for name, _ in model.named_parameters() if 'lora_' in name or name.startswith('head.')} | {
        name for name, value in model.named_parameters() if name.startswith('aggregator.') and value.requires_grad
    }
    assert held == {id(value) for name, value in model.named_parameters() if name in changed}


def test_an_adapter_has_the_learning_rate_of_its_block() -> None:
    model: Any = build(LORA, BOTTLENECK, dict(LORA, target='fusion', modules='proj'))
    plain: Any = build()
    for name, _ in model.named_parameters():
        layer = name.partition('.base_layer.')[0].partition('.lora_')[0].partition('.bottleneck.')[0]
        weight = name if layer == name else f'{layer}.weight'
        assert model.layer_depth(name) == plain.layer_depth(weight), name
    assert model.layer_depth('encoders.video.blocks.1.mlp.fc2.lora_B.default.weight') == (2, 5)


def test_adapted_parts_stay_in_evaluation_mode_and_adapters_drop() -> None:
    encoders = {name: tiny.encoder_config(name, drop_path_rate=0.5) for name in ('video', 'audio')}
    model: Any = build(dict(LORA, dropout=0.5), encoders=encoders).train()
    layer = model.encoders['video'].blocks[0].attn.qkv
    assert model.encoders['audio'].training
    assert layer.lora_dropout.training
    assert layer.lora_A.training
    assert not model.encoders['video'].training
    assert not layer.base_layer.training
    x = tiny.inputs()['video']
    assert torch.equal(model.encoders['video'](x).tokens, model.encoders['video'](x).tokens)  # B is 0
    randomize(model)
    assert not torch.equal(model.encoders['video'](x).tokens, model.encoders['video'](x).tokens)
    assert not any(part.training for part in model.eval().modules())


def test_merged_layers_are_plain_and_compute_the_same() -> None:
    model: Any = randomize(build(dict(LORA, modules=rf'{LAYERS}|patch_embed\.proj'), BOTTLENECK)).eval()
    expected = model(tiny.inputs())
    merged = merge_adapters(model)
    assert len(merged) == 4 * tiny.DEPTH + 1
    assert type(model.encoders['video'].blocks[0].attn.qkv) is nn.Linear
    torch.testing.assert_close(model(tiny.inputs()), expected, atol=1e-5, rtol=1e-5)
    assert {layer.rpartition('.')[0].split('.')[1] for layer, _ in adapted_layers(model)} == {'audio'}
    plain = build(BOTTLENECK)
    load_weights(plain, model.state_dict(), 'merged', require_all=True)
    torch.testing.assert_close(plain.eval()(tiny.inputs()), expected, atol=1e-5, rtol=1e-5)
    assert merge_adapters(model) == []


@pytest.mark.parametrize('change', [use_cpu_kernels, deepcopy], ids=lambda change: change.__name__)
def test_kernels_and_copies_compute_the_same(change: Callable[[nn.Module], Any]) -> None:
    plain, changed = (randomize(build(LORA, BOTTLENECK)).train() for _ in range(2))
    changed = change(changed) or changed
    for model in (plain, changed):
        model(tiny.inputs(3), clips(0, 1, 2), mode='loss')['loss'].backward()
    for (name, value), other in zip(plain.named_parameters(), changed.parameters()):
        assert (value.grad is None) == (other.grad is None), name
        if value.grad is not None:
            torch.testing.assert_close(value.grad, other.grad, msg=name)
    assert set(changed.state_dict()) == set(plain.state_dict())


def stored_bytes(model: nn.Module, forward: Callable[[], Any]) -> int:
    """What a forward pass of a model keeps for the backward pass beside parameters, and does not compute again."""
    known = {parameter.untyped_storage().data_ptr() for parameter in model.parameters()}
    stored: dict[int, torch.Tensor] = {}
    with torch.autograd.graph.saved_tensors_hooks(
        lambda tensor: stored.setdefault(tensor.untyped_storage().data_ptr(), tensor), lambda tensor: tensor
    ):
        forward()
    return sum(tensor.untyped_storage().nbytes() for pointer, tensor in stored.items() if pointer not in known)


@pytest.mark.skipif(not HAS_ONEDNN, reason='torch has no oneDNN for this processor')
def test_lora_with_dropout_stores_little_more_than_full_training() -> None:
    plain = nn.Sequential(Block(64, 4, mlp_ratio=4))
    adapted = deepcopy(plain)
    LoRA(target='0', modules=LAYERS, r=2, dropout=0.1).add_to(adapted)
    x = torch.randn(2, 512, 64, requires_grad=True)
    for model in (plain, adapted):
        use_cpu_kernels(model)
    stored = {model: stored_bytes(model.train(), partial(model, x)) for model in (plain, adapted)}
    assert stored[adapted] < 1.25 * stored[plain]


@pytest.mark.parametrize('name', [name for name in ENCODERS if name not in NOT_ADAPTED])
def test_every_layer_of_every_encoder_can_be_adapted_and_merged(name: str) -> None:
    case = ENCODERS[name]
    lora = dict(type='LoRA', target=case.slot, modules='.*', r=2, alpha=2)
    model: Any = tiny.build(with_component(case.base, case.slot, name, case.options) | dict(adapters=[lora]))
    batch = batch_of(randomize(model))
    losses = model.train()(**model.data_preprocessor(batch, training=True), mode='loss')
    sum(value for key, value in losses.items() if 'loss' in key).backward()
    for key, value in model.named_parameters():
        if 'lora_' in key:
            is_unused = value.grad is None and '.mixture.' in key  # an expert without tokens, or a router without noise
            assert is_unused or value.grad.abs().sum() > 0, key
            assert model.layer_depth(key) == model.layer_depth(f'{key.partition(".lora_")[0]}.base_layer.weight')
    batch = model.data_preprocessor(batch, training=False)
    encode = model.eval().encoders[case.slot.partition('.')[2]]
    x = batch['inputs'][case.slot.partition('.')[2]]
    with torch.no_grad():
        expected = encode(x).tokens
        assert merge_adapters(model)
        torch.testing.assert_close(encode(x).tokens, expected, atol=1e-5, rtol=1e-4)


def test_a_dilated_convolution_is_refused() -> None:
    case = ENCODERS['FeatureTCNEncoder']
    lora = dict(type='LoRA', target=case.slot, modules='.*', r=2, alpha=2)
    with pytest.raises(ValueError, match=r'LoRA: .* is a convolution with dilation \(2,\), which peft cannot adapt'):
        tiny.build(with_component(case.base, case.slot, 'FeatureTCNEncoder', case.options) | dict(adapters=[lora]))


@pytest.mark.parametrize('recompute', [False, True])
def test_recomputation_and_mixed_precision_train_adapters(recompute: bool) -> None:
    model = randomize(build(LORA, BOTTLENECK, checkpoint_activations=recompute)).train()
    with torch.autocast('cpu', torch.bfloat16):
        loss = model(tiny.inputs(3), clips(0, 1, 2), mode='loss')['loss']
    loss.backward()
    grads = {name: value.grad for name, value in model.named_parameters() if value.requires_grad}
    assert all(grad is not None and grad.isfinite().all() for grad in grads.values())
    assert sum('lora_' in name for name in grads) == 8 * tiny.DEPTH


def test_recomputation_reaches_adapted_parts_which_are_in_evaluation_mode() -> None:
    stored, gradients = [], []
    for recompute in (False, True):
        model = randomize(build(LORA, BOTTLENECK, checkpoint_activations=recompute)).train()
        forward = partial(model, tiny.inputs(3), clips(0, 1, 2), mode='loss')
        stored.append(stored_bytes(model, forward))
        forward()['loss'].backward()
        gradients.append({name: value.grad for name, value in model.named_parameters() if value.grad is not None})
    assert stored[1] < stored[0] / 2
    torch.testing.assert_close(gradients[1], gradients[0])


def test_a_pretrained_checkpoint_of_an_encoder_reaches_the_layers(tmp_path: Path) -> None:
    source = tiny.build(tiny.encoder_config('video'), seed=5)
    torch.save(source.state_dict(), tmp_path / 'encoder.pth')
    pretrained = dict(type='Pretrained', checkpoint=str(tmp_path / 'encoder.pth'))
    encoders = tiny.encoder_configs() | {'video': tiny.encoder_config('video', init_cfg=pretrained)}
    model: Any = build(LORA, encoders=encoders)
    model.init_weights()
    layer = model.encoders['video'].blocks[0].attn.qkv
    assert torch.equal(layer.base_layer.weight, source.state_dict()['blocks.0.attn.qkv.weight'])
    assert not layer.lora_B['default'].weight.any()


def test_a_pretrainer_takes_adapters() -> None:
    model = tiny.build(tiny.pretrainer_config(adapters=[dict(LORA, target='encoders')])).train()
    assert has_adapters(model)
    sum(model(tiny.inputs(), masks=tiny.masks(), mode='loss').values()).backward()
    trained = {name for name, value in model.named_parameters() if value.grad is not None}
    assert all('lora_' in name for name in trained if name.startswith('encoders.'))
    assert any(name.startswith('decoders.') for name in trained)


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(target='encoders.text'), r"LoRA names the target 'encoders\.text', which the model lacks; it has \["),
        (dict(target=''), r"LoRA names the target ''"),
        (
            dict(modules='query'),
            r"modules='query' matches no layer of 'encoders\.video' that LoRA can adapt; candidates are "
            r'blocks\.N\.attn\.proj, blocks\.N\.attn\.qkv, .*, patch_embed\.proj$',
        ),
        (dict(modules='attn'), "modules='attn' matches no layer"),
        (dict(modules='('), r"modules='\(' is not a regular expression"),
        (dict(r=0), 'r=0 must be at least 1'),
        (dict(alpha=0), 'alpha=0 must be above 0'),
        (dict(dropout=1.0), r'dropout=1\.0 is outside of \[0, 1\)'),
    ],
)
def test_wrong_options_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build(LORA | options)


def test_other_mistakes_are_refused() -> None:
    with pytest.raises(ValueError, match=r"matches 'blocks\.0\.attn\.qkv' of 'encoders\.video', which has an adapter"):
        build(LORA, dict(LORA, modules='qkv'))
    with pytest.raises(ValueError, match='hidden_dims=0 must be at least 1'):
        build(dict(BOTTLENECK, hidden_dims=0))
    with pytest.raises(
        TypeError, match=r"adapters\.0 is a SoftCrossEntropyLoss, expected an adapter such as dict\(type='LoRA'\)"
    ):
        build(dict(type='SoftCrossEntropyLoss'))
    attention = nn.ModuleDict({'part': nn.MultiheadAttention(4, 2)})
    from hicmae_mm.models.adapters import LoRA

    with pytest.raises(ValueError, match='candidates are none: it has no such layers'):
        LoRA(target='part', modules='out_proj').add_to(attention)
