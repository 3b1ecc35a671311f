"""ABAW4 losses and measures, and M2FNet's losses, against stored numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from sklearn.metrics import accuracy_score, f1_score
from torch import Tensor

from hicmae_mm.evaluation.functional.frames import (
    action_unit_f1,
    multitask_score,
    population_concordance,
    running_mean,
)
from hicmae_mm.evaluation.functional.regression import mean_squared_error, pearson_correlation
from hicmae_mm.models.losses.frames import (
    action_unit_loss,
    ccc_loss,
    ccc_loss_with_eps,
    expectation_of_bins,
    join_tasks,
    mse_over_all_frames,
    weighted_action_unit_loss,
)
from hicmae_mm.models.losses.triplet import (
    adaptive_triplet_loss,
    covariance_term,
    extractor_loss,
    variance_term,
)
from tests.parity.plugins import close, file_name, plugin_files, read_parity

TASKS = ('valence', 'arousal', 'action_units', 'expression')


def predictions(expected: dict[str, Tensor], dtype: torch.dtype = torch.float32) -> dict[str, Tensor]:
    return {name: expected[f'pred_{name}'].to(dtype).clone().requires_grad_() for name in TASKS}


def task_losses(meta: dict[str, Any], expected: dict[str, Tensor], predicted: dict[str, Tensor]) -> dict[str, Tensor]:
    ignore = meta['ignore']
    losses = {
        name: mse_over_all_frames(predicted[name], expected[name], expected['mask'], ignore['valence_arousal'])
        for name in ('valence', 'arousal')
    }
    losses['action_units'] = action_unit_loss(predicted['action_units'], expected['action_units'])
    logits, labels = predicted['expression'].flatten(0, 1), expected['expression'].flatten()
    losses['expression'] = F.cross_entropy(logits, labels, ignore_index=ignore['expression'])
    return losses


@pytest.mark.parametrize('path', plugin_files('abaw_losses*'), ids=file_name)
def test_multi_task_losses(path: Path) -> None:
    meta, expected = read_parity(path)
    predicted = predictions(expected)
    losses = task_losses(meta, expected, predicted)
    for name, loss in losses.items():
        close(loss, expected[f'mse.loss_{name}'], 1e-5)
    close(losses['expression'], expected['expression.ce_ignore'], 1e-5)
    total = join_tasks(losses, meta['weights'])
    close(total, expected['mse.loss_total'], 1e-5)
    few = {name: losses[name] for name in ('valence', 'expression')}
    close(join_tasks(few, meta['weights']), expected['mse.loss_valence_expression_only'], 1e-5)
    gradients = torch.autograd.grad(total, list(predicted.values()), retain_graph=True)
    for name, gradient in zip(predicted, gradients):
        close(gradient, expected[f'mse.grad_pred_{name}'], 1e-5)
    normalised = join_tasks(losses, meta['weights'], normalize=True)
    close(normalised, expected['mse.loss_total_normalised'], 1e-5)
    close(torch.autograd.grad(normalised, predicted['valence'])[0], expected['mse.normalised_grad_valence'], 1e-5)


@pytest.mark.parametrize('path', plugin_files('abaw_losses*'), ids=file_name)
def test_concordance_losses(path: Path) -> None:
    meta, expected = read_parity(path)
    ignore, totals = meta['ignore']['valence_arousal'], {}
    for name in ('valence', 'arousal'):
        target = expected[name].flatten()
        x = expected[f'pred_{name}'].flatten().double().requires_grad_()
        totals[name] = ccc_loss(x, target.double(), ignore)
        close(totals[name], expected[f'ccc.loss_{name}'], 1e-6)
        close(torch.autograd.grad(totals[name], x, retain_graph=True)[0], expected[f'ccc.grad_{name}'], 1e-6)
        x = expected[f'pred_{name}'].flatten().clone().requires_grad_()
        loss = ccc_loss_with_eps(x, target, ignore)
        close(loss, expected[f'ccc.loss_{name}_with_eps'], 1e-5)
        close(torch.autograd.grad(loss, x)[0], expected[f'ccc.grad_{name}_with_eps'], 1e-5)
    predicted = predictions(expected, torch.float64)
    others = task_losses(meta, expected, predicted)
    totals |= {name: others[name] for name in ('action_units', 'expression')}
    close(join_tasks(totals, meta['weights']), expected['ccc.loss_total'], 1e-6)
    logits = expected['ccc.binned_logits'].clone().requires_grad_()
    loss = ccc_loss_with_eps(expectation_of_bins(logits), expected['valence'].flatten(), ignore)
    close(loss, expected['ccc.binned_loss_with_eps'], 1e-5)
    close(torch.autograd.grad(loss, logits)[0], expected['ccc.binned_grad'], 1e-5)


@pytest.mark.parametrize('path', plugin_files('abaw_losses*'), ids=file_name)
def test_action_units_and_measures(path: Path) -> None:
    meta, expected = read_parity(path)
    logits = expected['pred_action_units'].flatten(0, 1).clone().requires_grad_()
    units = expected['action_units'].flatten(0, 1)
    loss = weighted_action_unit_loss(logits, units, expected['au.pos_weight'])
    close(loss, expected['au.weighted_bce'], 1e-5)
    close(torch.autograd.grad(loss, logits)[0], expected['au.weighted_bce_grad'], 1e-5)

    concordances = []
    for name in ('valence', 'arousal'):
        valid = (expected[name] != meta['ignore']['valence_arousal']).flatten()
        x, y = (expected[key].flatten()[valid].double().numpy() for key in (f'pred_{name}', name))
        mse = float(mean_squared_error(x[:, None], y[:, None])[0])
        pearson, ccc = float(pearson_correlation(x[:, None], y[:, None])[0]), population_concordance(x, y)
        assert [mse, mse**0.5, pearson, ccc] == pytest.approx(expected[f'ccc.metric_{name}'].tolist(), abs=1e-6)
        concordances.append(ccc)
    known = (expected['expression'] != meta['ignore']['expression']).flatten()
    classes = expected['pred_expression'].flatten(0, 1).argmax(dim=1)[known].numpy()
    labels = expected['expression'].flatten()[known].numpy()
    macro_f1 = f1_score(labels, classes, average='macro')
    assert macro_f1 == pytest.approx(float(expected['metric.expression_macro_f1']), abs=1e-9)
    assert accuracy_score(labels, classes) == pytest.approx(float(expected['metric.expression_accuracy']), abs=1e-9)
    unit_f1 = action_unit_f1((logits.detach().sigmoid() > 0.5).long().numpy(), units.numpy())
    assert unit_f1 == pytest.approx(expected['metric.au_f1'].numpy(), abs=1e-9)
    assert unit_f1.mean() == pytest.approx(float(expected['metric.au_mean_f1']), abs=1e-9)
    score = multitask_score(np.array(concordances), macro_f1, unit_f1)
    assert score == pytest.approx(float(expected['metric.multitask_score']), abs=1e-6)


@pytest.mark.parametrize('path', plugin_files('abaw_losses*'), ids=file_name)
def test_smoothing(path: Path) -> None:
    _, expected = read_parity(path)
    stored = [name for name in expected if name.startswith('smooth.window')]
    assert stored
    for name in stored:
        window, index = name.removeprefix('smooth.window').split('.')
        smooth = running_mean(expected[f'smooth.in.{index}'].numpy(), int(window))
        assert smooth == pytest.approx(expected[name].numpy(), abs=1e-9)


def triplet(expected: dict[str, Tensor], prefix: str) -> list[Tensor]:
    return [expected[f'{prefix}.{name}'].clone().requires_grad_() for name in ('anchor', 'positive', 'negative')]


@pytest.mark.parametrize('path', plugin_files('m2fnet_triplet*'), ids=file_name)
def test_adaptive_triplets(path: Path) -> None:
    _, expected = read_parity(path)
    for prefix in sorted({name.split('.')[0] for name in expected}):
        parts = triplet(expected, prefix)
        losses = adaptive_triplet_loss(*parts)
        torch.testing.assert_close(losses.detach(), expected[f'{prefix}.per_sample'], rtol=1e-9, atol=1e-9)
        loss = losses.mean()
        torch.testing.assert_close(loss.detach(), expected[f'{prefix}.loss'], rtol=1e-9, atol=1e-9)
        hinged = adaptive_triplet_loss(*parts, hinge=True).mean().detach()
        torch.testing.assert_close(hinged, expected[f'{prefix}.loss_hinged'], rtol=1e-9, atol=1e-9)
        for name, gradient in zip(('anchor', 'positive', 'negative'), torch.autograd.grad(loss, parts)):
            torch.testing.assert_close(gradient, expected[f'{prefix}.grad_{name}'], rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize('path', plugin_files('m2fnet_extractor_loss*'), ids=file_name)
def test_extractor_loss(path: Path) -> None:
    meta, expected = read_parity(path)
    for index, case in enumerate(meta['sets']):
        parts = triplet(expected, str(index))
        with torch.no_grad():
            for name, term in (('covariance', covariance_term), ('variance', variance_term)):
                terms = torch.stack([term(part) for part in parts])
                torch.testing.assert_close(terms, expected[f'{index}.{name}_terms'], rtol=1e-9, atol=1e-9)
                torch.testing.assert_close(terms.sum(), expected[f'{index}.{name}'], rtol=1e-9, atol=1e-9)
        triplets = adaptive_triplet_loss(*parts).mean().detach()
        torch.testing.assert_close(triplets, expected[f'{index}.triplet'], rtol=1e-9, atol=1e-9)
        loss = extractor_loss(*parts, weights=tuple(case['weights']))
        torch.testing.assert_close(loss.detach(), expected[f'{index}.loss'], rtol=1e-9, atol=1e-9)
        for name, gradient in zip(('anchor', 'positive', 'negative'), torch.autograd.grad(loss, parts)):
            torch.testing.assert_close(gradient, expected[f'{index}.grad_{name}'], rtol=1e-7, atol=1e-9)
