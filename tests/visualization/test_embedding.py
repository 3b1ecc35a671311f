from __future__ import annotations

import numpy as np
import pytest

from hicmae_mm.visualization.embedding import draw_embedding, embed, silhouette


def two_groups() -> tuple[np.ndarray, np.ndarray]:
    labels = np.repeat([0, 1], 10)
    return np.random.default_rng(0).normal(size=(20, 6)) + 20 * labels[:, None], labels


@pytest.mark.parametrize('method', ['tsne', 'pca'])
def test_groups_stay_apart(method: str) -> None:
    features, labels = two_groups()
    points = embed(features, method)
    assert points.shape == (20, 2)
    assert np.array_equal(points, embed(features, method))
    assert silhouette(points, labels) > 0.6
    assert silhouette(features, labels) > 0.6


def test_too_little_is_refused() -> None:
    with pytest.raises(ValueError, match='3 clips are too few'):
        embed(np.zeros((3, 4)))
    with pytest.raises(ValueError, match=r"method must be one of .* got 'umap'"):
        embed(np.zeros((9, 4)), 'umap')
    assert np.isnan(silhouette(np.zeros((4, 2)), np.zeros(4)))
    with pytest.raises(ValueError, match='no features'):
        draw_embedding({}, None)


def test_classes_differ_in_colour_and_marker() -> None:
    labels = np.arange(16)
    names = [f'class {i}' for i in labels]
    points = np.random.default_rng(0).normal(size=(16, 2))
    figure = draw_embedding({'video': points, 'audio': points}, labels, names)
    assert [text.get_text() for text in figure.legends[0].get_texts()] == names
    looks = {
        (tuple(dots.get_facecolor()[0]), dots.get_paths()[0].vertices.tobytes()) for dots in figure.axes[0].collections
    }
    assert len(looks) == 16
    assert [axes.get_title() for axes in figure.axes] == ['video', 'audio']
    assert len(draw_embedding({'video': points}, None).axes[0].collections) == 1
