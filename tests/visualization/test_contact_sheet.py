from __future__ import annotations

import numpy as np
import pytest

from hicmae_mm.evaluation.clip_result import ClipResult
from hicmae_mm.visualization.contact_sheet import draw_contact_sheet, highest


def test_a_row_per_clip() -> None:
    rng = np.random.default_rng(0)
    frames, sound = rng.integers(0, 255, (6, 8, 8, 3), dtype=np.uint8), rng.normal(size=(16, 8))
    both = ClipResult('a', ['x', 'y'], np.array([0.3, 0.7]), label=0, frames=frames, spectrogram=sound)
    deaf = ClipResult('b', ['x', 'y'], np.array([0.9, 0.1]), label=0, frames=frames)
    values = ClipResult(
        'c', ['valence'], np.array([1.0]), values=np.array([3.0]), is_regression=True, spectrogram=sound
    )
    figure = draw_contact_sheet([both, deaf, values], 'worst', num_frames=3)
    assert [part.get_suptitle() for part in figure.subfigs] == [
        '1. a: y (true: x)',
        '2. b: x (true: x)',
        '3. c: mean error 2.00',
    ]
    assert [len(part.axes) for part in figure.subfigs] == [5, 4, 2]
    assert figure.subfigs[2].axes[-1].get_xlabel() == 'value'
    assert figure.subfigs[0].axes[-1].get_xlabel() == ''
    with pytest.raises(ValueError, match='no clip'):
        draw_contact_sheet([])


def test_of_many_classes_the_highest_and_the_true_one() -> None:
    scores = np.array([0.1, 0.4, 0.3, 0.15, 0.05])
    assert highest(scores, 4, 5) == [0, 1, 2, 3, 4]
    assert highest(scores, 4, 3) == [1, 2, 4]
    assert highest(scores, 2, 3) == [1, 2, 3]
    assert highest(scores, None, 2) == [1, 2]
