"""S4D's experts against the published implementation: layer, block, and a model of videos and images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.config import Config
from torch import Tensor, nn

from hicmae_mm.checkpoints.systems import rules_of
from hicmae_mm.config.facts import build_empty_model
from hicmae_mm.config.paths import configs_root
from hicmae_mm.models.encoders.experts import ExpertBlock, ExpertMixture, NoisyTopKRouter, Routing
from hicmae_mm.models.objectives import ExpertBalance
from hicmae_mm.registry import MODELS
from tests.parity.plugins import (
    close,
    close_gradients,
    file_name,
    plugin_files,
    plugin_input,
    plugin_weights,
    read_parity,
)

RULES = rules_of('s4d')
KINDS = ('quiet', 'noisy')
NAMES = (('router.topkroute_linear.', 'router.logits.'), ('router.noise_linear.', 'router.noise_size.'))
NAMES += (('moe_layer.', 'mixture.'),)


def ours(name: str) -> str:
    """This package's name of a parameter of a layer or a block alone."""
    for published, own in NAMES:
        name = name.replace(published, own)
    return name


def mixture(meta: dict[str, Any]) -> ExpertMixture:
    """As published: noise and a limited capacity also in evaluation."""
    hidden = meta.get('hidden', meta['dim'] // 4)
    return ExpertMixture(meta['dim'], meta['experts'], meta['top_k'], hidden, meta['capacity'], 'always', True)


def load(module: nn.Module, weights: dict[str, Tensor]) -> None:
    module.load_state_dict({ours(name): weight for name, weight in weights.items()})


def given_noise(router: NoisyTopKRouter, noise: Tensor | None) -> list[Routing]:
    """Gives the router its noise and keeps what it decides."""
    router.draw_noise = lambda logits: torch.zeros_like(logits) if noise is None else noise  # type: ignore[method-assign]
    kept: list[Routing] = []
    router.register_forward_hook(lambda module, args, output: kept.append(output))
    return kept


def norms(expected: dict[str, Tensor], beginning: str) -> dict[str, Tensor]:
    beginning = f'{beginning}grad_norm.'
    return {key.removeprefix(beginning): norm for key, norm in expected.items() if key.startswith(beginning)}


def check_gradients(module: nn.Module, expected: dict[str, Tensor]) -> None:
    """Experts that no token chose get no gradient there, and one of 0 here, so that every rank has one."""
    for name, parameter in module.named_parameters():
        if name not in expected and 'experts.' in name:
            assert parameter.grad is not None
            assert not parameter.grad.any()
            parameter.grad = None
    close_gradients(dict(module.named_parameters()), expected)


def noise_of(meta: dict[str, Any], kind: str) -> Tensor | None:
    noise = meta['inputs']['noise']
    return plugin_input(meta, noise['shape'], noise['offset']) if kind == 'noisy' else None


def check_alone(
    module: nn.Module, router: NoisyTopKRouter, meta: dict[str, Any], expected: dict[str, Tensor], kind: str
) -> Routing:
    kept = given_noise(router, noise_of(meta, kind))
    x = plugin_input(meta, meta['inputs']['x']['shape'], meta['inputs']['x']['offset']).requires_grad_()
    output, balance = module(x)
    close(output, expected[f'{kind}.output'], 1e-5)
    close(balance, expected[f'{kind}.balance'], 1e-5)
    assert torch.equal(kept[0].chosen, expected[f'{kind}.chosen'].long())
    (output.square().mean() + 0.1 * balance).backward()
    close(x.grad, expected[f'{kind}.grad_input'], 1e-5)
    check_gradients(module, {ours(key): norm for key, norm in norms(expected, f'{kind}.').items()})
    return kept[0]


@pytest.mark.parametrize('kind', KINDS)
@pytest.mark.parametrize('path', plugin_files('s4d_moe_layer*'), ids=file_name)
def test_layer(path: Path, kind: str) -> None:
    meta, expected = read_parity(path)
    for number, case in enumerate(meta['cases']):
        module = mixture(case).eval()
        load(module, plugin_weights(case))
        own = {key.removeprefix(f'{number}.'): value for key, value in expected.items() if key.startswith(f'{number}.')}
        routing = check_alone(module, module.router, case, own, kind)
        close(routing.scores, own[f'{kind}.scores'], 1e-5)
        load_of_experts = torch.bincount(routing.chosen.flatten(), minlength=case['experts'])
        assert torch.equal(load_of_experts, own[f'{kind}.load'].long())


@pytest.mark.parametrize('kind', KINDS)
@pytest.mark.parametrize('path', plugin_files('s4d_moe_block*'), ids=file_name)
def test_block(path: Path, kind: str) -> None:
    meta, expected = read_parity(path)
    module = ExpertBlock(meta['dim'], meta['num_heads'], mixture(meta), meta['mlp_ratio']).eval()
    load(module, plugin_weights(meta))
    check_alone(module, module.mixture.router, meta, expected, kind)


def encoder(meta: dict[str, Any], num_frames: int) -> dict[str, Any]:
    return dict(
        type='ExpertViTEncoder',
        patch_embed=dict(
            type='TubeletEmbed',
            image_size=meta['img_size'],
            num_frames=num_frames,
            patch_size=meta['patch_size'],
            tubelet_size=meta['tubelet_size'],
        ),
        embed_dims=meta['dim'],
        depth=meta['depth'],
        num_heads=meta['num_heads'],
        expert_layers=meta['moe_layers'],
        num_experts=meta['experts'],
        top_k=meta['top_k'],
        capacity_factor=meta['capacity'],
        noise='always',
        limits_evaluation=True,
        mlp_ratio=meta['mlp_ratio'],
        final_norm=False,
    )


@pytest.mark.parametrize('kind', KINDS)
@pytest.mark.parametrize('stream', ['video', 'image'])
@pytest.mark.parametrize('path', plugin_files('s4d_model*'), ids=file_name)
def test_model_of_videos_and_images(path: Path, stream: str, kind: str) -> None:
    meta, expected = read_parity(path)
    classes = dict(zip(meta['heads'], meta['classes']))
    model = MODELS.build(
        dict(
            type='AudioVisualRecognizer',
            encoders=dict(video=encoder(meta, meta['num_frames']), image=encoder(meta, meta['tubelet_size'])),
            tied={
                'encoders.image.patch_embed.proj': 'encoders.video.patch_embed.proj',
                'encoders.image.blocks': 'encoders.video.blocks',
                'head.heads.image.norm': 'head.heads.video.norm',
            },
            missing_streams='zero',
            aggregator=dict(type='MeanPoolAggregator', adds_streams=True),
            head=dict(
                type='MultiTaskHead',
                heads=dict(
                    video=dict(type='ClassificationHead', num_classes=classes['video']),
                    image=dict(type='ClassificationHead', num_classes=classes['image'], target='expression', ignore=-1),
                ),
            ),
        )
    ).eval()
    RULES.load(model, plugin_weights(meta))
    shape, offset = meta['inputs'][stream]['shape'], meta['inputs'][stream]['offset']
    x = plugin_input(meta, shape, offset)
    if stream == 'image':  # a clip of one time step
        x = x.unsqueeze(2).repeat(1, 1, meta['tubelet_size'], 1, 1)  # (B, 3, H, W) -> (B, 3, T, H, W)
    steps = x.shape[2] // meta['tubelet_size'] * (meta['img_size'] // meta['patch_size']) ** 2
    first = int(meta['inputs'][f'noise_{stream}'].split()[1])
    kept = {}
    for number, layer in enumerate(meta['moe_layers']):
        noise = plugin_input(meta, [shape[0], steps, meta['experts']], first + number) if kind == 'noisy' else None
        kept[layer] = given_noise(model.encoders['video'].blocks[layer].mixture.router, noise)

    this = model.run_pass({stream: x})
    head = model.head.heads[stream]
    own = f'{stream}.{kind}.'
    close(head.norm(this.features), expected[f'{own}feature'], 1e-5)
    output = head(this.features)
    close(output, expected[f'{own}output'], 1e-5)
    for layer, routings in kept.items():
        assert torch.equal(routings[0].chosen, expected[f'{own}chosen.{layer}'].long())
    balance = ExpertBalance().loss(this)['loss']
    close(balance, expected[f'{own}balance'], 1e-5)
    loss = nn.functional.cross_entropy(output, torch.arange(len(x)) % classes[stream]) + meta['aux'] * balance
    close(loss, expected[f'{own}loss'], 1e-5)
    loss.backward()
    check_gradients(model, RULES.to_ours(norms(expected, own)))


def test_published_size() -> None:
    cfg = Config.fromfile(configs_root() / 's4d' / 's4d_base_joint_dfew.py')
    assert sum(parameter.numel() for parameter in build_empty_model(cfg).parameters()) == 100_513_646
