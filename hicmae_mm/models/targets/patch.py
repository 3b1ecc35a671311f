"""Reconstruction targets: normalised patches of the input itself."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import torch
from einops import rearrange
from torch import Tensor, nn

from hicmae_mm.models.layers import gather_tokens, scatter_tokens
from hicmae_mm.models.layers.patchify import patchify
from hicmae_mm.models.targets.layout import channels_first, channels_last, unpatchify
from hicmae_mm.registry import MODELS
from hicmae_mm.structures import TokenMask

STD_EPS = 1e-6


class PatchTarget(nn.Module):
    """Makes targets of masked patches, each normalised per channel over its own elements (HiCMAE, "Pre-training", 5).

    Args:
        patch: Patch size per axis; injected by the model from the encoder.
        in_channels: Channels of the input; injected by the model.
        normalize: Subtract each patch's mean and divide by its unbiased standard deviation plus 1e-6, per channel.
    """

    def __init__(self, patch: Sequence[int], in_channels: int, normalize: bool = True) -> None:
        super().__init__()
        self.patch, self.in_channels, self.normalize = tuple(patch), in_channels, normalize
        self.out_channels = in_channels * prod(self.patch)

    @property
    def weights(self) -> Tensor | None:
        """Returns the weight of every element in the loss, ``(P,)`` with mean 1.

        ``None`` means that all count alike.
        """
        return None

    @torch.no_grad()
    def forward(self, x: Tensor, mask: TokenMask) -> Tensor:
        """Targets of the tokens that a decoder predicts, which are the masked ones unless it has its own mask.

        Args:
            x: ``(B, C, ...)`` input of the stream.
            mask: Mask of the tokens.

        Returns:
            ``(B, M, P)`` float32, elements in order (patch axes..., channel).
        """
        values = self.normalized(x, mask.predicted)  # (B, M, C, E)
        return channels_last(self.encode(values, x, mask).flatten(2), self.in_channels)

    @torch.no_grad()
    def paste(self, x: Tensor, prediction: Tensor, mask: TokenMask) -> Tensor:
        """Undoes the normalisation of predictions with the true patches' statistics and puts them into the input.

        Args:
            x: ``(B, C, ...)`` input of the stream.
            prediction: ``(B, M, P)`` as a decoder gives it.
            mask: Mask of the predicted tokens.

        Returns:
            The input with its predicted patches replaced, same shape as ``x``.
        """
        values = rearrange(
            channels_first(prediction.float(), self.in_channels), 'b m (c e) -> b m c e', c=self.in_channels
        )
        values = self.decode(values, x, mask)
        if self.normalize:
            mean, std = self._statistics(self._raw(x, mask.predicted))
            values = values * std + mean
        patches = patchify(x.float(), self.patch)  # (B, N, C*E)
        return unpatchify(
            scatter_tokens(self.from_pixels(values).flatten(2), mask.predicted, patches), x.shape[2:], self.patch
        )

    @torch.no_grad()
    def blank(self, x: Tensor, mask: TokenMask) -> Tensor:
        """Returns the input with its masked patches set to 0, same shape as ``x``; for pictures."""
        patches = patchify(x.float(), self.patch)
        hidden = torch.zeros_like(gather_tokens(patches, mask.masked))
        return unpatchify(scatter_tokens(hidden, mask.masked, patches), x.shape[2:], self.patch)

    def normalized(self, x: Tensor, indices: Tensor) -> Tensor:
        """Patches of the input by token, ``(B, M, C, E)``, normalised if the target is."""
        values = self._raw(x, indices)
        if not self.normalize:
            return values
        mean, std = self._statistics(values)
        return (values - mean) / std

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
        """Inverts :meth:`to_pixels`."""
        return values

    def encode(self, values: Tensor, x: Tensor, mask: TokenMask) -> Tensor:  # noqa: ARG002
        """Transforms the normalised patches of the predicted tokens ``(B, M, C, E)`` further; here it does nothing."""
        return values

    def decode(self, values: Tensor, x: Tensor, mask: TokenMask) -> Tensor:  # noqa: ARG002
        """Inverts :meth:`encode`."""
        return values


@MODELS.register_module()
class SpectrogramPatchTarget(PatchTarget):
    """Makes targets of normalised spectrogram patches. The arguments are those of :class:`PatchTarget`.

    Example:
        >>> import torch
        >>> from hicmae_mm.structures import as_token_mask
        >>> from hicmae_mm.models.targets import SpectrogramPatchTarget
        >>> target = SpectrogramPatchTarget(patch=(16, 16), in_channels=1)
        >>> mask = as_token_mask(torch.tensor([[True, False, True, True]]))
        >>> target(torch.randn(1, 1, 32, 32), mask).shape  # three masked patches of 16 x 16 values
        torch.Size([1, 3, 256])
    """
