from __future__ import annotations

import numpy as np
import pytest
import torch
from mmengine.logging import MMLogger

from hicmae_mm.evaluation import ClassificationMetric, RegressionMetric
from hicmae_mm.evaluation.functional import classification_measures
from hicmae_mm.registry import METRICS

SCORES = torch.tensor([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.35, 0.4, 0.25], [0.2, 0.2, 0.6]])
LABELS = [0, 1, 0, 2]


def clips(order: list[int]) -> list[dict]:
    return [
        {
            'sample_idx': index,
            'sample_id': f'clip_{index}',
            'pred_score': SCORES[index],
            'gt_label': torch.tensor([LABELS[index]]),
        }
        for index in order
    ]


def test_classification_through_the_registry():
    metric = METRICS.build({'type': 'ClassificationMetric', 'topk': (2,), 'classwise': True})
    metric.dataset_meta = {'classes': ('anger', 'joy', 'fear')}
    metric.process({}, clips([0, 1]))
    metric.process({}, clips([2, 3]))
    measures = metric.evaluate(4)
    assert measures['UAR'] == pytest.approx((0.5 + 1 + 1) / 3)
    assert measures['WAR'] == 0.75
    assert measures['top2'] == 1
    assert measures['recall/anger'] == 0.5
    assert all(isinstance(value, float) for value in measures.values())
    assert metric.results == []


def test_repeated_samples_count_once_in_any_order():
    metric = ClassificationMetric(prefix='val')
    metric.process({}, clips([3, 1, 0, 2, 0, 3]))
    expected = classification_measures(SCORES.double().numpy(), np.array(LABELS))
    assert metric.evaluate(4) == {f'val/{key}': value for key, value in expected.items()}


def test_log_holds_the_confusion_matrix(caplog):
    MMLogger.get_instance('hicmae_mm_test_metrics').addHandler(caplog.handler)
    metric = ClassificationMetric()
    metric.dataset_meta = {'classes': ('anger', 'joy', 'fear')}
    metric.process({}, clips([0, 1, 2, 3]))
    metric.evaluate(4)
    rows = [line.split() for line in caplog.text.splitlines()]
    assert ['anger', '1', '1', '0', '0.5000'] in rows


def test_classification_errors_name_the_sample():
    metric = ClassificationMetric()
    bad = clips([1])
    bad[0]['gt_label'] = torch.tensor([3])
    with pytest.raises(ValueError, match=r"label 3 of sample 'clip_1' is out of range: .* expected 0 to 2"):
        metric.process({}, bad)
    with pytest.raises(ValueError, match=r"sample 'clip_1' has no pred_score"):
        metric.process({}, [{'sample_id': 'clip_1', 'gt_label': torch.tensor([1])}])
    with pytest.raises(ValueError, match='no sample to evaluate'):
        metric.evaluate(0)
    with pytest.raises(ValueError, match='topk must hold positive numbers'):
        ClassificationMetric(topk=(0,))


def test_regression_metric():
    metric = METRICS.build({'type': 'RegressionMetric'})
    metric.dataset_meta = {'dimensions': ('valence', 'arousal')}
    targets = torch.tensor([[0.1, 0.2], [0.4, 0.9], [0.8, 0.3]])
    predictions = targets + torch.tensor([0.0, 0.1])
    metric.process({}, [{'pred_values': p, 'gt_values': t} for p, t in zip(predictions, targets)])
    measures = metric.evaluate(3)
    assert measures['MAE'] == pytest.approx(0.05)
    assert measures['MAE/valence'] == pytest.approx(0, abs=1e-7)
    assert measures['ACC/arousal'] == pytest.approx(0.9)
    assert measures['PCC'] == pytest.approx(1)
    assert list(measures)[:6] == ['ACC', 'MAE', 'MSE', 'RMSE', 'PCC', 'CCC']


def test_regression_errors_name_the_sample():
    sample = {'sample_id': 'a', 'pred_values': torch.zeros(2), 'gt_values': torch.zeros(3)}
    with pytest.raises(ValueError, match="sample 'a' has 3 values, the model predicts 2"):
        RegressionMetric().process({}, [sample])
