"""The valence-arousal model of an ABAW6 entry, its loss, its measures and its windows."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from hicmae_mm.checkpoints.systems import rules_of
from hicmae_mm.evaluation.functional.frames import concordance_over_frames, concordance_per_sequence, windows_of
from hicmae_mm.models.losses.frames import sequence_ccc_loss
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

RULES = rules_of('abaw6')
FILES = plugin_files('abaw6_fusion*')


@pytest.mark.parametrize('path', FILES, ids=file_name)
def test_model_and_loss(path: Path) -> None:
    meta, expected = read_parity(path)
    width = meta['hidden_dim']
    streams = ('audio', 'text', 'video')
    model = MODELS.build(
        dict(
            type='AudioVisualRecognizer',
            encoders={
                name: dict(
                    type='FeatureLSTMEncoder', in_channels=meta[f'{name}_dim'], hidden_dims=width, out_channels=width
                )
                for name in streams
            },
            aggregator=dict(
                type='FrameAttentionAggregator',
                widths=(width,) * 3,
                hidden_dims=width,
                order=('audio', 'text', 'video'),
            ),
            head=dict(type='RegressionHead', num_outputs=2, level='frame', norm=False),
        )
    )
    RULES.load(model, plugin_weights(meta))
    given = meta['inputs']
    inputs = {name: plugin_input(meta, given[f'{name}s']['shape'], given[f'{name}s']['offset']) for name in streams}
    this = model.run_pass(inputs)
    weights, fused = model.aggregator.attend(this.fused)
    close(weights, expected['attention'], 1e-5)
    close(fused[:, ::5], expected['fused'], 1e-5)
    close(this.features[:, ::5], expected['features'], 1e-5)
    output = model.head(this.features)
    close(output, expected['output'], 1e-5)
    loss = sequence_ccc_loss(output, expected['label'])
    close(loss, expected['loss_ccc'], 1e-5)
    loss.backward()
    norms = {key.removeprefix('grad_norm.'): norm for key, norm in expected.items() if key.startswith('grad_norm.')}
    close_gradients(dict(model.named_parameters()), RULES.to_ours(norms))


@pytest.mark.parametrize('path', FILES, ids=file_name)
def test_measures(path: Path) -> None:
    _, expected = read_parity(path)
    labels = expected['label'].double().numpy()
    for prefix, label, prediction in (
        ('metric', labels, expected['output'].double().numpy()),
        ('set', expected['set.label'].double().numpy(), expected['set.pred'].double().numpy()),
    ):
        each = concordance_per_sequence(prediction, label)
        if f'{prefix}.per_sequence' in expected:
            assert each == pytest.approx(expected[f'{prefix}.per_sequence'].numpy(), abs=1e-6)
        for name, value in zip(('valence', 'arousal'), each.mean(axis=0)):
            assert value == pytest.approx(float(expected[f'{prefix}.{name}']), abs=1e-6)
        if f'{prefix}.score' in expected:
            assert each.mean() == pytest.approx(float(expected[f'{prefix}.score']), abs=1e-6)
        together = concordance_over_frames(prediction, label)
        assert together == pytest.approx(expected[f'{prefix}.concatenated'].numpy(), abs=1e-6)
    valid = concordance_over_frames(prediction, expected['set.label_with_invalid'].double().numpy())
    assert valid == pytest.approx(expected['set.concatenated_valid_only'].numpy(), abs=1e-6)


@pytest.mark.parametrize('path', FILES, ids=file_name)
def test_loss_in_float64(path: Path) -> None:
    _, expected = read_parity(path)
    prediction = expected['set.pred'][4:].double().requires_grad_()
    loss = sequence_ccc_loss(prediction, expected['set.label'][4:].double())
    close(loss, expected['set.loss_ccc_from_sequence_4'], 1e-6)
    loss.backward()
    assert prediction.grad is not None
    torch.testing.assert_close(prediction.grad, expected['set.loss_grad'], rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize('path', FILES, ids=file_name)
def test_windows(path: Path) -> None:
    for case in read_parity(path)[0]['windows']:
        train = windows_of(case['frames'], case['window'], case['overlap'])
        test = windows_of(case['frames'], case['window'], keep_tail=True)
        assert [list(bounds) for bounds in train] == case['train']
        assert [list(bounds) for bounds in test] == case['test']
