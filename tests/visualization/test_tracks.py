"""Predictions over time of results with several targets per frame, short and long."""

from __future__ import annotations

from typing import Any

import numpy as np

from hicmae_mm.visualization.timeline import draw_timeline
from hicmae_mm.visualization.tracks import Track, tracks_of
from tests.visualization.results import RESULT


def frame_result(num_frames: int) -> dict[str, Any]:
    """Four classes, valence and four action units of every frame; every second of 25 frames has another class."""
    leading = np.arange(num_frames) // 25 % 4
    scores = {name: np.where(leading == number, 0.7, 0.1).tolist() for number, name in enumerate('abcd')}
    scores['a'][3] = scores['b'][3] = scores['c'][3] = scores['d'][3] = None
    units = {f'AU{number}': (leading == number).astype(float).tolist() for number in range(4)}
    return RESULT | dict(
        label='a',
        scores=dict.fromkeys('abcd', 0.25),
        values=dict(valence=0.5),
        duration_seconds=num_frames / 25,
        faces=[],
        frames=dict(
            seconds=[number / 25 for number in range(num_frames)],
            mood=dict(label=['abcd'[number] for number in leading], scores=scores),
            valence=dict(values=dict(valence=np.linspace(0, 1, num_frames).tolist())),
            action_units=dict(values=units),
        ),
    )


def test_every_target_of_the_frames_has_a_track():
    tracks = tracks_of(frame_result(100))
    assert [(track.title, track.is_score, track.names) for track in tracks] == [
        ('mood (%)', True, ['a', 'b', 'c', 'd']),
        ('valence', False, ['valence']),
        ('action units', False, ['AU0', 'AU1', 'AU2', 'AU3']),
    ]
    assert tracks[1].overall['valence'] == 0.5
    assert np.isnan(tracks[0].values[3]).all()
    assert not np.isnan(tracks[0].overall['a'])
    labels = [axes.get_ylabel() for axes in draw_timeline(frame_result(100)).axes]
    assert labels == ['emotion', 'mood (%)', 'valence', 'action units']


def test_a_long_clip_is_drawn_by_means_and_rows():
    result = frame_result(15000)
    mood, valence, units = (track.merged(600) for track in tracks_of(result))
    assert len(mood.values) == len(mood.edges) - 1 == 600
    np.testing.assert_allclose(np.diff(mood.edges), 1.0)
    np.testing.assert_allclose(mood.values[:4], 0.1 + 0.6 * np.eye(4))  # the frame without scores does not count
    assert (mood.is_dense, valence.is_dense, units.is_dense) == (True, False, True)
    figure = draw_timeline(result)
    assert [text.get_text() for text in figure.axes[1].get_yticklabels()] == list('abcd')
    assert figure.axes[3].get_xlabel() == 'time (s); drawn are means over 1 s'
    assert [text.get_text() for text in figure.axes[0].get_legend().get_texts()] == list('abcd')
    assert 'Poly' not in str([type(child) for child in figure.axes[2].collections])
    (patch,) = figure.axes[2].patches
    assert len(patch.get_data().values) == 600


def test_joined_steps_keep_the_edges_of_uneven_ones():
    edges = np.array([0.0, 9.0, 9.2, 9.4, 9.6, 9.8, 10.0])
    values = np.arange(6.0)[:, None]
    joined = Track('', 'values', edges, values, ['x'], dict(x=0.0)).merged(2)
    assert joined.edges.tolist() == [0.0, 9.0, 10.0]
    np.testing.assert_allclose(joined.values[:, 0], [0.0, 3.0])
