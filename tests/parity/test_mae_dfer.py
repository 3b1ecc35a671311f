"""MAE-DFER's LGI-Former against the published implementation: fine-tuning, pre-training, masks, layer decay."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from hicmae_mm.checkpoints.systems import rules_of
from hicmae_mm.datasets.transforms.masking import symmetric_window_mask
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

RULES = rules_of('mae_dfer')
POOLED = dict(region='region', org='local', all='all')  # published names of the tokens that are pooled


def encoder(meta: dict[str, Any], **options: Any) -> dict[str, Any]:
    embed = dict(
        type='TubeletEmbed',
        image_size=meta['img'],
        num_frames=meta['num_frames'],
        patch_size=meta['patch_size'],
        tubelet_size=meta['tubelet_size'],
    )
    sharing = 'all' if meta.get('lg_attn_param_sharing_all') else None
    no_third = meta.get('lg_no_third')
    return dict(
        type='LGIFormerEncoder',
        patch_embed=embed,
        region=meta['region'],
        embed_dims=meta['dim'],
        depth=meta['depth'],
        num_heads=meta['heads'],
        mlp_ratio=meta['mlp_ratio'],
        qkv_bias=meta['qkv_bias'],
        local=meta.get('lg_first_attn_type', 'self'),
        interact=not meta.get('lg_no_second'),
        read=None if no_third else meta.get('lg_third_attn_type', 'cross'),
        sharing='local_read' if meta.get('lg_attn_param_sharing_first_third') else sharing,
        **options,
    )


def classifier(meta: dict[str, Any], tokens: str) -> nn.Module:
    per_frame = meta.get('keep_temporal_dim', False)
    head = dict(type='ClassificationHead', num_classes=meta['classes'], level='frame' if per_frame else 'clip')
    activation = meta.get('head_activation_func')
    if activation:
        head = dict(type='RegressionHead', num_outputs=meta['classes'], activation=activation)
    pool = dict(type='RegionPoolAggregator', tokens=POOLED[tokens])
    return MODELS.build(
        dict(
            type='AudioVisualRecognizer',
            encoders=dict(video=encoder(meta, final_norm=False, published_order=per_frame)),
            aggregator=dict(type='FrameTokens', num_steps=meta['num_frames']) if per_frame else pool,
            head=head,
        )
    ).eval()


def opened(path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    meta, expected = read_parity(path)
    return meta | {'weight_check': float(expected['weight_check'])}, expected


def video(meta: dict[str, Any]) -> Tensor:
    shape, offset = meta['inputs']['video']
    return plugin_input(meta, shape, offset)


@pytest.mark.parametrize('path', plugin_files('mae_dfer_finetune*'), ids=file_name)
def test_finetuning(path: Path) -> None:
    meta, expected = opened(path)
    x, main = video(meta), meta['lg_classify_token_type'].split()[0]
    for tokens in [main, *(name for name in POOLED if f'logits_{name}' in expected)]:
        model, end = classifier(meta, tokens), '' if tokens == main else f'_{tokens}'
        RULES.load(model, plugin_weights(meta))
        features = model.extract_features({'video': x})
        logits = model.head(features)
        close(model.head.norm(features), expected[f'feature{end}'])
        close(logits, expected[f'logits{end}'])
        if tokens == main:
            loss = model.head.criterion(logits, torch.arange(len(x)) % meta['classes'])
            close(loss, expected['loss'])
            loss.backward()
            close_gradients(dict(model.named_parameters()), RULES.to_ours(norms_in(expected)))


def norms_in(expected: dict[str, Tensor]) -> dict[str, Tensor]:
    return {key.removeprefix('grad_norm.'): norm for key, norm in expected.items() if key.startswith('grad_norm.')}


@pytest.mark.parametrize('path', plugin_files('mae_dfer_variants*'), ids=file_name)
@torch.no_grad()
def test_variants(path: Path) -> None:
    meta, expected = read_parity(path)
    for variant in meta['variants']:
        own = meta | variant
        index = own['index']
        model = classifier(own, own['lg_classify_token_type'])
        weights = plugin_weights(own | {'weight_check': float(expected[f'weight_check.{index}'])})
        # attention that steps share has one name in the file, and several in a state dict of PyTorch
        renamed = RULES.to_ours(weights)
        missing, unexpected = model.load_state_dict(renamed, strict=False)
        assert not unexpected
        assert not set(missing) & {name for name, _ in model.named_parameters()}
        assert sum(parameter.numel() for parameter in model.parameters()) == own['parameter_count']
        size = own['img']
        x = plugin_input(own, [meta['batch'], 3, own['num_frames'], size, size], meta['inputs']['video'][1])
        features = model.extract_features({'video': x})
        close(model.head.norm(features), expected[f'feature.{index}'])
        close(model.head(features).flatten(1), expected[f'logits.{index}'])


def pretrainer(meta: dict[str, Any], target: dict[str, Any], **options: Any) -> Any:
    decoder = dict(type='PlainDecoder', embed_dims=meta['dec'], depth=meta['ddepth'], num_heads=meta['dheads'])
    head = dict(
        type='ReconstructionHead', target=dict(type='VideoPatchTarget', **target), loss=dict(type='MaskedMSELoss')
    )
    return MODELS.build(
        dict(
            type='AudioVisualPretrainer',
            encoders=dict(video=encoder(meta, **options)),
            decoders=dict(video=decoder),
            heads=dict(video=head),
            skip_layers=(),
        )
    )


TARGETS = {
    'loss': dict(),
    'loss_nodiff': dict(frame_difference=False),
    'loss_weighted_0p3': dict(difference_weight=0.3),
    'loss_group4': dict(group_size=4),
    'loss_unnormalised': dict(normalize=False),
}


@pytest.mark.parametrize('path', plugin_files('mae_dfer_pretrain*'), ids=file_name)
def test_pretraining(path: Path) -> None:
    meta, expected = opened(path)
    weights, inputs, masks = plugin_weights(meta), {'video': video(meta)}, {'video': expected['mask'].bool()}
    stored = [name for name in expected if name.startswith('loss')]
    assert set(stored) <= set(TARGETS)
    for name in stored:
        model = pretrainer(meta, TARGETS[name], published_order=True)
        RULES.load(model, weights)
        loss = model(inputs, masks=masks, mode='loss')['loss_video']
        close(loss, expected[name])
        target = model.heads['video'].target(inputs['video'], model.encode(inputs, masks)[1]['video'])
        key = 'target' if name == 'loss' else name.replace('loss', 'target')
        if key in expected:
            close(target[: len(expected[key]), :, ::23], expected[key])
        if name == 'loss':
            encoded, indexed = model.encode(inputs, masks)
            close(encoded['video'].tokens[:1], expected['encoder_out'])
            prediction = model.decode(encoded, indexed)['video']
            close(prediction[..., ::23], expected['pred'])
            close(prediction.norm(dim=-1), expected['pred_token_norm'])
            close(target.norm(dim=-1), expected['target_token_norm'])
            close(target[0, : len(expected['target_first_tokens'])], expected['target_first_tokens'])
            loss.backward()
            close_gradients(dict(model.named_parameters()), RULES.to_ours(norms_in(expected)))


@pytest.mark.parametrize('path', plugin_files('mae_dfer_pretrain*'), ids=file_name)
@torch.no_grad()
def test_orders_of_tokens(path: Path) -> None:
    """The default order is that of the grid; the published one is the same tokens in the order of the regions."""
    meta, expected = opened(path)
    mask = expected['mask'].bool()
    ours, published = (pretrainer(meta, {}, published_order=order).encoders['video'] for order in (False, True))
    published.load_state_dict(ours.state_dict())
    in_grid, in_regions = (model(video(meta), mask).tokens for model in (ours, published))
    order = ours.region_of[(~mask[0]).nonzero().squeeze(1)].argsort(stable=True)
    close(in_grid[0, order], in_regions[0], 0)


@pytest.mark.parametrize('path', plugin_files('mae_dfer_masks*'), ids=file_name)
def test_masks(path: Path) -> None:
    meta, expected = read_parity(path)
    for case in meta['masks']:
        rng = np.random.RandomState(case['numpy_legacy_seed'])
        options = (tuple(case['grid']), case['ratio'], tuple(case['window']), case['symmetry'])
        drawn = np.stack([symmetric_window_mask(*options, rng) for _ in expected[f'mask.{case["index"]}']])
        assert np.array_equal(drawn, expected[f'mask.{case["index"]}'].numpy().astype(bool))


@pytest.mark.parametrize('path', sorted(plugin_files('mae_dfer_layer_decay*.json')), ids=file_name)
def test_layer_decay(path: Path) -> None:
    content = json.loads(path.read_text())
    table = RULES.to_ours({name: torch.tensor(row, dtype=torch.float64) for name, row in content['table'].items()})
    meta = dict(num_frames=16, patch_size=16, tubelet_size=2, img=32, dim=16, heads=2, mlp_ratio=4, qkv_bias=True)
    model = classifier(meta | dict(depth=content['depth'], region=[2, 2, 2], classes=3), 'region')
    check_layer_decay(model, content, table, no_decay=('region_tokens',))


@pytest.mark.slow
@pytest.mark.parametrize('path', plugin_files('mae_dfer_base_seeded*'), ids=file_name)
@torch.no_grad()
def test_published_size(path: Path) -> None:
    meta, expected = opened(path)
    own = meta | meta['finetune'] | dict(img=meta['inputs']['video'][0][-1])
    model = classifier(own, own['token'])
    assert sum(parameter.numel() for parameter in model.parameters()) == own['params']
    RULES.load(model, plugin_weights(own))
    features = model.extract_features({'video': video(own)})
    close(model.head.norm(features), expected['feature'], 1e-4)
    close(model.head(features), expected['logits'], 1e-4)

    part = meta['pretrain']
    own |= dict(depth=part['encoder_depth'], ddepth=part['decoder_depth'], dec=part['decoder_dim'])
    own |= dict(dheads=part['decoder_heads'], seed=part['seed'], keys=meta['pretrain_keys'])
    model = pretrainer(own, {}, published_order=True).eval()
    assert sum(parameter.numel() for parameter in model.parameters()) == part['params']
    RULES.load(model, plugin_weights(own | {'weight_check': float(expected['pretrain_weight_check'])}))
    prediction = model({'video': video(own)}, masks={'video': expected['pretrain_mask'].bool()})['video']
    close(prediction.mean(), expected['pretrain_pred_mean'], 1e-4)
    close(prediction.std(), expected['pretrain_pred_std'], 1e-4)
    stored = expected['pretrain_pred']
    close(prediction[:, : stored.shape[1], : stored.shape[2]], stored, 1e-4)
