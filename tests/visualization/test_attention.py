from __future__ import annotations

import numpy as np
import pytest

from hicmae_mm.visualization.attention import draw_attention, overlay


def test_a_map_colours_the_frames_that_it_belongs_to() -> None:
    frames = np.full((4, 16, 16, 3), 128, dtype=np.uint8)
    heat = np.ones((2, 4, 4))
    heat[1, 0, 0] = 3.0
    maps = {'video': {'encoder': heat}, 'audio': {'encoder': np.arange(8.0).reshape(4, 2)}}
    labels = {name: {'encoder': f'{name} encoder'} for name in maps}
    figure = draw_attention(
        frames, np.random.default_rng(0).normal(size=(32, 16)), maps, labels, 'a clip', num_frames=4
    )
    pictures = [
        axes.images[0].get_array() for axes in figure.axes if axes.images and axes.images[0].get_array().ndim == 3
    ]
    strip, sound = pictures[4:8], pictures[8]
    assert np.array_equal(strip[0], strip[1])  # first pair of frames: a flat map
    assert not np.array_equal(strip[1], strip[2])
    assert strip[2][0, 0].sum() > strip[2][15, 15].sum()
    assert sound.shape == (16, 32, 3)  # mel bands upwards, time to the right
    assert figure.get_suptitle() == 'a clip'


def test_overlay_ends() -> None:
    frame = np.full((8, 8, 3), 255, dtype=np.uint8)
    low, high = (overlay(frame, np.full((2, 2), value), (0.0, 1.0)) for value in (0.0, 1.0))
    assert low.mean() < high.mean()
    assert low.min() >= 0
    assert high.max() <= 1


def test_a_model_without_streams() -> None:
    with pytest.raises(ValueError, match='no stream to draw'):
        draw_attention(None, None, {}, {})
