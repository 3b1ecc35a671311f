"""Makes the targets that pre-training reconstructs of a video: normalised tubelets with frame difference."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from einops import rearrange
from torch import Tensor

from hicmae_mm.models.targets.patch import PatchTarget
from hicmae_mm.registry import MODELS
from hicmae_mm.structures import TokenMask


@MODELS.register_module()
class VideoPatchTarget(PatchTarget):
    """Makes targets of normalised tubelets: each group's first frame is subtracted from the group's others.

    Groups of 2 (the published recipe) lie within a tubelet: the second frame becomes second minus first. Groups of 4
    with tubelets of 2 span two tubelets: ``[f0, f1 - f0], [f2 - f0, f3 - f0]``. Tubelets are normalised before.

    Args:
        patch: Tubelet size (frames, height, width); injected by the model from the encoder.
        in_channels: Colour channels; injected by the model.
        normalize: The argument of :class:`PatchTarget`.
        frame_difference: Predict changes instead of frames.
        group_size: Frames per group; divides the tubelet's frames, or is a multiple of them.
        difference_weight: Share w of the differences in the loss, 0 to 1: ``(1 - w) * MSE of the first frames + w * MSE
            of the differences``. ``None`` means every element counts alike. Only for groups within a tubelet.
        mean: Per-channel mean that the input was normalised with, pixels in 0..1.
        std: Per-channel standard deviation, likewise.

    Raises:
        ValueError: If groups do not fit the tubelets, or there is a weight without groups within a tubelet.

    Example:
        >>> import torch
        >>> from hicmae_mm.structures import as_token_mask
        >>> from hicmae_mm.models.targets import VideoPatchTarget
        >>> target = VideoPatchTarget(patch=(2, 16, 16))
        >>> mask = as_token_mask(torch.tensor([[True, False, True, True]]))
        >>> target(torch.randn(1, 3, 2, 32, 32), mask).shape  # three masked tubelets of 2 x 16 x 16 x 3 values
        torch.Size([1, 3, 1536])
    """

    mean: Tensor
    std: Tensor
    element_weights: Tensor | None

    def __init__(
        self,
        patch: Sequence[int],
        in_channels: int = 3,
        normalize: bool = True,
        frame_difference: bool = True,
        group_size: int = 2,
        difference_weight: float | None = None,
        mean: Sequence[float] = (0.485, 0.456, 0.406),
        std: Sequence[float] = (0.229, 0.224, 0.225),
    ) -> None:
        super().__init__(patch, in_channels, normalize)
        frames = patch[0]
        if frame_difference and (group_size < 2 or (frames % group_size and group_size % frames)):
            raise ValueError(
                f'frame_difference in groups of {group_size} does not fit tubelets of {frames} frames; '
                'group_size must divide them or be a multiple'
            )
        self.frame_difference, self.group_size = frame_difference, group_size
        weights = None
        if difference_weight is not None:
            if not frame_difference or frames % group_size or not 0 <= difference_weight <= 1:
                raise ValueError(
                    f'difference_weight={difference_weight} must lie in 0..1 and needs frame_difference in groups '
                    f'within a tubelet of {frames} frames, got frame_difference={frame_difference}, '
                    f'group_size={group_size}'
                )
            is_first = torch.arange(frames) % group_size == 0
            share = 1 / group_size
            by_frame = torch.where(is_first, (1 - difference_weight) / share, difference_weight / (1 - share))
            weights = by_frame.repeat_interleave(self.out_channels // frames)  # (P,), frames are the slowest axis
        self.register_buffer('element_weights', weights, persistent=False)
        self.register_buffer('mean', torch.tensor(mean)[:, None], persistent=False)  # (C, 1)
        self.register_buffer('std', torch.tensor(std)[:, None], persistent=False)

    @property
    def weights(self) -> Tensor | None:
        """See :attr:`PatchTarget.weights`."""
        return self.element_weights

    def to_pixels(self, values: Tensor) -> Tensor:
        """Undoes the ImageNet normalisation, ``(B, M, C, E)``."""
        return values * self.std + self.mean

    def from_pixels(self, values: Tensor) -> Tensor:
        """Inverts :meth:`to_pixels`."""
        return (values - self.mean) / self.std

    def encode(self, values: Tensor, x: Tensor, mask: TokenMask) -> Tensor:
        """Computes the frame difference within each group, ``(B, M, C, E)``."""
        if not self.frame_difference:
            return values
        if self.group_size <= self.patch[0]:
            return self._within_tubelets(values, -1)
        start, is_start = self._group_starts(x, mask)
        return self._across_tubelets(values, self._first_frames(self.normalized(x, start)), is_start, -1)

    def decode(self, values: Tensor, x: Tensor, mask: TokenMask) -> Tensor:
        """Inverts :meth:`encode`. A group whose first tubelet is visible starts from the true frame."""
        if not self.frame_difference:
            return values
        if self.group_size <= self.patch[0]:
            return self._within_tubelets(values, 1)
        start, is_start = self._group_starts(x, mask)
        everywhere = torch.arange(mask.mask.shape[1], device=x.device).expand(len(x), -1)
        first = self._first_frames(self.normalized(x, everywhere))  # (B, N, C, E')
        index = mask.predicted[..., None, None].expand(-1, -1, *first.shape[2:])
        first = first.scatter(1, index, self._first_frames(values).to(first.dtype))
        first = first.gather(1, start[..., None, None].expand(-1, -1, *first.shape[2:]))
        return self._across_tubelets(values, first, is_start, 1)

    def _within_tubelets(self, values: Tensor, sign: int) -> Tensor:
        groups = rearrange(
            values, 'b m c (t g e) -> b m c t g e', g=self.group_size, t=self.patch[0] // self.group_size
        )
        first, others = groups[..., :1, :], groups[..., 1:, :]
        return rearrange(torch.cat([first, others + sign * first], dim=-2), 'b m c t g e -> b m c (t g e)')

    def _across_tubelets(self, values: Tensor, first: Tensor, is_start: Tensor, sign: int) -> Tensor:
        """Adds or subtracts the group's first frame ``(B, M, C, E')`` everywhere but in that frame itself."""
        frames = rearrange(values, 'b m c (t e) -> b m c t e', t=self.patch[0])
        changed = frames + sign * first.unsqueeze(-2)
        is_first_frame = torch.arange(self.patch[0], device=values.device) == 0  # (t,)
        is_kept = is_start[..., None, None, None] & is_first_frame[:, None]  # (B, M, 1, t, 1)
        return rearrange(torch.where(is_kept, frames, changed), 'b m c t e -> b m c (t e)')

    def _first_frames(self, values: Tensor) -> Tensor:
        """Computes the first frame of every tubelet: ``(B, M, C, t * E') -> (B, M, C, E')``."""
        return values[..., : values.shape[-1] // self.patch[0]]

    def _group_starts(self, x: Tensor, mask: TokenMask) -> tuple[Tensor, Tensor]:
        """Returns the token ``(B, M)`` that has the first frame of each token's group, and whether it is that token."""
        tokens_per_step = (x.shape[-2] // self.patch[1]) * (x.shape[-1] // self.patch[2])
        step = mask.predicted // tokens_per_step
        start = step - step % (self.group_size // self.patch[0])
        return start * tokens_per_step + mask.predicted % tokens_per_step, step == start
