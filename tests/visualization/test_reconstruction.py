from __future__ import annotations

import numpy as np
import pytest
import torch
from matplotlib.colors import to_rgb

from hicmae_mm.visualization import draw_reconstruction, unnormalise_video
from hicmae_mm.visualization.style import MASK_COLOR

MEAN, STD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)


@pytest.fixture
def streams() -> dict[str, dict[str, torch.Tensor]]:
    video, audio = torch.rand(3, 4, 32, 32) + 0.1, torch.rand(1, 64, 16) + 0.1
    stages = {}
    for name, original in (('video', video), ('audio', audio)):
        masked = original.clone()
        masked[..., :16, :] = 0
        stages[name] = {'original': original, 'masked': masked, 'reconstruction': original * 0.9}
    return stages


def test_normalisation_is_undone():
    pixels = torch.randint(0, 256, (2, 5, 6, 3)).float()  # (T, H, W, 3)
    normalised = ((pixels - torch.tensor(MEAN)) / torch.tensor(STD)).permute(3, 0, 1, 2)
    np.testing.assert_allclose(unnormalise_video(normalised, MEAN, STD), pixels / 255, atol=1e-5)


def test_strips_and_panels(streams):
    figure = draw_reconstruction(streams, MEAN, STD, title='clip', num_frames=2)
    axes = [axes for part in figure.subfigs for axes in part.axes]
    strips, panels = axes[:6], axes[6:9]
    assert [cell.get_ylabel() for cell in strips[::2]] == ['original', 'model input', 'reconstruction']
    assert [cell.get_title() for cell in strips[:2]] == ['frame 1', 'frame 3']
    assert [cell.get_title() for cell in panels] == ['original', 'model input', 'reconstruction']
    assert panels[0].get_xlabel() == 'time (s)'
    assert panels[0].get_ylabel() == 'mel band'
    assert panels[0].get_xlim() == (0, 0.64)
    assert panels[0].get_ylim() == (0, 16)


def test_hidden_patches_are_grey(streams):
    figure = draw_reconstruction(streams, MEAN, STD, num_frames=1)
    strips, panels = figure.subfigs
    masked = strips.axes[1].get_images()[0].get_array()  # (H, W, 3)
    np.testing.assert_allclose(masked[:16], np.broadcast_to(to_rgb(MASK_COLOR), (16, 32, 3)))
    expected = unnormalise_video(streams['video']['original'], MEAN, STD)[0, 16:]
    np.testing.assert_allclose(masked[16:], expected)
    hidden = panels.axes[1].get_images()[0].get_array().mask  # (F, T)
    assert hidden[:, :16].all()
    assert not hidden[:, 16:].any()


def test_stream_that_is_no_picture(streams):
    with pytest.raises(ValueError, match=r"stream 'text' of shape \(7, 5\) cannot be drawn"):
        draw_reconstruction({'text': {'original': torch.zeros(7, 5)}}, MEAN, STD)
    with pytest.raises(ValueError, match='no stream'):
        draw_reconstruction({}, MEAN, STD)
