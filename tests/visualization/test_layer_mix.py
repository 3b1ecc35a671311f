from __future__ import annotations

import numpy as np
import pytest
import torch

from hicmae_mm.visualization.layer_mix import draw_layer_mixes, layer_mixes


def test_shares_are_the_softmax() -> None:
    weights = {'aggregator.layer_weights.video': torch.tensor([0.0, np.log(3)]), 'head.fc.bias': torch.zeros(2)}
    (shares,) = layer_mixes(weights, 'x.pth').values()
    np.testing.assert_allclose(shares, [0.25, 0.75], rtol=1e-6)
    wrapped = layer_mixes({f'module.{name}': value for name, value in weights.items()}, 'x.pth')
    np.testing.assert_allclose(wrapped['video'], shares)
    in_fusion = layer_mixes({'fusion.layer_weights.video': weights['aggregator.layer_weights.video']}, 'x.pth')
    np.testing.assert_allclose(in_fusion['video'], shares)
    with pytest.raises(ValueError, match=r'x\.pth has no aggregator\.layer_weights'):
        layer_mixes({'head.fc.bias': torch.zeros(2)}, 'x.pth')


def test_bars_of_models_stand_beside_one_another() -> None:
    mixes = {name: {'video': np.array([0.2, 0.8]), 'audio': np.array([0.5, 0.5])} for name in ('a', 'b')}
    figure = draw_layer_mixes(mixes)
    assert [axes.get_title() for axes in figure.axes] == ['video encoder', 'audio encoder']
    heights = [bar.get_height() for bar in figure.axes[0].patches]
    np.testing.assert_allclose(heights, [20, 80, 20, 80])
    edges = [(bar.get_x(), bar.get_x() + bar.get_width()) for bar in figure.axes[0].patches]
    assert edges[0][1] == pytest.approx(edges[2][0])  # first layer: a, then b
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ['a', 'b']
    assert not draw_layer_mixes({'a': mixes['a']}).legends
