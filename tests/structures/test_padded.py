"""Sequences of different lengths."""

from __future__ import annotations

import pytest
import torch

from hicmae_mm.structures import Padded


def test_stack_pads_with_zeros_and_keeps_lengths() -> None:
    batch = Padded.stack([torch.ones(2, 3), torch.ones(0, 3), 2 * torch.ones(4, 3)])
    assert batch.shape == (3, 4, 3)
    assert batch.lengths.tolist() == [2, 0, 4]
    assert batch.values[0].sum() == 6
    assert batch.values[1].abs().sum() == 0
    assert batch.padding.tolist() == [[False, False, True, True], [True] * 4, [False] * 4]


def test_cat_pads_to_the_longest() -> None:
    batch = Padded.cat([Padded.stack([torch.ones(2)]), Padded.stack([torch.ones(3), torch.ones(1)])])
    assert batch.values.tolist() == [[1, 1, 0], [1, 1, 1], [1, 0, 0]]
    assert batch.lengths.tolist() == [2, 3, 1]


def test_rows_are_picked_with_their_lengths() -> None:
    batch = Padded.stack([torch.tensor([1, 2]), torch.tensor([3])]).index_select(0, torch.tensor([1]))
    assert batch.values.tolist() == [[3, 0]]
    assert batch.lengths.tolist() == [1]
    with pytest.raises(ValueError, match='along dimension 0'):
        batch.index_select(1, torch.tensor([0]))


def test_shapes_are_checked() -> None:
    with pytest.raises(ValueError, match=r'expected values \(B, T, ...\) and lengths \(B,\)'):
        Padded(torch.zeros(2, 3), torch.tensor([1]))
    with pytest.raises(ValueError, match='may differ in length only'):
        Padded.stack([torch.zeros(2, 3), torch.zeros(2, 4)])
    with pytest.raises(ValueError, match='at least one sequence'):
        Padded.stack([])
