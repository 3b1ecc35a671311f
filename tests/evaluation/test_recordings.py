from __future__ import annotations

import numpy as np
import pytest

from hicmae_mm.evaluation.functional import merge_recordings, recording_of

PATTERN = r'^(.+)_\d+\.mp4$'


def test_name_of_the_recording_is_the_group() -> None:
    assert recording_of('aiim001/aiim001_task_1_07.mp4', PATTERN) == 'aiim001/aiim001_task_1'
    with pytest.raises(ValueError, match="sample 'intro.mp4' belongs to no recording"):
        recording_of('intro.mp4', PATTERN)
    with pytest.raises(ValueError, match="sample 'clip.mp4' belongs to no recording"):
        recording_of('clip.mp4', r'clip(_\d)?')  # it matches, but without the group


def test_scores_of_a_recording_are_averaged() -> None:
    ids = ['b_1.mp4', 'a_1.mp4', 'b_2.mp4', 'b_3.mp4', 'a_2.mp4']
    scores = np.array([[0.9, 0.1], [0.4, 0.6], [0.1, 0.9], [0.2, 0.8], [0.0, 1.0]])
    names, merged, labels = merge_recordings(ids, scores, np.array([0, 1, 0, 0, 1]), PATTERN)
    assert names == ['b', 'a']
    np.testing.assert_allclose(merged, [[0.4, 0.6], [0.2, 0.8]])
    assert labels.tolist() == [0, 1]


def test_merging_equals_a_naive_loop() -> None:
    noise = np.random.default_rng(0)
    owners = noise.integers(0, 7, 50)
    ids = [f'rec{owner}_{number}.mp4' for number, owner in enumerate(owners)]
    scores = noise.random((50, 5))
    names, merged, labels = merge_recordings(ids, scores, owners % 5, PATTERN)
    for name, score, label in zip(names, merged, labels):
        rows = [row for row, sample_id in zip(scores, ids) if sample_id.startswith(f'{name}_')]
        np.testing.assert_allclose(score, sum(rows) / len(rows))
        assert label == int(name[3:]) % 5


def test_clips_of_a_recording_with_two_labels_are_named() -> None:
    ids = ['a_1.mp4', 'b_1.mp4', 'a_2.mp4']
    message = r"recording 'a' must have one label, but 'a_1.mp4' has 0 and 'a_2.mp4' has 2"
    with pytest.raises(ValueError, match=message):
        merge_recordings(ids, np.ones((3, 3)), np.array([0, 1, 2]), PATTERN)
