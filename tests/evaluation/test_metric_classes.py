from __future__ import annotations

import numpy as np
import pytest
import torch
from mmengine.logging import MMLogger

from hicmae_mm.evaluation import ClassificationMetric, MERMultiMetric, RegressionMetric
from hicmae_mm.evaluation.functional import area_under_curve, classification_measures
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


def test_area_under_curve_is_an_option():
    metric = METRICS.build({'type': 'ClassificationMetric', 'auc': True, 'topk': ()})
    metric.process({}, clips([0, 1, 2, 3]))
    measures = metric.evaluate(4)
    assert measures['AUC'] == area_under_curve(SCORES.double().numpy(), np.array(LABELS))
    assert list(measures) == ['UAR', 'WAR', 'weighted_f1', 'micro_f1', 'macro_f1', 'AUC']


def test_recordings_are_measured_instead_of_clips(caplog):
    MMLogger.get_instance('hicmae_mm_test_recordings').addHandler(caplog.handler)
    metric = METRICS.build({'type': 'ClassificationMetric', 'group_pattern': r'^(.+)_\d+$', 'topk': ()})
    samples = [
        {'sample_idx': i, 'sample_id': name, 'pred_score': torch.tensor(score), 'gt_label': torch.tensor([label])}
        for i, (name, score, label) in enumerate(
            [('x_1', [0.9, 0.1], 0), ('y_1', [0.6, 0.4], 1), ('x_2', [0.4, 0.6], 0), ('y_2', [0.45, 0.55], 1)]
        )
    ]
    metric.process({}, [*samples, samples[3]])  # a repeated clip must not weigh more
    measures = metric.evaluate(4)
    # x: (0.65, 0.35) is right; y: (0.525, 0.475) is wrong, though half of its clips were right
    assert measures['WAR'] == 0.5
    assert measures['weighted_f1'] == pytest.approx((2 / 3 + 0) / 2)
    assert 'of 2 recordings, merged from 4 clips' in caplog.text


@pytest.mark.parametrize(
    ('pattern', 'message'),
    [('(', 'is not a regular expression'), ('a', 'must have one group, .* got 0'), ('(a)(b)', 'got 2')],
)
def test_group_pattern_must_name_the_recording(pattern: str, message: str):
    with pytest.raises(ValueError, match=message):
        ClassificationMetric(group_pattern=pattern)


def mer_clips() -> list[dict]:
    values = [(0.5, 1.5), (-1.0, -1.0), (2.0, 0.0), (0.0, 1.0)]  # squared errors 1, 0, 4, 1
    return [
        {**clip, 'pred_values': torch.tensor([predicted]), 'gt_values': torch.tensor([true])}
        for clip, (predicted, true) in zip(clips([0, 1, 2, 3]), values)
    ]


def test_mer_multi_by_hand():
    metric = METRICS.build({'type': 'MERMultiMetric'})
    metric.process({}, mer_clips())
    metric.process({}, mer_clips()[:1])
    measures = metric.evaluate(4)
    # right: clips 0, 1, 3; clip 2 (class 0) taken for class 1: F1 2/3, 2/3, 1 with weights 2, 1, 1
    weighted_f1 = (2 * 2 / 3 + 2 / 3 + 1) / 4
    expected = {'weighted_f1': weighted_f1, 'WAR': 0.75, 'UAR': 2.5 / 3, 'MSE': 1.5, 'MER': weighted_f1 - 0.25 * 1.5}
    assert measures == pytest.approx(expected)
    assert list(measures) == list(expected)
    assert metric.results == []


def test_mer_multi_needs_a_class_and_a_value():
    metric = MERMultiMetric()
    metric.process({}, [])
    with pytest.raises(ValueError, match=r"sample 'clip_1' has no pred_values"):
        metric.process({}, clips([1]))
    without_class = {key: value for key, value in mer_clips()[1].items() if key != 'pred_score'}
    with pytest.raises(ValueError, match=r"sample 'clip_1' has no pred_score"):
        metric.process({}, [without_class])
    assert metric.results == []
