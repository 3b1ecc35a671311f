from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from hicmae_mm.datasets import collate_streams
from hicmae_mm.datasets.transforms import MultiView

PACK = dict(type='PackStreams', arrays=('face',), sequences=dict(text='ids'))


def _add(number: float) -> Any:
    def step(results: dict) -> dict:
        results['face'] += number  # in place: the views must not share arrays
        return results

    return step


def _results(length: int = 3) -> dict[str, Any]:
    return dict(face=np.zeros((1, 2), np.float32), ids=np.arange(length), streams=('face', 'text'), sample_id='a')


def test_views_are_neighbouring_rows() -> None:
    view = MultiView([[_add(1), PACK], [_add(2), PACK]])
    batch = collate_streams([view.transform(_results(3) | dict(gt_label=1)), view.transform(_results(2))])
    assert batch['inputs']['face'][:, 0].tolist() == [1, 2, 1, 2]
    assert batch['inputs']['text'].lengths.tolist() == [3, 3, 2, 2]
    assert [int(sample.num_views) for sample in batch['data_samples']] == [2, 2]
    assert batch['data_samples'][0].gt_label.tolist() == [1]


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match='at least two pipelines, got 1'):
        MultiView([[PACK]])
    with pytest.raises(ValueError, match=r"pack different inputs: \['face', 'text'\] and \['face'\]"):
        MultiView([[PACK], [dict(type='PackStreams', arrays=('face',))]]).transform(_results())
    with pytest.raises(ValueError, match='each pipeline of MultiView must end with PackStreams'):
        MultiView([[PACK], [_add(1)]]).transform(_results())
    with pytest.raises(ValueError, match='must stand before OpenVideo'):
        MultiView([[PACK], [PACK]]).transform(_results() | dict(video_reader='open'))
