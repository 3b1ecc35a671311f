from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.special import softmax

from hicmae_mm.evaluation.ensembles import average_models


def samples(seed: int, count: int = 3, **fields: Any) -> list[dict[str, Any]]:
    logits = np.random.default_rng(seed).normal(size=(count, 4))
    return [
        dict(sample_idx=index, sample_id=f'{index}', gt_label=1, pred_score=softmax(row), pred_values=row[:2], **fields)
        for index, row in enumerate(logits)
    ]


def test_logits_and_values_are_averaged() -> None:
    merged = average_models([samples(0), samples(1)])
    logits = np.mean([np.random.default_rng(seed).normal(size=(3, 4)) for seed in (0, 1)], axis=0)
    np.testing.assert_allclose([sample['pred_score'].numpy() for sample in merged], softmax(logits, axis=1), rtol=1e-9)
    np.testing.assert_allclose([sample['pred_values'].numpy() for sample in merged], logits[:, :2], rtol=1e-9)
    assert [int(sample['pred_label']) for sample in merged] == logits.argmax(axis=1).tolist()
    assert [(sample['sample_id'], sample['gt_label']) for sample in merged] == [('0', 1), ('1', 1), ('2', 1)]


def test_a_score_of_0_does_not_decide_alone() -> None:
    sure, unsure = [dict(pred_score=np.array([1.0, 0.0]))], [dict(pred_score=np.array([0.4, 0.6]))]
    (merged,) = average_models([sure, unsure])
    assert np.isfinite(merged['pred_score'].numpy()).all()
    assert int(merged['pred_label']) == 0


def test_models_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match='file 2 predicts other clips than file 1'):
        average_models([samples(0), samples(1, count=2)])
    other = samples(1)
    del other[1]['pred_values']
    with pytest.raises(ValueError, match="sample '1' has no pred_values: one of the models lacks it"):
        average_models([samples(0), other])
    other = samples(1)
    other[2]['pred_score'] = np.array([0.5, 0.5])
    with pytest.raises(ValueError, match="pred_score of sample '2' has other shapes"):
        average_models([samples(0), other])
