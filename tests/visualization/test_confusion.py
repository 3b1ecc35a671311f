from __future__ import annotations

import numpy as np
import pytest

from hicmae_mm.visualization import draw_confusion_matrix, save_figure


def test_cells_hold_share_of_the_true_class_and_count(tmp_path):
    figure = draw_confusion_matrix(np.array([[3, 1], [0, 2]]), ['anger', 'joy'], title='validation')
    axes = figure.axes[0]
    assert [text.get_text() for text in axes.texts] == ['75%\n3', '25%\n1', '0%\n0', '100%\n2']
    assert [label.get_text() for label in axes.get_yticklabels()] == ['anger (4)', 'joy (2)']
    assert (axes.get_xlabel(), axes.get_title()) == ('predicted class', 'validation')
    assert save_figure(figure, tmp_path / 'made' / 'matrix.png').stat().st_size > 5000


def test_class_without_clips_is_drawn_as_zero():
    figure = draw_confusion_matrix(np.array([[3, 1], [0, 0]]), ['anger', 'joy'])
    assert figure.axes[0].texts[2].get_text() == '0%\n0'


def test_many_classes_show_percent_only_and_slanted_names():
    axes = draw_confusion_matrix(np.eye(11, dtype=int), [f'emotion_{i}' for i in range(11)]).axes[0]
    assert axes.texts[0].get_text() == '100'
    assert axes.get_xticklabels()[0].get_rotation() == 45


def test_bad_input_is_named(tmp_path):
    with pytest.raises(ValueError, match=r'of 3 classes must be \(3, 3\), got \(2, 2\)'):
        draw_confusion_matrix(np.eye(2), ['a', 'b', 'c'])
    with pytest.raises(ValueError, match='its suffix must be one of'):
        save_figure(draw_confusion_matrix(np.eye(2), ['a', 'b']), tmp_path / 'matrix.txt')
