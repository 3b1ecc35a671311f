"""What a model remembers of samples."""

from __future__ import annotations

import pytest
import torch

from hicmae_mm.models import SampleMemory
from hicmae_mm.structures import EmotionDataSample


def batch(*places: int) -> list[EmotionDataSample]:
    return [EmotionDataSample(metainfo=dict(sample_idx=place)) for place in places]


def memory() -> SampleMemory:
    memory = SampleMemory(2)
    memory.allocate(5, 'cpu')
    return memory


def test_rows_that_were_not_written_have_the_default() -> None:
    remembered = memory()
    remembered.write(batch(3, 0), torch.tensor([[1.0, 2.0], [0.0, 0.0]]))
    found = remembered.read(batch(0, 1, 3), torch.full((3, 2), 9.0))
    assert found.tolist() == [[0, 0], [9, 9], [1, 2]]
    assert remembered.is_written.tolist() == [True, False, False, True, False]


def test_the_last_row_of_a_sample_counts() -> None:
    remembered = memory()
    remembered.write(batch(1, 2, 1), torch.tensor([[1.0, 1.0], [2.0, 2.0], [3.0, 3.0]]))
    assert remembered.rows[1:3].tolist() == [[3, 3], [2, 2]]


def test_no_gradient_and_no_weights() -> None:
    remembered = memory()
    rows = torch.ones(1, 2, requires_grad=True)
    remembered.write(batch(4), rows)
    assert not remembered.read(batch(4), torch.zeros(1, 2)).requires_grad
    assert not remembered.state_dict()
    assert not list(remembered.buffers())


def test_errors_name_the_fix() -> None:
    with pytest.raises(ValueError, match='works in a training by AudioVisualRunner only'):
        SampleMemory(2).read(batch(0), torch.zeros(1, 2))
    with pytest.raises(ValueError, match='sample_idx 5 is not in the training set of 5 samples'):
        memory().read(batch(0, 5), torch.zeros(2, 2))
    with pytest.raises(ValueError, match="PackStreams must keep 'sample_idx'"):
        memory().read([EmotionDataSample()], torch.zeros(1, 2))
    with pytest.raises(ValueError, match=r'expected rows of shape \(1, 2\), got \(2, 2\)'):
        memory().write(batch(0), torch.zeros(2, 2))
    with pytest.raises(ValueError, match='width must be at least 1, got 0'):
        SampleMemory(0)
