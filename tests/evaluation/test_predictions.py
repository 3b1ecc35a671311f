from __future__ import annotations

from pathlib import Path

import mmengine
import numpy as np
import pytest
import torch

from hicmae_mm.evaluation.predictions import read_predictions, scores_and_labels, values_and_targets


def sample(index: int, **fields: torch.Tensor) -> dict:
    return dict(sample_idx=index, sample_id=f'clip{index}', **fields)


def test_clips_count_once_and_in_order(tmp_path: Path) -> None:
    samples = [
        sample(1, pred_score=torch.tensor([0.2, 0.8]), gt_label=torch.tensor([0]), pred_values=torch.tensor([1.0])),
        sample(0, pred_score=torch.tensor([0.6, 0.4]), gt_label=torch.tensor([1]), pred_values=torch.tensor([2.0])),
    ]
    mmengine.dump([*samples, samples[0]], tmp_path / 'predictions.pkl')
    read = read_predictions(tmp_path / 'predictions.pkl')
    assert [entry['sample_id'] for entry in read] == ['clip0', 'clip1']
    scores, labels = scores_and_labels(read)
    np.testing.assert_allclose(scores, [[0.6, 0.4], [0.2, 0.8]])
    assert labels.tolist() == [1, 0]
    with pytest.raises(ValueError, match="sample 'clip0' has no gt_values: the test set needs values"):
        values_and_targets(read)
    read[0]['gt_values'] = read[1]['gt_values'] = torch.tensor([0.5])
    assert [array.tolist() for array in values_and_targets(read)] == [[[2.0], [1.0]], [[0.5], [0.5]]]


def test_what_is_no_predictions_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r'none\.pkl does not exist'):
        read_predictions(tmp_path / 'none.pkl')
    (tmp_path / 'text.pkl').write_bytes(b'hello')
    with pytest.raises(ValueError, match=r'text\.pkl is not a file of predictions'):
        read_predictions(tmp_path / 'text.pkl')
    for content, message in (({'UAR': 1.0}, 'must hold a list of samples'), ([], 'holds no predictions')):
        mmengine.dump(content, tmp_path / 'other.pkl')
        with pytest.raises(ValueError, match=message):
            read_predictions(tmp_path / 'other.pkl')
