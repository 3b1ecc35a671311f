"""MER2023 baseline and MERTools: models over feature streams, noise, and the combined metric."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.special import softmax
from torch import Tensor, nn

from hicmae_mm.checkpoints.systems import rules_of
from hicmae_mm.datasets.noise import as_int16, as_waveform, mix_noise, root_mean_square
from hicmae_mm.datasets.transforms.corruption import pyramid_blur
from hicmae_mm.evaluation.ensembles import average_models
from hicmae_mm.evaluation.folds import FoldEvaluator
from hicmae_mm.registry import MODELS
from hicmae_mm.structures import EmotionDataSample
from tests.parity.plugins import close, close_gradients, file_name, plugin_files, plugin_weights, read_parity

ORDER = ['audio', 'text', 'video']


def files(kind: str) -> list[Path]:
    return [path for path in plugin_files('mer_*.safetensors') if read_parity(path)[0]['kind'].startswith(kind)]


def build(encoders: dict[str, Any], aggregator: dict[str, Any], num_classes: int) -> nn.Module:
    heads = dict(
        emotion=dict(type='ClassificationHead', num_classes=num_classes, norm=False),
        valence=dict(type='RegressionHead', num_outputs=1, norm=False),
    )
    model: nn.Module = MODELS.build(
        dict(
            type='AudioVisualRecognizer',
            encoders=encoders,
            aggregator=aggregator | dict(order=ORDER),
            head=dict(type='MultiTaskHead', heads=heads),
        )
    )
    return model.eval()


def load(model: nn.Module, system: str, meta: dict[str, Any], keys: dict[str, Any], seed: int) -> None:
    weights = plugin_weights({**meta, 'keys': keys, 'seed': seed})
    rules = rules_of(system)
    rules.load(model, weights)
    again = rules.to_published(model.state_dict())
    assert set(again) == set(weights)
    assert all(torch.equal(again[name], weights[name]) for name in weights)


def compare(model: nn.Module, inputs: dict[str, Tensor], stored: dict[str, Tensor], part: str) -> dict[str, Tensor]:
    """Compares features, outputs and the sum of losses, and returns the losses."""
    samples = []
    for label, value in zip(stored['emotion'].tolist(), stored['valence'].flatten().tolist()):
        samples.append(EmotionDataSample().set_gt_label(label).set_gt_values([value]))
    features = model.extract_features(inputs)
    name = 'fused' if f'{part}.fused' in stored else 'features'
    close(features, stored[f'{part}.{name}'])
    outputs = model.head(features)
    close(outputs['emotion'], stored[f'{part}.emotion_logits'])
    close(outputs['valence'], stored[f'{part}.valence'].reshape(-1, 1))
    losses = model(inputs, samples, mode='loss')
    close(losses['loss_emotion'] + losses['loss_valence'], stored[f'{part}.loss'])
    return losses


def compare_gradients(model: nn.Module, system: str, stored: dict[str, Tensor], part: str) -> None:
    start = f'{part}.grad_norm.'
    norms = {key.removeprefix(start): value for key, value in stored.items() if key.startswith(start)}
    rules = rules_of(system)
    close_gradients({rules.published(name): value for name, value in model.named_parameters()}, norms)


@pytest.mark.parametrize('path', files('attention fusion and MLP'), ids=file_name)
def test_edition_of_2023(path: Path) -> None:
    meta, stored = read_parity(path)
    widths = [int(width) for width in meta['layers'].split(',')]
    inputs = {name: stored[name] for name in ORDER}

    encoders = {name: dict(type='FeatureMLPEncoder', in_channels=meta['dims'][name], widths=widths) for name in ORDER}
    model = build(encoders, dict(type='StreamAttentionAggregator', widths=widths), meta['classes'])
    load(model, 'mer2023', meta, meta['keys'], meta['seed'])
    losses = compare(model, inputs, stored, 'attention')
    close(losses['loss_emotion'], stored['attention.loss_ce'])
    close(losses['loss_valence'], stored['attention.loss_mse'])
    vectors = torch.cat([model.encoders[name](inputs[name]).tokens[:, 0] for name in ORDER], dim=-1)
    close(model.aggregator.weights(model.aggregator.stack(vectors)), stored['attention.weights'])
    sum(losses.values()).backward()
    compare_gradients(model, 'mer2023', stored, 'attention')

    encoders = {name: dict(type='FeatureMLPEncoder', in_channels=meta['dims'][name], widths=()) for name in ORDER}
    model = build(encoders, dict(type='StreamMLPAggregator', widths=widths), meta['classes'])
    load(model, 'mer2023_mlp', meta, meta['mlp_keys'], meta['mlp_seed'])
    sum(compare(model, inputs, stored, 'mlp').values()).backward()
    compare_gradients(model, 'mer2023_mlp', stored, 'mlp')


@pytest.mark.parametrize('path', files('attention fusion, 2024'), ids=file_name)
def test_edition_of_2024(path: Path) -> None:
    meta, stored = read_parity(path)
    dims, hidden = meta['dims'], meta['hidden_dim']
    aggregator = dict(type='StreamAttentionAggregator', widths=(hidden,) * 3)
    vectors = {
        name: dict(type='FeatureMLPEncoder', in_channels=dims[name], widths=(hidden,) * 3, input_drop=0.5)
        for name in ORDER
    }
    frames = {
        name: dict(type='FeatureLSTMEncoder', in_channels=dims[name], hidden_dims=hidden, out_channels=hidden)
        for name in ORDER
    }
    for part, system, encoders, suffix in (
        ('utt', 'mer2024', vectors, ''),
        ('frm_unalign', 'mer2024_frames', frames, '_frames'),
    ):
        model = build(encoders, aggregator, meta['classes'])
        load(model, system, meta, meta['models'][part]['keys'], meta['models'][part]['seed'])
        losses = compare(model, {name: stored[f'{name}{suffix}'] for name in ORDER}, stored, part)
        sum(losses.values()).backward()
        compare_gradients(model, system, stored, part)


@pytest.mark.parametrize('path', files('additive noise'), ids=file_name)
def test_noise_and_blur(path: Path) -> None:
    meta, stored = read_parity(path)
    for case in meta['cases']:
        clean, noise = (stored[f'{name}.{case["index"]}'].numpy() for name in ('clean', 'noise'))
        piece = np.tile(noise, case['noise_repeats'])[case['start'] : case['start'] + len(clean)]
        assert root_mean_square(clean) == pytest.approx(case['clean_rms'], rel=1e-12)
        assert root_mean_square(piece) == pytest.approx(case['noise_rms'], rel=1e-12)
        mixed = mix_noise(clean, piece, case['snr'])
        assert mixed.dtype == np.int16
        np.testing.assert_array_equal(mixed, stored[f'mixed.{case["index"]}'].numpy())
        np.testing.assert_array_equal(as_int16(as_waveform(mixed)), mixed)
    blurred = [key.split('.') for key in stored if key.startswith('blur.')]
    assert blurred
    for _, name, rate in blurred:
        picture = pyramid_blur(stored[f'image.{name}'].numpy(), int(rate.removeprefix('rate')))
        np.testing.assert_array_equal(picture, stored[f'blur.{name}.{rate}'].numpy())


def metric_file() -> dict[str, Any]:
    (path,) = plugin_files('mer_metric.json')
    content: dict[str, Any] = json.loads(path.read_text())
    return content


def test_combined_metric() -> None:
    cases = metric_file()['cases']
    assert cases
    for case in cases:
        columns = (case[name] for name in ('scores', 'emotion', 'valence_pred', 'valence_true'))
        samples = [
            dict(
                sample_idx=index,
                pred_score=softmax(scores),
                gt_label=np.array([label]),
                pred_values=np.array([value]),
                gt_values=np.array([target]),
            )
            for index, (scores, label, value, target) in enumerate(zip(*columns))
        ]
        measures = FoldEvaluator(dict(type='hicmae_mm.MERMultiMetric')).measure(samples)
        found = {name: measures[key] for name, key in (('wf1', 'weighted_f1'), ('accuracy', 'WAR'), ('mse', 'MSE'))}
        for name, value in (found | {'combined': measures['MER']}).items():
            assert value == pytest.approx(case[name], abs=1e-9)


def test_fold_average() -> None:
    stored = metric_file()['fold_average']
    parts = [
        [dict(sample_idx=i, pred_score=softmax(s), pred_values=np.array(v)) for i, (s, v) in enumerate(zip(*fold))]
        for fold in zip(stored['scores'], stored['valence'])
    ]
    merged = average_models(parts)
    assert [int(sample['pred_label']) for sample in merged] == stored['emotion']
    assert [float(sample['pred_values']) for sample in merged] == pytest.approx(stored['valence_mean'], abs=1e-9)
    expected = softmax(np.array(stored['scores']).mean(axis=0), axis=-1)
    np.testing.assert_allclose([sample['pred_score'].numpy() for sample in merged], expected, atol=1e-9)
