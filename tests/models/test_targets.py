from __future__ import annotations

import pytest
import torch

from hicmae_mm.models.layers import TokenMask
from hicmae_mm.models.targets import SpectrogramPatchTarget, VideoPatchTarget

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def naive_video_target(x: torch.Tensor, difference: bool) -> torch.Tensor:
    """One tubelet, ``(3, 2, 4, 4)``, by loops over channels and pixels."""
    out = torch.empty(2, 4, 4, 3)
    for c in range(3):
        pixels = x[c] * STD[c] + MEAN[c]
        normed = (pixels - pixels.mean()) / (pixels.std(unbiased=True) + 1e-6)
        out[0, :, :, c] = normed[0]
        out[1, :, :, c] = normed[1] - normed[0] if difference else normed[1]
    return out.flatten()


@pytest.mark.parametrize('difference', [True, False])
def test_video_target_equals_a_loop(difference: bool) -> None:
    torch.manual_seed(0)
    x = torch.randn(2, 3, 2, 4, 8)
    mask = TokenMask.from_bool(torch.tensor([[True, False], [False, True]]))
    target = VideoPatchTarget((2, 4, 4), frame_difference=difference)(x, mask)
    assert target.shape == (2, 1, 96)
    torch.testing.assert_close(target[0, 0], naive_video_target(x[0, ..., :4], difference))
    torch.testing.assert_close(target[1, 0], naive_video_target(x[1, ..., 4:], difference))


def test_spectrogram_target_is_normalised_per_patch() -> None:
    x = 5 + 3 * torch.randn(1, 1, 4, 8)
    mask = TokenMask.from_bool(torch.tensor([[True, False]]))
    target = SpectrogramPatchTarget((4, 4), in_channels=1)(x, mask)
    patch = x[0, 0, :, :4].flatten()
    torch.testing.assert_close(target[0, 0], (patch - patch.mean()) / (patch.std() + 1e-6))


@pytest.mark.parametrize('normalize', [True, False])
@pytest.mark.parametrize(
    ('cls', 'patch', 'shape'),
    [(VideoPatchTarget, (2, 4, 4), (2, 3, 4, 8, 8)), (SpectrogramPatchTarget, (4, 4), (2, 1, 8, 16))],
)
def test_a_perfect_prediction_restores_the_input(cls: type, patch: tuple, shape: tuple, normalize: bool) -> None:
    torch.manual_seed(0)
    x, target = torch.randn(shape), cls(patch, in_channels=shape[1], normalize=normalize)
    mask = TokenMask.from_bool(torch.rand(2, 8).argsort(dim=1) < 5)
    torch.testing.assert_close(target.paste(x, target(x, mask), mask), x, rtol=1e-4, atol=1e-4)
    blank = target.blank(x, mask)
    assert float((blank == 0).float().mean()) == pytest.approx(5 / 8)
    assert torch.equal(blank[blank != 0], x[blank != 0])


def test_frame_difference_needs_pairs() -> None:
    with pytest.raises(ValueError, match='even number of frames per tubelet, got 1'):
        VideoPatchTarget((1, 4, 4))
