from __future__ import annotations

import numpy as np
import pytest
import torch

from hicmae_mm.evaluation.clip_result import ClipResult, rank
from hicmae_mm.structures import EmotionDataSample


def test_classes() -> None:
    sample = EmotionDataSample(metainfo={'sample_id': 'a.mp4'}).set_gt_label(1).set_pred_score([0.7, 0.3])
    result = ClipResult.of(sample, {'classes': ('joy', 'fear')})
    assert (result.label, result.is_regression, result.goodness) == (1, False, pytest.approx(0.3))
    assert result.title == 'a.mp4: joy (true: fear)'
    dumped = {'sample_id': 'a.mp4', 'pred_score': torch.tensor([0.7, 0.3]), 'gt_label': torch.tensor([1])}
    assert ClipResult.of(dumped).title == 'a.mp4: 0 (true: 1)'


def test_values() -> None:
    dumped = {'sample_id': 'b', 'pred_values': torch.tensor([1.0, 2.0]), 'gt_values': torch.tensor([1.0, 5.0])}
    result = ClipResult.of(dumped, {'dimensions': ('valence', 'arousal')})
    assert (result.names, result.goodness, result.title) == (['valence', 'arousal'], -1.5, 'b: mean error 1.50')
    unlabelled = ClipResult.of({'pred_values': torch.tensor([1.0])})
    assert not unlabelled.is_annotated
    assert np.isnan(unlabelled.goodness)
    with pytest.raises(ValueError, match="sample 'c' has neither pred_score nor pred_values"):
        ClipResult.of({'sample_id': 'c'})


def test_ranking() -> None:
    results = [ClipResult(str(i), ['a', 'b'], np.array([s, 1 - s]), label=0) for i, s in enumerate((0.2, 0.9, 0.2))]
    assert [result.sample_id for result in rank([*results, ClipResult('x', ['a', 'b'], np.ones(2))])] == ['1', '0', '2']
    with pytest.raises(ValueError, match='no clip has a label'):
        rank([])


def test_what_a_clip_lacks_is_not_seen() -> None:
    result = ClipResult('a', [], np.zeros(0)).add_inputs({'audio': torch.arange(12.0).reshape(2, 1, 3, 2)}, view=1)
    assert result.frames is None
    assert result.spectrogram is not None
    assert result.spectrogram.tolist() == [[6, 7], [8, 9], [10, 11]]
