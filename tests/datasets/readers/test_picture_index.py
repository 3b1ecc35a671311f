"""Time stamps of decoded pictures, where some of them are wrong."""

from __future__ import annotations

from typing import Any

import pytest

from hicmae_mm.datasets.readers.picture_index import _ascending


@pytest.mark.parametrize(
    ('shown', 'decoding', 'expected'),
    [
        ([0, 10, 20], [5, 6, 7], [0, 10, 20]),
        ([None, None, None], [5, 15, 25], [5, 15, 25]),  # AVI
        ([0, 10, 10, 30], [70, 60, 50, 40], [0, 10, 20, 30]),  # edits of a list that goes back
    ],
)
def test_the_better_stamps_are_taken_and_mended(shown: list[Any], decoding: list[Any], expected: list[int]) -> None:
    assert _ascending(shown, decoding, [10] * len(shown), 10) == expected
