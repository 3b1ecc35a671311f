"""Parts that are not trained."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from hicmae_mm.engine.optimizers import LayerDecayOptimWrapperConstructor
from tests.models import tiny
from tests.models.test_models import clips


def build(*frozen: str, drop_path_rate: float = 0.5) -> nn.Module:
    encoders = {name: tiny.encoder_config(name, drop_path_rate=drop_path_rate) for name in ('video', 'audio')}
    fusion = dict(type='CrossModalFusion', depth=2, num_heads=2, drop_path_rate=drop_path_rate)
    return tiny.build(tiny.recognizer_config(encoders=encoders, fusion=fusion, frozen=frozen))


def step(model: nn.Module, layer_decay: float = 0.75) -> list[str]:
    """One step of AdamW; returns the names of parameters that it changed."""
    optimizer = dict(optimizer=dict(type='AdamW', lr=0.1, weight_decay=0.1))
    wrapper = LayerDecayOptimWrapperConstructor(optimizer, dict(layer_decay=layer_decay))(model)
    before = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    loss = model.train()(tiny.inputs(3), clips(0, 1, 2), mode='loss')['loss']
    wrapper.update_params(loss)
    return [name for name, parameter in model.named_parameters() if not torch.equal(parameter, before[name])]


@pytest.mark.parametrize(
    ('frozen', 'trained'),
    [
        ((), {'encoders', 'fusion', 'aggregator', 'head'}),
        (('encoders',), {'fusion', 'aggregator', 'head'}),
        (('encoders', 'fusion'), {'aggregator', 'head'}),
        (('encoders', 'fusion', 'aggregator'), {'head'}),
    ],
)
def test_only_the_rest_is_trained(frozen: tuple[str, ...], trained: set[str]) -> None:
    changed = step(build(*frozen, drop_path_rate=0.0))
    assert {name.split('.')[0] for name in changed} == trained


def test_one_encoder_a_single_block_or_a_parameter_can_be_frozen() -> None:
    model = build('encoders.audio', 'encoders.video.blocks.0', 'head.fc.bias', drop_path_rate=0.0)
    changed = step(model)
    assert not [name for name in changed if name.startswith(('encoders.audio.', 'encoders.video.blocks.0.'))]
    assert 'head.fc.bias' not in changed
    assert {'encoders.video.blocks.1.attn.proj.weight', 'head.fc.weight'} < set(changed)


def test_frozen_parts_drop_no_path_and_the_others_do() -> None:
    model, inputs = build('encoders').train(), tiny.inputs(4)
    assert not any(module.training for module in model.encoders.modules())
    assert model.fusion.training
    with torch.no_grad():
        first, second = (model.encoders['video'](inputs['video']).tokens for _ in range(2))
        assert torch.equal(first, second)
        assert not torch.equal(model(inputs), model(inputs))  # the fusion's
        assert torch.equal(model.eval()(inputs), model(inputs))
    assert model.train().training
    assert not model.encoders.training


def test_frozen_encoders_store_nothing_for_the_backward_pass() -> None:
    stored: dict[bool, int] = {}
    for frozen in (False, True):
        model = build(*(['encoders'] if frozen else []), drop_path_rate=0.0).train()
        sizes: list[int] = []
        with torch.autograd.graph.saved_tensors_hooks(lambda x: sizes.append(x.numel()) or x, lambda x: x):  # noqa: B023
            encoded = model.encoders['video'](tiny.inputs(3)['video'])
        stored[frozen] = sum(sizes)
        assert encoded.tokens.requires_grad != frozen
    assert stored[True] == 0 < stored[False]


def test_a_pretrainer_can_be_frozen_too() -> None:
    model = tiny.build(tiny.pretrainer_config(frozen=('encoders.video', 'decoders.video', 'heads.video'))).train()
    sum(model(tiny.inputs(), masks=tiny.masks(), mode='loss').values()).backward()
    assert {name.split('.')[1] for name, value in model.named_parameters() if value.grad is None} == {'video'}
    assert not model.decoders['video'].training
    assert model.decoders['audio'].training


def test_layer_decay_keeps_the_scales_of_what_is_trained() -> None:
    def scales(model: nn.Module) -> dict[int, float]:
        constructor = LayerDecayOptimWrapperConstructor(
            dict(optimizer=dict(type='AdamW', lr=1.0)), dict(layer_decay=0.5)
        )
        groups = constructor.parameter_groups(model)
        return {id(parameter): group['lr_scale'] for group in groups for parameter in group['params']}

    model = build()
    whole = {name: scales(model)[id(parameter)] for name, parameter in model.named_parameters()}
    model = build('encoders')
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    part = {names[key]: scale for key, scale in scales(model).items()}
    assert part == {name: scale for name, scale in whole.items() if not name.startswith('encoders.')}


def test_names_are_checked() -> None:
    with pytest.raises(
        ValueError, match=r"frozen names 'encoder', which the model lacks; it has \['encoders', 'fusion'"
    ):
        build('encoder')
    with pytest.raises(ValueError, match='leaves nothing to train'):
        build('encoders', 'fusion', 'aggregator', 'head')
    # a string is one name, as --cfg-options may give it
    assert tiny.build(tiny.recognizer_config(frozen='encoders')).frozen == ('encoders',)
