"""Noisy partial labels (ARNet, ALIM): losses, targets, prototypes, correction, schedules."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from hicmae_mm.models.losses.partial_labels import PartialLabelLoss, contrast_by_labels, contrast_with_own_key
from hicmae_mm.models.partial_labels import (
    CorrectionRule,
    PrototypeQueue,
    adjusted_target,
    automatic_ratio,
    correct_candidates,
    importance_of_others,
    margin_at,
    margin_ratio,
    start_epoch,
    target_momentum,
    uniform_target,
    update_target,
)
from tests.parity.plugins import close, file_name, plugin_files, read_parity

FORMS = dict(Case1='onehot', Case2='scale', Case3='scale')  # published names of targets
HEADS = dict(classify=0, cluster=1)  # published names of the scores, rows of the stored logits


@pytest.mark.parametrize('path', plugin_files('npl_losses*'), ids=file_name)
def test_losses(path: Path) -> None:
    meta, expected = read_parity(path)
    close(uniform_target(expected['candidates'].bool()), expected['confidence_uniform'], 1e-6)
    stored = [name for name in expected if name.startswith('loss.')]
    assert stored
    for name in stored:
        _, confidence, kind, *options = name.split('.', 3)
        given = [part.split('=') for part in _split_options(options[0] if options else '')]
        loss = PartialLabelLoss(kind, **{key: float(value) for key, value in given})
        logits = expected['logits'].clone().requires_grad_()
        value = loss(logits, expected[f'confidence_{confidence}'][expected['index']])
        close(value, expected[name], 1e-5)
        value.backward()
        assert logits.grad is not None
        close(logits.grad, expected[name.replace('loss.', 'grad.', 1)], 1e-5)
    check_contrast(meta, expected)


def _split_options(text: str) -> list[str]:
    """Splits ``sce_alpha=0.1.sce_beta=1`` at the dots between options."""
    parts: list[str] = []
    for part in filter(None, text.split('.')):
        if '=' in part:
            parts.append(part)
        else:
            parts[-1] += f'.{part}'
    return parts


def check_contrast(meta: dict[str, Any], expected: dict[str, Tensor]) -> None:
    batch = meta['batch']
    features = expected['supcon_features'].clone().requires_grad_()
    loss = contrast_by_labels(features, expected['supcon_labels'], batch)
    close(loss, expected['supcon_loss'], 1e-5)
    loss.backward()
    assert features.grad is not None
    close(features.grad, expected['supcon_grad'], 1e-5)
    queries, keys, queue = features.detach().split([batch, batch, len(features) - 2 * batch])
    close(contrast_with_own_key(queries, keys, queue), expected['moco_loss'], 1e-5)
    for name in (name for name in expected if name.startswith('ema_schedule_epochs_')):
        *epochs, _, num_epochs = name.removeprefix('ema_schedule_epochs_').split('_')
        found = [target_momentum(int(epoch), int(num_epochs)) for epoch in epochs]
        assert found == pytest.approx(expected[name].tolist(), abs=1e-12)


@pytest.mark.parametrize('path', plugin_files('npl_alim*'), ids=file_name)
def test_label_importance(path: Path) -> None:
    meta, expected = read_parity(path)
    candidates = expected['candidates'].bool()
    scores = {
        head: expected[f'{stored}_logits'].softmax(dim=1)
        for head, stored in (('cluster', 'cluster'), ('classify', 'classifier'))
    }
    ratios = margin_ratio(scores['cluster'], candidates)
    close(ratios, expected['margin_ratio'], 1e-5)
    for name in (name for name in expected if name.startswith('target_')):
        form, importance = name.removeprefix('target_').split('.lambda=')
        close(adjusted_target(scores['cluster'], candidates, float(importance), form), expected[name], 1e-5)
    for run in meta['runs']:
        target, importance, momentum = uniform_target(candidates), 0.0, 0.95
        for index, epoch in enumerate((2, 3, 4)):
            used = 0.0 if run['target'] == 'Case2' else importance
            new = adjusted_target(scores[run['prediction']], candidates, used, FORMS[run['target']])
            target = update_target(target, new, momentum)
            close(target, expected[f'{run["name"]}.confidence_after_epoch{index + 1}'], 1e-5)
            importance = next_importance(run, ratios, importance)
            assert importance == pytest.approx(float(expected[f'{run["name"]}.lambda_after_epochs'][index]), abs=1e-6)
            momentum = target_momentum(epoch, 10)


def next_importance(run: dict[str, Any], ratios: Tensor, importance: float) -> float:
    rule = run['lambda_rule']
    if rule.startswith('linear'):
        step, limit = rule.removeprefix('linear +').split(' up to ')
        return min(importance + float(step), float(limit))
    return importance_of_others(ratios, run['noise_rate'], 1.0 if run['clip_at_1'] else None)


VIEWS = dict(
    case1='weak1 weak1 weak1',
    case2='weak1 strong2 strong2',
    case3='weak1 weak2 weak2',
    case4='weak1 strong2 strong3',
    case5='weak1 weak2 strong2',
    case6='weak1 weak2 weak3',
)
UPDATES = dict(case1='uniform', case2='floor', case3='score')


@pytest.mark.parametrize('path', plugin_files('npl_arnet*'), ids=file_name)
def test_correction(path: Path) -> None:
    meta, expected = read_parity(path)
    for run in meta['runs']:
        head = HEADS[run['correct_type']]
        views = [expected[f'logits.{view}'][:, head].softmax(dim=1) for view in VIEWS[run['augmentation_type']].split()]
        target, candidates = expected['confidence_before'], expected['candidates'].bool()
        if run['epoch'] >= run['proto_start']:
            scores = expected['logits.weak1'][:, HEADS[run['proto_type']]].softmax(dim=1)
            new = adjusted_target(scores, candidates, 0.0, FORMS[run['proto_case']])
            target = update_target(target, new, meta['target_ema'])
        first, last = run['correct_threshold_range']
        rule = CorrectionRule(
            margin=margin_at(run['epoch'], run['correct_start'], run['epochs'], first, last),
            ratio=automatic_ratio(run['noise_rate'], run['partial_rate'], run['num_class'])
            if run['correct_threshold_auto']
            else None,
            update=UPDATES[run['correct_update']],
            drops_lowest=run['correct_deletion'],
        )
        assert (rule.margin if rule.ratio is None else rule.ratio) == pytest.approx(run['threshold'])
        after, corrected, is_noisy = correct_candidates(target, candidates, views, rule)
        assert int(is_noisy.sum()) == run['corrected'], run['name']
        close(after, expected[f'{run["name"]}.confidence_after'], 1e-5)
        assert torch.equal(corrected.float(), expected[f'{run["name"]}.candidates_after']), run['name']


@pytest.mark.parametrize('path', plugin_files('npl_prototypes*'), ids=file_name)
def test_prototypes(path: Path) -> None:
    meta, expected = read_parity(path)
    num_classes, dims = expected['prototypes_before'].shape
    module = PrototypeQueue(num_classes, dims, meta['queue'], meta['prototype_momentum'], meta.get('temperature', 1.0))
    module.prototypes.copy_(expected['prototypes_before'])
    module.queue.copy_(expected['queue_before'])
    module.queue_labels.copy_(expected['queue_labels_before'].long())
    class_scores = expected['logits'].softmax(dim=1)
    close(class_scores, expected['class_probability'], 1e-5)
    close(module.scores(expected['query']), expected['prototype_probability'], 1e-5)
    labels = module.pseudo_labels(class_scores, expected['candidates'].bool(), meta.get('lam', 0.0))
    batch = len(labels)
    assert torch.equal(labels.float(), expected['contrast_labels'][:batch])
    module.update(expected['query'], labels)
    close(module.prototypes, expected['prototypes_after'], 1e-5)
    module.enqueue(expected['key'], labels)
    close(module.queue, expected['queue_after'], 0)
    assert torch.equal(module.queue_labels.float(), expected['queue_labels_after'])


@pytest.mark.parametrize('path', sorted(plugin_files('npl_schedules*.json')), ids=file_name)
def test_schedules(path: Path) -> None:
    content = json.loads(path.read_text())
    for case in content['start_rule']:
        for window, first in case['first_epoch_by_window'].items():
            assert start_epoch(case['accuracy'], int(window)) == first
    assert start_epoch(content['start_rule'][0]['accuracy'], None) is None
    for case in content['threshold_schedule']:
        value = margin_at(case['epoch'], case['start'], case['epochs'], *case['range'])
        assert value == pytest.approx(case['value'], abs=1e-12)
    for case in content['auto_threshold']:
        value = automatic_ratio(case['noise_rate'], case['partial_rate'], case['num_class'])
        assert value == pytest.approx(case['value'], abs=1e-12)
