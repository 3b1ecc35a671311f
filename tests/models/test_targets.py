from __future__ import annotations

import itertools

import pytest
import torch

from hicmae_mm.models.heads import ReconstructionHead
from hicmae_mm.models.layers import gather_tokens
from hicmae_mm.models.targets import SpectrogramPatchTarget, VideoPatchTarget
from hicmae_mm.structures import TokenMask

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


def whole_video_target(x: torch.Tensor, patch: tuple[int, int, int], group: int) -> torch.Tensor:
    """Every token of ``(B, 3, T, H, W)``: normalised tubelets, then differences of whole frames."""
    pixels = x * torch.tensor(STD).view(3, 1, 1, 1) + torch.tensor(MEAN).view(3, 1, 1, 1)
    normed = torch.empty_like(pixels)
    steps = [range(0, x.shape[axis + 2], patch[axis]) for axis in range(3)]
    boxes = [
        (..., *(slice(start, start + size) for start, size in zip(starts, patch)))
        for starts in itertools.product(*steps)
    ]
    for box in boxes:
        flat = pixels[box].flatten(2)  # (B, 3, t * h * w)
        mean, std = flat.mean(-1), flat.std(-1, unbiased=True) + 1e-6
        normed[box] = (pixels[box] - mean[..., None, None, None]) / std[..., None, None, None]
    changes = normed.clone()
    for t in range(x.shape[2]):
        if t % group:
            changes[:, :, t] = normed[:, :, t] - normed[:, :, t - t % group]
    tokens = [changes[box].permute(0, 2, 3, 4, 1).flatten(1) for box in boxes]
    return torch.stack(tokens, dim=1)  # (B, N, P)


@pytest.mark.parametrize(('frames', 'group'), [(2, 2), (2, 4), (2, 8), (4, 2), (4, 4), (1, 2)])
def test_differences_within_and_across_tubelets_equal_those_of_the_whole_video(frames: int, group: int) -> None:
    torch.manual_seed(0)
    x, patch = torch.randn(2, 3, 8, 4, 8), (frames, 4, 4)
    num_tokens = 8 // frames * 2
    mask = TokenMask.from_bool(torch.rand(2, num_tokens).argsort(dim=1) < num_tokens // 2)
    target = VideoPatchTarget(patch, group_size=group)
    expected = gather_tokens(whole_video_target(x, patch, group), mask.masked)
    torch.testing.assert_close(target(x, mask), expected, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(target.paste(x, target(x, mask), mask), x, atol=1e-4, rtol=1e-4)


def test_weighted_differences_by_hand() -> None:
    """Half of a tubelet's elements are its first frame, so a weight of 0.5 changes nothing."""
    torch.manual_seed(0)
    x, mask = torch.randn(2, 3, 2, 4, 8), TokenMask.from_bool(torch.tensor([[True, False], [False, True]]))
    plain = ReconstructionHead((2, 4, 4), 3, dict(type='VideoPatchTarget'), dict(type='MaskedMSELoss'))
    prediction = torch.randn(2, 1, plain.out_channels)
    errors = (prediction - plain.target(x, mask)).square()
    first, change = errors[..., :48].mean(), errors[..., 48:].mean()
    for weight in (0.0, 0.2, 0.5, 1.0):
        settings = dict(type='VideoPatchTarget', difference_weight=weight)
        head = ReconstructionHead((2, 4, 4), 3, settings, dict(type='MaskedMSELoss', loss_weight=3.0))
        torch.testing.assert_close(head.loss(prediction, x, mask), 3 * ((1 - weight) * first + weight * change))
        assert float(head.target.weights.mean()) == pytest.approx(1)
        assert head.state_dict() == {}
    torch.testing.assert_close(plain.loss(prediction, x, mask), (first + change) / 2)


def test_groups_and_weights_must_fit_the_tubelets() -> None:
    with pytest.raises(ValueError, match='groups of 2 does not fit tubelets of 3 frames'):
        VideoPatchTarget((3, 4, 4))
    with pytest.raises(ValueError, match=r'difference_weight=0.3 must lie in 0..1 and needs .*group_size=4'):
        VideoPatchTarget((2, 4, 4), group_size=4, difference_weight=0.3)
    with pytest.raises(ValueError, match=r'frame_difference=False'):
        VideoPatchTarget((2, 4, 4), frame_difference=False, difference_weight=0.3)
