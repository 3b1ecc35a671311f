from __future__ import annotations

import numpy as np
import pytest

from hicmae_mm.visualization import draw_prediction

FRAMES = np.zeros((16, 8, 8, 3), dtype=np.uint8)
SPECTROGRAM = np.zeros((256, 128))


def axes_of(figure):
    return [axes for part in figure.subfigs for axes in part.axes]


def test_classes():
    figure = draw_prediction(FRAMES, SPECTROGRAM, ['anger', 'joy'], [0.2, 0.8], label=0, title='a.mp4', num_frames=4)
    axes = axes_of(figure)
    assert len(axes) == 4 + 2
    assert [cell.get_title() for cell in axes[:4]] == ['frame 1', 'frame 5', 'frame 9', 'frame 13']
    assert axes[4].get_xlabel() == 'time (s)'
    np.testing.assert_allclose([bar.get_width() for bar in axes[5].patches], [20, 80])
    assert [label.get_text() for label in axes[5].get_yticklabels()] == ['anger (true)', 'joy']


def test_values_of_one_stream():
    figure = draw_prediction(None, SPECTROGRAM, ['valence'], [0.3], values=[0.5], regression=True)
    axes = axes_of(figure)
    assert len(axes) == 2
    assert [line.get_xdata()[0] for line in axes[1].get_lines()] == [0.5, 0.3]


def test_names_must_fit():
    with pytest.raises(ValueError, match='2 scores need as many names, got 1'):
        draw_prediction(FRAMES, None, ['anger'], [0.2, 0.8])
