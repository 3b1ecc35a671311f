"""MMA-DFER: outputs, losses and gradients of the published implementation, gates at 0 and set."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hicmae_mm.checkpoints.resampling import resize_position_grid
from hicmae_mm.checkpoints.systems import rules_of
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

FROZEN = [
    f'encoders.{name}.{part}' for name in ('video', 'audio') for part in ('patch_embed', 'cls_token', 'blocks', 'norm')
]
RULES = rules_of('mma_dfer')


def models(is_full_size: bool | None = None) -> list[Path]:
    paths = plugin_files('mma_dfer*.safetensors', is_full_size)
    return [path for path in paths if read_parity(path)[0]['kind'] == 'mma_dfer']


def build(meta: dict[str, Any]) -> nn.Module:
    encoder = dict(
        type='PromptedViTEncoder',
        embed_dims=meta['dim'],
        depth=meta['depth'],
        num_heads=meta['num_heads'],
        mlp_ratio=meta['mlp_ratio'],
    )
    frames, bins = meta['audio_size']
    model: nn.Module = MODELS.build(
        dict(
            type='ExchangeRecognizer',
            encoders=dict(
                video=dict(encoder, patch_embed=dict(type='ImageEmbed', image_size=meta['img_size'])),
                audio=dict(encoder, patch_embed=dict(type='SpectrogramEmbed', num_frames=frames, num_mel_bins=bins)),
            ),
            exchange=dict(type='GatedExchange', bottleneck=meta['latent']),
            aggregator=dict(
                type='TemporalTransformerAggregator',
                num_frames=meta['n_frames'],
                out_channels=meta['out_dim'],
                depth=meta['temporal_layers'],
                num_heads=meta['temporal_heads'],
                head_dims=meta['temporal_dim_head'],
                mlp_dims=meta['temporal_mlp'],
            ),
            head=dict(type='ClassificationHead', num_classes=meta['num_classes'], norm=False),
            frozen=FROZEN,
        )
    )
    return model


def check(path: Path, tolerance: float) -> None:
    meta, expected = read_parity(path)
    model, weights, given = build(meta), plugin_weights(meta), meta['inputs']
    inputs = {
        'video': plugin_input(meta, **{key: given['image'][key] for key in ('shape', 'offset')}).transpose(1, 2),
        'audio': plugin_input(meta, **{key: given['audio'][key] for key in ('shape', 'offset')}),
    }
    check_positions(meta, expected, weights)
    kinds = sorted({name.split('.')[0] for name in expected if name.startswith('gates_')})
    assert kinds
    for kind in kinds:
        gates = meta['gates'] if kind == 'gates_set' else dict.fromkeys(meta['gates'], 0.0)
        RULES.load(model, weights | {name: torch.tensor([value]) for name, value in gates.items()})
        model.eval().zero_grad()
        features = model.run_pass(inputs)
        logits: Tensor = model.head(features.features)
        loss = F.cross_entropy(logits, torch.arange(len(logits)) % meta['num_classes'])
        classes = {name: output.summary.flatten(0, 1) for name, output in features.encoded.items()}
        rows, columns = meta.get('stride_rows', 1), strides(expected[f'{kind}.frame_cls'], classes['video'])
        close(logits, expected[f'{kind}.output'], tolerance)
        close(loss, expected[f'{kind}.loss'], tolerance)
        close(features.features, expected[f'{kind}.feature'], tolerance)
        close(classes['video'][::rows, ::columns], expected[f'{kind}.frame_cls'], tolerance)
        close(classes['audio'], expected[f'{kind}.audio_cls'], tolerance)
        norms = {
            name.split('grad_norm.')[1]: value for name, value in expected.items() if name.startswith(f'{kind}.grad')
        }
        if norms:
            loss.backward()
            close_gradients(dict(model.named_parameters()), RULES.to_ours(norms))
    check_counts(meta, model, weights)


def strides(stored: Tensor, full: Tensor) -> int:
    """Every how many columns are stored."""
    return -(-full.shape[1] // stored.shape[1])


def check_positions(meta: dict[str, Any], expected: dict[str, Tensor], weights: dict[str, Tensor]) -> None:
    """The tables have a class token, the grid of patches, and prompts behind them."""
    frames, bins = meta['audio_size']
    grids = dict(image_encoder=[meta['img_size'] // 16] * 2, audio_model=[frames // 16, bins // 16])
    for name, grid in grids.items():
        stored = expected[f'built.{name.split("_")[0]}_positions']
        table = weights[f'{name}.pos_embed'][:, : 1 + grid[0] * grid[1]]
        close(table[:, :: 1 if stored.shape[1] == table.shape[1] else 37], stored, 0)


def check_counts(meta: dict[str, Any], model: nn.Module, weights: dict[str, Tensor]) -> None:
    """Parameters in total and trained; the published ones include norms that nothing uses."""
    unused = sum(value.numel() for name, value in weights.items() if RULES.ours(name) is None)
    parameters = list(model.parameters())
    assert sum(value.numel() for value in parameters) + unused == meta['total_values']
    assert sum(value.numel() for value in parameters if value.requires_grad) + unused == meta['trainable_values']
    assert RULES.to_published(model.state_dict()).keys() == weights.keys()


@pytest.mark.parametrize('path', models(is_full_size=False), ids=file_name)
def test_small_models(path: Path) -> None:
    check(path, 1e-5)


@pytest.mark.slow
@pytest.mark.parametrize('path', models(is_full_size=True), ids=file_name)
def test_published_size(path: Path) -> None:
    check(path, 1e-4)


@pytest.mark.parametrize(
    'path', [path for path in plugin_files('mma_dfer*.safetensors') if path not in models()], ids=file_name
)
def test_position_tables(path: Path) -> None:
    meta, expected = read_parity(path)
    for index, case in enumerate(meta['cases']):
        table = expected[f'{index}.input']
        close(resize_position_grid(table, case['old'], case['new']), expected[f'{index}.resized'], 1e-5)
