from __future__ import annotations

import numpy as np
import pytest

from hicmae_mm.visualization import Curve, draw_curves, smooth


def test_smoothing_averages_the_last_values():
    np.testing.assert_allclose(smooth(np.array([1.0, 2.0, 6.0, 1.0]), 2), [1, 1.5, 4, 3.5])
    np.testing.assert_allclose(smooth(np.array([1.0, 2.0]), 1), [1, 2])
    with pytest.raises(ValueError, match='at least 1 value, got 0'):
        smooth(np.array([1.0]), 0)


def test_one_panel_per_kind_of_value():
    x = np.arange(1, 4)
    curves = [Curve('train', x, x / 10, 'loss'), Curve('UAR', x, x / 4, 'score'), Curve('WAR', x, x / 5, 'score')]
    figure = draw_curves(curves, 'epoch', title='run')
    assert [axes.get_ylabel() for axes in figure.axes] == ['loss', 'score']
    assert {axes.get_xlabel() for axes in figure.axes} == {'epoch'}
    assert [text.get_text() for text in figure.axes[1].get_legend().get_texts()] == ['UAR', 'WAR']
    lines = figure.axes[1].get_lines()
    np.testing.assert_array_equal(lines[1].get_ydata(), x / 5)
    assert lines[0].get_color() != lines[1].get_color()
    assert lines[0].get_linestyle() != lines[1].get_linestyle()


def test_shares_show_their_whole_range():
    x = np.arange(1, 4)
    figure = draw_curves([Curve('UAR', x, x / 10, 'score', is_share=True), Curve('MSE', x, x / 10, 'error')], 'epoch')
    assert figure.axes[0].get_ylim() == (0, 1.02)
    assert figure.axes[1].get_ylim()[1] < 0.4
    beyond = draw_curves([Curve('CCC', x, x - 2.0, 'score', is_share=True)], 'epoch')
    assert beyond.axes[0].get_ylim()[0] < -0.9


def test_nothing_to_draw():
    with pytest.raises(ValueError, match='no curve'):
        draw_curves([], 'epoch')
