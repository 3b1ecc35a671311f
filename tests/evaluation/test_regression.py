from __future__ import annotations

import numpy as np
import pytest

from hicmae_mm.evaluation.functional import average_values, concordance_correlation, regression_measures

TARGETS = np.array([[0.0, 1.0], [1.0, 2.0], [2.0, 6.0]])


def test_perfect_prediction():
    measures = {key: values.tolist() for key, values in regression_measures(TARGETS, TARGETS).items()}
    assert measures['MAE'] == measures['MSE'] == measures['RMSE'] == [0, 0]
    assert measures['ACC'] == [1, 1]
    np.testing.assert_allclose([measures['PCC'], measures['CCC']], 1)


def test_shifted_prediction_by_hand():
    measures = regression_measures(TARGETS + np.array([0.5, 1.0]), TARGETS)
    np.testing.assert_allclose(measures['MAE'], [0.5, 1.0])
    np.testing.assert_allclose(measures['ACC'], [0.5, 0.0])
    np.testing.assert_allclose(measures['MSE'], [0.25, 1.0])
    np.testing.assert_allclose(measures['RMSE'], [0.5, 1.0])
    np.testing.assert_allclose(measures['PCC'], 1)
    # unbiased variances 1 and 7: 2 var / (2 var + shift^2)
    np.testing.assert_allclose(measures['CCC'], [2 / 2.25, 14 / 15])


def test_constant_prediction_has_no_correlation():
    measures = regression_measures(np.ones_like(TARGETS), TARGETS)
    assert measures['PCC'].tolist() == measures['CCC'].tolist() == [0, 0]
    assert concordance_correlation(np.ones((3, 1)), np.ones((3, 1))).tolist() == [0]


def test_one_dimension_and_views():
    assert regression_measures(TARGETS[:, 0], TARGETS[:, 0])['MAE'].shape == (1,)
    np.testing.assert_allclose(average_values(np.array([[[1.0], [2.0]], [[3.0], [6.0]]])), [[1.5], [4.5]])


def test_bad_input_is_named():
    with pytest.raises(ValueError, match=r'predictions \(3, 1\) and targets \(3, 2\) must have one shape'):
        regression_measures(TARGETS[:, :1], TARGETS)
    with pytest.raises(ValueError, match='at least one sample'):
        regression_measures(np.empty((0, 2)), np.empty((0, 2)))
    broken = TARGETS.copy()
    broken[1, 0] = np.nan
    with pytest.raises(ValueError, match=r'prediction .* of sample 1 is not finite'):
        regression_measures(broken, TARGETS)
