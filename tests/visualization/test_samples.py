from __future__ import annotations

import numpy as np
import pytest
from matplotlib.axes import Axes

from hicmae_mm.visualization.samples import PipelineTrace, draw_trace, expand_mask


def test_a_mask_covers_its_patches() -> None:
    mask = np.array([True, False, False, True])
    expected = np.zeros((2, 4, 6), dtype=bool)
    expected[:, :2, :3] = expected[:, 2:, 3:] = True
    assert np.array_equal(expand_mask(mask, (1, 2, 2), (2, 4, 6)), expected)
    for grid, shape in (((1, 2, 2), (2, 5, 6)), ((2, 2, 2), (2, 4, 6))):
        with pytest.raises(ValueError, match='a mask of 4 patches on a grid'):
            expand_mask(mask, grid, shape)


def test_a_strip_for_every_step_and_the_sound() -> None:
    frames = np.full((4, 8, 8, 3), 200, dtype=np.uint8)
    hidden = np.array([True, False])
    trace = PipelineTrace(
        frames={'DecodeFrames': frames, 'model input': frames},
        spectrogram=np.zeros((8, 4)),
        masks={'video': hidden, 'audio': hidden},
        grids={'video': (1, 1, 2), 'audio': (2, 1)},
    )
    figure = draw_trace(trace, 'a clip', num_frames=2)
    first, last, sound = figure.subfigs
    assert [axes.get_title() for axes in first.axes] == ['frame 1', 'frame 3']
    assert first.axes[0].get_ylabel() == 'DecodeFrames\n8 x 8'
    before, after = (part.axes[0].images[0].get_array() for part in (first, last))
    assert np.allclose(before, 200 / 255)
    assert np.allclose(after[:, 4:], 200 / 255)
    assert np.allclose(after[:, :4], 0xB0 / 255)
    assert np.array_equal(sound.axes[0].images[0].get_array().mask[0], [True] * 4 + [False] * 4)
    assert figure.get_suptitle() == 'a clip'


def test_features_are_maps_or_curves() -> None:
    trace = PipelineTrace(sequences=dict(face=np.eye(3, 5), pulse=np.arange(4.0)))
    figure = draw_trace(trace)
    maps = [axes for axes in figure.findobj(Axes) if axes.images]
    curves = [axes for axes in figure.findobj(Axes) if axes.lines]
    np.testing.assert_array_equal(maps[0].images[0].get_array(), np.eye(3, 5).T)
    np.testing.assert_array_equal(curves[0].lines[0].get_ydata(), np.arange(4.0))


def test_nothing_to_draw() -> None:
    with pytest.raises(ValueError, match='no stream to draw'):
        draw_trace(PipelineTrace())
