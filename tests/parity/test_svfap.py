"""SVFAP's TPSBT against the published implementation: fine-tuning, pre-training as published, layer decay."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.config import Config
from torch import Tensor, nn

from hicmae_mm.checkpoints.systems import rules_of
from hicmae_mm.config.paths import configs_root
from hicmae_mm.registry import MODELS
from tests.parity.plugins import (
    check_layer_decay,
    close,
    close_gradients,
    file_name,
    plugin_files,
    plugin_input,
    plugin_weights,
    read_parity,
)

RULES = rules_of('svfap')


def encoder(meta: dict[str, Any], **options: Any) -> dict[str, Any]:
    tokens = meta['tokens']
    return dict(
        type='TPSBTEncoder',
        patch_embed=dict(
            type='TubeletEmbed',
            image_size=meta.get('img', 160),
            num_frames=meta['num_frames'],
            patch_size=meta['patch_size'],
            tubelet_size=meta['tubelet_size'],
        ),
        embed_dims=meta['dim'],
        stage_depths=meta['stages'],
        num_heads=meta['heads'],
        bottleneck_tokens=tokens[0] if len(tokens) == 1 else tokens,
        mlp_ratio=meta['mlp_ratio'],
        qkv_bias=meta['qkv_bias'],
        **options,
    )


def classifier(meta: dict[str, Any], weights: dict[str, Tensor]) -> nn.Module:
    model = MODELS.build(
        dict(
            type='AudioVisualRecognizer',
            encoders=dict(video=encoder(meta, final_norm=False)),
            aggregator=dict(type='MeanPoolAggregator'),
            head=dict(type='ClassificationHead', num_classes=meta['classes']),
        )
    ).eval()
    RULES.load(model, weights)
    return model


def opened(path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    meta, expected = read_parity(path)
    return meta | {'weight_check': float(expected['weight_check'])}, expected


def video(meta: dict[str, Any]) -> Tensor:
    shape, offset = meta['inputs']['video']
    return plugin_input(meta, shape, offset)


@pytest.mark.parametrize('path', plugin_files('svfap_finetune*'), ids=file_name)
def test_finetuning(path: Path) -> None:
    meta, expected = opened(path)
    model, x = classifier(meta, plugin_weights(meta)), video(meta)
    stages: dict[str, list[Tensor]] = {'after_temporal': [], 'bottleneck_tokens': []}
    for part, name in (('temporal_downsamples', 'after_temporal'), ('spatial_downsamples', 'bottleneck_tokens')):
        for module in getattr(model.encoders['video'], part):
            module.register_forward_hook(lambda module, args, output, kept=stages[name]: kept.append(output))

    features = model.extract_features({'video': x})
    close(model.head.norm(features), expected['feature'])
    logits = model.head(features)
    close(logits, expected['logits'])
    for name, found in stages.items():
        stored = [key for key in expected if key.startswith(f'{name}.')]
        assert len(found) == len(stored)
        for i, tokens in enumerate(found):
            close(tokens[:1], expected[f'{name}.{i}'])

    loss = model.head.criterion(logits, torch.arange(len(x)) % meta['classes'])
    close(loss, expected['loss'])
    loss.backward()
    norms = {key.removeprefix('grad_norm.'): norm for key, norm in expected.items() if key.startswith('grad_norm.')}
    close_gradients(dict(model.named_parameters()), RULES.to_ours(norms))


@pytest.mark.parametrize('path', plugin_files('svfap_variants*'), ids=file_name)
@torch.no_grad()
def test_variants(path: Path) -> None:
    meta, expected = read_parity(path)
    for variant in meta['variants']:
        own = meta | variant
        model = classifier(own, plugin_weights(own))
        size, batch = own['img'], own['b']
        features = model.extract_features({'video': plugin_input(own, [batch, 3, own['num_frames'], size, size], 9001)})
        close(model.head.norm(features), expected[f'feature.{own["index"]}'])
        close(model.head(features), expected[f'logits.{own["index"]}'])


@pytest.mark.parametrize('path', plugin_files('svfap_pretrain*'), ids=file_name)
def test_published_pretraining(path: Path) -> None:
    meta, expected = opened(path)
    model = MODELS.build(
        dict(
            type='AudioVisualPretrainer',
            encoders=dict(video=encoder(meta, published_pretraining=True)),
            decoders=dict(
                video=dict(type='PlainDecoder', embed_dims=meta['dec'], depth=meta['ddepth'], num_heads=meta['dheads'])
            ),
            heads=dict(
                video=dict(
                    type='ReconstructionHead',
                    target=dict(type='VideoPatchTarget', frame_difference=False),
                    loss=dict(type='MaskedMSELoss'),
                )
            ),
            skip_layers=(),
        )
    )
    RULES.load(model, plugin_weights(meta))
    inputs, masks = {'video': video(meta)}, {'video': expected['mask'].bool()}
    encoded, indexed = model.encode(inputs, masks)
    close(encoded['video'].tokens, expected['encoder_out'])
    prediction = model.decode(encoded, indexed)['video']
    close(prediction[..., ::23], expected['pred'])
    close(prediction.norm(dim=-1), expected['pred_token_norm'])
    target = model.heads['video'].target(inputs['video'], indexed['video'])
    close(target[:1, :, ::23], expected['target'])
    close(target.norm(dim=-1), expected['target_token_norm'])
    losses = model(inputs, masks=masks, mode='loss')
    loss = losses['loss_video']
    close(loss, expected['loss'])
    loss.backward()
    norms = {key.removeprefix('grad_norm.'): norm for key, norm in expected.items() if key.startswith('grad_norm.')}
    close_gradients(dict(model.named_parameters()), RULES.to_ours(norms))


@pytest.mark.parametrize('path', sorted(plugin_files('svfap_layer_decay*.json')), ids=file_name)
def test_layer_decay(path: Path) -> None:
    content = json.loads(path.read_text())
    table = RULES.to_ours({name: torch.tensor(row, dtype=torch.float64) for name, row in content['table'].items()})
    num_later = len({name.split('.')[1] for name in content['table'] if name.startswith('temporal_downsamples.')})
    crossed = {name.split('.')[1] for name in content['table'] if '.cross_attn.' in name}
    depths = [content['blocks'] - len(crossed), *[1] * (num_later - 1), len(crossed) - (num_later - 1)]
    meta = dict(num_frames=16, patch_size=16, tubelet_size=2, img=32, dim=16, heads=2, tokens=[2], mlp_ratio=4)
    model = MODELS.build(
        dict(
            type='AudioVisualRecognizer',
            encoders=dict(video=encoder(meta | dict(stages=depths, qkv_bias=True), final_norm=False)),
            aggregator=dict(type='MeanPoolAggregator'),
            head=dict(type='ClassificationHead', num_classes=3),
        )
    )
    check_layer_decay(model, content, table)


@pytest.mark.slow
@pytest.mark.parametrize('path', plugin_files('svfap_base_seeded*'), ids=file_name)
@torch.no_grad()
def test_published_size(path: Path) -> None:
    meta, expected = opened(path)
    cfg = Config.fromfile(configs_root() / '_base_' / 'models' / 'svfap_base_finetune.py').model
    cfg.pop('data_preprocessor')
    cfg.head.num_classes = meta['classes']
    model = MODELS.build(cfg).eval()
    assert sum(parameter.numel() for parameter in model.parameters()) == meta['params']
    RULES.load(model, plugin_weights(meta))
    features = model.extract_features({'video': video(meta)})
    close(model.head.norm(features), expected['feature'], 1e-4)
    close(model.head(features), expected['logits'], 1e-4)
