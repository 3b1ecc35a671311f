"""Reconstruction targets: normalised patches of the input itself."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import torch
from einops import rearrange
from torch import Tensor, nn

from hicmae_mm.models.layers import TokenMask, gather_tokens, scatter_tokens
from hicmae_mm.models.layers.patchify import channels_first, channels_last, patchify, unpatchify
from hicmae_mm.registry import MODELS

STD_EPS = 1e-6


class PatchTarget(nn.Module):
    """Masked patches, each normalised per channel over its own elements (HiCMAE, "Pre-training", item 5).

    Args:
        patch: Patch size per axis; injected by the model from the encoder.
        in_channels: Channels of the input; injected by the model.
        normalize: Subtract each patch's mean and divide by its unbiased standard deviation plus 1e-6, per channel.
    """

    def __init__(self, patch: Sequence[int], in_channels: int, normalize: bool = True) -> None:
        super().__init__()
        self.patch, self.in_channels, self.normalize = tuple(patch), in_channels, normalize
        self.out_channels = in_channels * prod(self.patch)

    @torch.no_grad()
    def forward(self, x: Tensor, mask: TokenMask) -> Tensor:
        """Targets of the masked tokens only.

        Args:
            x: ``(B, C, ...)`` input of the stream.
            mask: Which tokens are masked.

        Returns:
            ``(B, M, P)`` float32, elements in order (patch axes..., channel).
        """
        values = self._raw(x, mask.masked)  # (B, M, C, E)
        if self.normalize:
            mean, std = self._statistics(values)
            values = (values - mean) / std
        return channels_last(self.encode(values).flatten(2), self.in_channels)

    @torch.no_grad()
    def paste(self, x: Tensor, prediction: Tensor, mask: TokenMask) -> Tensor:
        """Undoes the normalisation of predictions with the true patches' statistics and puts them into the input.

        Args:
            x: ``(B, C, ...)`` input of the stream.
            prediction: ``(B, M, P)`` as a decoder gives it.
            mask: Which tokens were predicted.

        Returns:
            The input with its masked patches replaced, same shape as ``x``.
        """
        values = rearrange(
            channels_first(prediction.float(), self.in_channels), 'b m (c e) -> b m c e', c=self.in_channels
        )
        values = self.decode(values)
        if self.normalize:
            mean, std = self._statistics(self._raw(x, mask.masked))
            values = values * std + mean
        patches = patchify(x.float(), self.patch)  # (B, N, C*E)
        return unpatchify(
            scatter_tokens(self.from_pixels(values).flatten(2), mask.masked, patches), x.shape[2:], self.patch
        )

    @torch.no_grad()
    def blank(self, x: Tensor, mask: TokenMask) -> Tensor:
        """The input with its masked patches set to 0, same shape as ``x``; for pictures."""
        patches = patchify(x.float(), self.patch)
        hidden = torch.zeros_like(gather_tokens(patches, mask.masked))
        return unpatchify(scatter_tokens(hidden, mask.masked, patches), x.shape[2:], self.patch)

    def _raw(self, x: Tensor, indices: Tensor) -> Tensor:
        patches = patchify(x.float(), self.patch, indices)
        return self.to_pixels(rearrange(patches, 'b m (c e) -> b m c e', c=self.in_channels))

    @staticmethod
    def _statistics(values: Tensor) -> tuple[Tensor, Tensor]:
        return values.mean(dim=-1, keepdim=True), values.var(dim=-1, unbiased=True, keepdim=True).sqrt() + STD_EPS

    def to_pixels(self, values: Tensor) -> Tensor:
        """Undoes the input's own normalisation, ``(B, M, C, E)``; nothing to undo here."""
        return values

    def from_pixels(self, values: Tensor) -> Tensor:
        """Inverse of :meth:`to_pixels`."""
        return values

    def encode(self, values: Tensor) -> Tensor:
        """A further transform of the normalised patches ``(B, M, C, E)``; none here."""
        return values

    def decode(self, values: Tensor) -> Tensor:
        """Inverse of :meth:`encode`."""
        return values


@MODELS.register_module()
class SpectrogramPatchTarget(PatchTarget):
    """Normalised spectrogram patches. Arguments as in :class:`PatchTarget`."""


@MODELS.register_module()
class VideoPatchTarget(PatchTarget):
    """Normalised tubelets with frame difference: of each pair of frames, the second becomes second minus first.

    Args:
        patch: Tubelet size (frames, height, width); injected by the model from the encoder.
        in_channels: Colour channels; injected by the model.
        normalize: As in :class:`PatchTarget`.
        frame_difference: Predict the change of every second frame instead of the frame.
        mean: Per-channel mean that the input was normalised with, pixels in 0..1.
        std: Per-channel standard deviation, likewise.

    Raises:
        ValueError: Frame difference with an odd number of frames per tubelet.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        patch: Sequence[int],
        in_channels: int = 3,
        normalize: bool = True,
        frame_difference: bool = True,
        mean: Sequence[float] = (0.485, 0.456, 0.406),
        std: Sequence[float] = (0.229, 0.224, 0.225),
    ) -> None:
        super().__init__(patch, in_channels, normalize)
        if frame_difference and patch[0] % 2:
            raise ValueError(f'frame_difference needs an even number of frames per tubelet, got {patch[0]}')
        self.frame_difference = frame_difference
        self.register_buffer('mean', torch.tensor(mean)[:, None], persistent=False)  # (C, 1)
        self.register_buffer('std', torch.tensor(std)[:, None], persistent=False)

    def to_pixels(self, values: Tensor) -> Tensor:
        """Undoes the ImageNet normalisation, ``(B, M, C, E)``."""
        return values * self.std + self.mean

    def from_pixels(self, values: Tensor) -> Tensor:
        """Inverse of :meth:`to_pixels`."""
        return (values - self.mean) / self.std

    def encode(self, values: Tensor) -> Tensor:
        """Frame difference within each pair of frames of a tubelet, ``(B, M, C, E)``."""
        return self._pairs(values, -1) if self.frame_difference else values

    def decode(self, values: Tensor) -> Tensor:
        """Inverse of :meth:`encode`."""
        return self._pairs(values, 1) if self.frame_difference else values

    def _pairs(self, values: Tensor, sign: int) -> Tensor:
        pairs = rearrange(values, 'b m c (t two e) -> two b m c t e', two=2, t=self.patch[0] // 2)
        first, second = pairs.unbind(0)
        return rearrange(torch.stack([first, second + sign * first]), 'two b m c t e -> b m c (t two e)')
