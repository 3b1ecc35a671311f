"""Metrics against the published implementation's numbers (``metrics.json``)."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from hicmae_mm.evaluation import ClassificationMetric, RegressionMetric
from hicmae_mm.evaluation.functional import average_class_scores, average_values, confusion_matrix
from hicmae_mm.registry import MODELS

FIELDS = {
    'UAR': 'uar',
    'WAR': 'war',
    'weighted_f1': 'weighted_f1',
    'micro_f1': 'micro_f1',
    'macro_f1': 'macro_f1',
    'top5': 'top5',
}


@pytest.fixture
def cases(parity_dir: Path) -> list[dict]:
    return json.loads((parity_dir / 'metrics.json').read_text())


def test_classification(cases: list[dict]):
    chosen = [case for case in cases if case['task'] == 'classification']
    assert chosen
    for case in chosen:
        scores = average_class_scores(np.array(case['view_logits']))
        labels = np.array(case['labels'])
        assert confusion_matrix(scores.argmax(1), labels, case['num_classes']).tolist() == case['confusion_matrix']
        metric = ClassificationMetric(topk=(5,))
        metric.process(
            {},
            [
                {'pred_score': torch.from_numpy(score), 'gt_label': torch.tensor([label]), 'sample_idx': index}
                for index, (score, label) in enumerate(zip(scores, case['labels']))
            ],
        )
        measures = metric.evaluate(len(labels))
        for ours, published in FIELDS.items():
            assert measures[ours] == pytest.approx(case[published], rel=1e-12), ours


def test_regression(cases: list[dict]):
    chosen = [case for case in cases if case['task'] == 'regression']
    assert chosen
    for case in chosen:
        predictions = average_values(np.array(case['view_outputs']))
        metric = RegressionMetric()
        metric.process(
            {},
            [
                {'pred_values': prediction, 'gt_values': target, 'sample_idx': index}
                for index, (prediction, target) in enumerate(zip(predictions, case['labels']))
            ],
        )
        measures = metric.evaluate(len(predictions))
        for name, (mean, per_dimension) in case['metrics'].items():
            assert measures[name.upper()] == pytest.approx(mean, rel=1e-9), name
            for dimension, value in enumerate(per_dimension):
                assert measures[f'{name.upper()}/{dimension}'] == pytest.approx(value, rel=1e-9), (name, dimension)


@pytest.mark.parametrize(('loss_type', 'field'), [('CCCLoss', 'ccc_loss'), ('PCCLoss', 'pcc_loss')])
def test_regression_losses(cases: list[dict], loss_type: str, field: str):
    loss = MODELS.build({'type': loss_type})
    for case in cases:
        if case['task'] != 'regression':
            continue
        predictions = torch.tensor(case['view_outputs'], dtype=torch.float64).mean(dim=1)
        value = loss(predictions, torch.tensor(case['labels'], dtype=torch.float64))
        assert float(value) == pytest.approx(case[field], rel=1e-5)
