from __future__ import annotations

import numpy as np
import pytest
import torch

from hicmae_mm.evaluation import RegressionMetric
from hicmae_mm.evaluation.functional import sentiment_measures


def test_mosi_by_hand():
    targets = np.array([-3.0, -0.6, 0.0, 0.0, 0.4, 2.6])
    predictions = np.array([-4.0, 0.0, -0.2, 0.3, 0.5, 2.4])
    measures = sentiment_measures(predictions, targets, 'mosi')
    # not negative: true 0 0 1 1 1 1, predicted 0 1 0 1 1 1
    assert measures['ACC2'] == pytest.approx(4 / 6)
    assert measures['F1'] == pytest.approx((2 * 1 / 2 + 4 * 3 / 4) / 6)
    # positive, without two neutral clips: true 0 0 1 1, predicted 0 0 1 1
    assert measures['ACC2_nonzero'] == measures['F1_nonzero'] == 1
    # true -3 -1 0 0 0 3, predicted -3 0 0 0 0 (0.5 to even) 2; up to 2 the last is equal
    assert measures['ACC7'] == pytest.approx(4 / 6)
    assert measures['ACC5'] == pytest.approx(5 / 6)


def test_sims_by_hand_with_values_on_edges():
    targets = np.array([-0.8, -0.7, -0.1, 0.0, 0.1, 0.8])
    predictions = np.array([-0.7, -0.2, -0.05, 0.05, -0.05, 1.7])
    measures = sentiment_measures(predictions.astype(np.float32), targets, 'sims')
    # positive: true 0 0 0 0 1 1, predicted 0 0 0 1 0 1
    assert measures['ACC2'] == pytest.approx(4 / 6)
    assert measures['F1'] == pytest.approx((4 * 3 / 4 + 2 * 1 / 2) / 6)
    # true - - - 0 0 +, predicted - - 0 0 0 +; of five: true 0 0 1 2 2 4, predicted 0 1 2 2 2 4
    assert measures['ACC3'] == pytest.approx(5 / 6)
    assert measures['ACC5'] == pytest.approx(4 / 6)
    # 0.1 in single precision lies above 0.1 in double precision, and still counts as neutral
    assert sentiment_measures(np.float32([0.0, 1.0]), np.float32([0.1, 1.0]), 'sims')['ACC3'] == 1


def test_metric_adds_sentiment():
    values = [(-1.0, -2.0), (1.0, 2.0), (0.4, -1.0)]
    samples = [
        {'sample_idx': i, 'pred_values': torch.tensor([guess]), 'gt_values': torch.tensor([true])}
        for i, (guess, true) in enumerate(values)
    ]
    metric = RegressionMetric(sentiment='mosi', prefix='val')
    metric.process({}, samples)
    measures = metric.evaluate(3)
    assert measures['val/ACC2'] == measures['val/ACC2_nonzero'] == pytest.approx(2 / 3)
    assert measures['val/ACC7'] == 0
    assert measures['val/MAE'] == pytest.approx((1 + 1 + 1.4) / 3)
    plain = RegressionMetric()
    plain.process({}, samples)
    assert 'ACC2' not in plain.evaluate(3)


def test_sentiment_errors_name_the_fix():
    with pytest.raises(ValueError, match=r"must be 'mosi' \(-3 to 3\) or 'sims' \(-1 to 1\), got 'mosei'"):
        RegressionMetric(sentiment='mosei')
    with pytest.raises(ValueError, match=r"target 2\.0 of sample 1 is beyond -1\.0 to 1\.0 of sentiment='sims'"):
        sentiment_measures(np.zeros(2), np.array([0.0, 2.0]), 'sims')
    with pytest.raises(ValueError, match='every target is 0'):
        sentiment_measures(np.ones(2), np.zeros(2), 'mosi')
    with pytest.raises(ValueError, match='sentiment is one value per clip, got 2'):
        sentiment_measures(np.ones((3, 2)), np.ones((3, 2)), 'mosi')
