from __future__ import annotations

import numpy as np
import pytest

from hicmae_mm.datasets.clips.media import ArrayAudio
from hicmae_mm.visualization.timeline import draw_timeline, ink_on, read_envelope
from hicmae_mm.visualization.tracks import scores_over_time
from tests.conftest import MediaFolder
from tests.visualization.results import RESULT, window


def test_a_moment_is_the_mean_of_the_windows_over_it():
    edges, values, names = scores_over_time(RESULT)
    assert names == ['joy', 'anger']
    assert edges.tolist() == [0, 1, 2, 3, 4, 6]
    np.testing.assert_allclose(values[:, 0], [0.8, 0.6, 0.4, np.nan, np.nan])
    with pytest.raises(ValueError, match='no values'):
        scores_over_time(RESULT, 'values')


def test_an_envelope_is_that_of_the_samples(media: MediaFolder):
    wave = np.array([0.1, -0.2, 0.5, 0.4, -0.9, 0.0], np.float32)
    envelope = read_envelope(wave, 2, parts=3)
    assert envelope is not None
    np.testing.assert_allclose(envelope.low, [-0.2, 0.0, -0.9], atol=1e-6)
    np.testing.assert_allclose(envelope.high, [0.1, 0.5, 0.0], atol=1e-6)
    assert envelope.seconds == 3.0
    long = np.random.default_rng(0).normal(0, 0.1, 70 * 100).astype(np.float32)  # read in three parts
    whole, parted = read_envelope(long, 100, 50), read_envelope(ArrayAudio(long, 100), parts=50)
    assert whole is not None
    assert parted is not None
    np.testing.assert_array_equal(whole.high, parted.high)
    assert read_envelope(None) is None
    from_file = read_envelope(media.wav())
    assert from_file is not None
    assert from_file.high.max() == pytest.approx(0.5, abs=0.01)


def test_panels_of_a_timeline():
    figure = draw_timeline(RESULT, read_envelope(np.zeros(600, np.float32), 100))
    labels = [axes.get_ylabel() for axes in figure.axes]
    assert labels == ['emotion', 'score (%)', 'sound', 'face seen']
    assert figure.axes[-1].get_xlabel() == 'time (s)'
    assert figure.axes[-1].get_xlim() == (0, 6)
    assert [text.get_text() for text in figure.axes[0].texts] == ['joy', 'anger']
    assert [text.get_text() for text in figure.axes[1].get_legend().get_texts()] == ['joy', 'anger']
    assert figure.get_suptitle() == 'talk.mp4: joy 60 %'


def test_values_and_many_classes():
    names = [f'class {number}' for number in range(11)]
    scores = dict.fromkeys(names, 1 / 11)
    values = dict(valence=0.5)
    result = RESULT | dict(scores=scores, values=values, label=names[0], faces=[])
    result['windows'] = [window(0.0, 6.0, scores, 1.0) | dict(values=values)]
    figure = draw_timeline(result)
    assert [axes.get_ylabel() for axes in figure.axes if axes.get_ylabel()] == ['value', 'score (%)']  # 2nd: colour bar
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == names
    assert figure.get_suptitle() == 'talk.mp4: class 0 9 %, valence 0.50'
    with pytest.raises(ValueError, match='nothing to draw, broken'):
        draw_timeline(dict(name='x', error='broken'))


def test_text_can_be_read_on_its_colour():
    assert [ink_on(color) for color in ('#0072B2', '#56B4E9', '#000000')] == ['white', 'black', 'white']
