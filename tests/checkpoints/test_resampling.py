"""Patch embeddings and position tables of another input size."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from hicmae_mm.checkpoints.resampling import adapt_patch_embed, adapt_positions


def random_kernel(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


def test_equal_sizes_change_nothing() -> None:
    kernel, table = random_kernel(5, 3, 2, 4, 4), random_kernel(1, 24, 5)
    assert torch.equal(adapt_patch_embed(kernel, (2, 4, 4), 3), kernel)
    assert torch.equal(adapt_positions(table, (2, 3, 4), (2, 3, 4)), table)


@pytest.mark.parametrize('frames', [1, 2, 4, 6])
def test_time_keeps_the_answer_to_a_still_picture(frames: int) -> None:
    kernel, picture = random_kernel(5, 3, 2, 4, 4), random_kernel(1, 3, 4, 4)
    adapted = adapt_patch_embed(kernel, (frames, 4, 4), 3)
    answer = torch.einsum('dcthw,bchw->bd', adapted, picture)
    torch.testing.assert_close(answer, torch.einsum('dcthw,bchw->bd', kernel, picture))


def test_time_repeated_or_summed_by_hand() -> None:
    kernel = random_kernel(5, 1, 2, 4, 4)
    doubled = adapt_patch_embed(kernel, (4, 4, 4), 1)
    torch.testing.assert_close(doubled, kernel.repeat_interleave(2, dim=2) / 2)
    torch.testing.assert_close(adapt_patch_embed(kernel, (4, 4), 1), kernel.sum(dim=2))
    inflated = adapt_patch_embed(kernel[:, :, 0], (3, 4, 4), 1)
    torch.testing.assert_close(inflated, kernel[:, :, :1].expand(-1, -1, 3, -1, -1) / 3)


def test_channels_keep_the_answer_to_grey() -> None:
    colour, grey = random_kernel(5, 3, 2, 4, 4), random_kernel(1, 1, 2, 4, 4)
    expected = F.conv3d(grey.expand(-1, 3, -1, -1, -1), colour)
    torch.testing.assert_close(F.conv3d(grey, adapt_patch_embed(colour, (2, 4, 4), 1)), expected)
    single = colour[:, :1]
    answer = F.conv3d(grey.expand(-1, 3, -1, -1, -1), adapt_patch_embed(single, (2, 4, 4), 3))
    torch.testing.assert_close(answer, F.conv3d(grey, single))


def test_a_larger_patch_answers_to_the_enlarged_picture_as_the_small_one_did() -> None:
    kernel, small = random_kernel(5, 3, 8, 8), random_kernel(2, 3, 8, 8)
    large = F.interpolate(small, size=(16, 16), mode='bicubic', antialias=True)
    answer = F.conv2d(large, adapt_patch_embed(kernel, (16, 16), 3))
    torch.testing.assert_close(answer, F.conv2d(small, kernel), rtol=1e-4, atol=1e-4)


def test_only_kernels_of_pictures_and_clips() -> None:
    with pytest.raises(ValueError, match=r'4 or 5 axes, the checkpoint has \(4, 3\)'):
        adapt_patch_embed(torch.zeros(4, 3), (2, 4, 4), 3)
    with pytest.raises(ValueError, match=r'2 input channels cannot be adapted to 3'):
        adapt_patch_embed(torch.zeros(4, 2, 4, 4), (4, 4), 3)


def ramp(*grid: int) -> Tensor:
    """A table whose entries are their own coordinates, ``(1, N, axes)``."""
    axes = torch.meshgrid(*(torch.arange(length).float() for length in grid), indexing='ij')
    return torch.stack(axes, dim=-1).reshape(1, -1, len(grid))


def test_a_shorter_time_is_cut_a_longer_one_interpolated() -> None:
    assert torch.equal(adapt_positions(ramp(4, 2, 2), (4, 2, 2), (3, 2, 2)), ramp(3, 2, 2))
    longer = adapt_positions(ramp(2, 2, 2), (2, 2, 2), (4, 2, 2)).reshape(4, 2, 2, 3)
    torch.testing.assert_close(longer[:, 0, 0, 0], torch.tensor([0.0, 0.25, 0.75, 1.0]))
    assert torch.equal(longer[..., 1:], ramp(4, 2, 2).reshape(4, 2, 2, 3)[..., 1:])


def test_space_is_interpolated_and_time_kept() -> None:
    wider = adapt_positions(ramp(3, 4, 4), (3, 4, 4), (3, 8, 4)).reshape(3, 8, 4, 3)
    assert torch.allclose(wider[..., 0], torch.arange(3.0)[:, None, None].expand(3, 8, 4), atol=1e-5)
    rows = wider[1, :, 2, 1]
    torch.testing.assert_close(rows[2:6], torch.tensor([0.75, 1.25, 1.75, 2.25]), atol=0.06, rtol=0)
    mel = adapt_positions(ramp(2, 4), (2, 4), (2, 8)).reshape(2, 8, 2)
    assert torch.allclose(mel[:, :, 0], torch.arange(2.0)[:, None].expand(2, 8), atol=1e-5)
    assert mel[0, :, 1].diff().min() > 0
