from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from hicmae_mm.datasets.errors import MediaError
from hicmae_mm.datasets.transforms import CutWindow


def recording(first: object, count: object, num_rows: int = 10) -> dict[str, Any]:
    rows = np.arange(10)
    return dict(
        face=rows[:num_rows, None] + 0.5,
        targets=dict(expression=rows),
        columns=dict(first_frame=first, num_frames=count),
    )


def test_sequences_and_targets_are_cut_alike() -> None:
    results = CutWindow(['face', 'voice'])(recording('4', 3))
    assert results['face'].ravel().tolist() == [4.5, 5.5, 6.5]
    assert results['targets']['expression'].tolist() == [4, 5, 6]
    assert results['first_frame'] == 4


def test_a_missing_last_row_is_repeated_if_that_is_allowed() -> None:
    results = CutWindow(['face'], max_missing=2)(recording(6, 4, num_rows=9))
    assert results['face'].ravel().tolist() == [6.5, 7.5, 8.5, 8.5]
    with pytest.raises(MediaError, match=r'face has 9 rows, the window is from 6 to 10; .*raise max_missing \(now 0\)'):
        CutWindow(['face'])(recording(6, 4, num_rows=9))
    with pytest.raises(MediaError, match='face has 6 rows'):
        CutWindow(['face'], max_missing=9)(recording(6, 4, num_rows=6))


def test_mistakes_are_named() -> None:
    with pytest.raises(ValueError, match="column first_frame: expected a whole number of frames, got 'x'"):
        CutWindow(['face'])(recording('x', 3))
    with pytest.raises(ValueError, match='max_missing must be at least 0, got -1'):
        CutWindow(['face'], max_missing=-1)
