from __future__ import annotations

import pickle

import numpy as np
import pytest
import torch

from hicmae_mm.structures import EmotionDataSample, SkippedSample


def test_fields_have_the_stated_shapes_and_types() -> None:
    sample = EmotionDataSample(metainfo=dict(sample_id='a', num_views=2))
    sample.set_gt_label(2).set_gt_score([0.25, 0.75]).set_gt_values([1.5, -1.0]).set_pred_values(0.5)
    assert sample.gt_label.tolist() == [2]
    assert sample.gt_label.dtype == torch.int64
    assert sample.gt_score.tolist() == [0.25, 0.75]
    assert sample.gt_values.tolist() == [1.5, -1.0]
    assert sample.pred_values.tolist() == [0.5]
    assert (sample.sample_id, sample.num_views) == ('a', 2)


def test_pred_score_sets_the_label() -> None:
    sample = EmotionDataSample().set_pred_score(np.array([0.1, 0.7, 0.2]))
    assert sample.pred_label.tolist() == [1]
    torch.testing.assert_close(sample.pred_score, torch.tensor([0.1, 0.7, 0.2]))


@pytest.mark.parametrize('label', [-1, torch.tensor([1, 2])])
def test_label_must_be_one_index(label: object) -> None:
    with pytest.raises(ValueError, match='one class index'):
        EmotionDataSample().set_gt_label(label)


@pytest.mark.parametrize('label', [1.0, True])
def test_label_must_be_an_integer(label: object) -> None:
    with pytest.raises(TypeError, match='integer class index'):
        EmotionDataSample().set_gt_label(label)


@pytest.mark.parametrize('values', [[], [[1.0, 2.0]]])
def test_vectors_must_be_vectors(values: list) -> None:
    with pytest.raises(ValueError, match='at least one entry'):
        EmotionDataSample().set_gt_values(values)


def test_survives_pickling() -> None:
    sample = pickle.loads(pickle.dumps(EmotionDataSample(metainfo=dict(sample_id='a')).set_gt_label(1)))
    assert (sample.sample_id, sample.gt_label.tolist()) == ('a', [1])
    assert pickle.loads(pickle.dumps(SkippedSample('a', 'b'))) == SkippedSample('a', 'b')
