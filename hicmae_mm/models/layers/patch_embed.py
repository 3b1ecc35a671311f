"""Patch embeddings: the slot in which a video encoder differs from an audio encoder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from hicmae_mm.models.layers.patchify import patchify, token_grid
from hicmae_mm.registry import MODELS


class PatchEmbed(nn.Module):
    """Embeds non-overlapping patches linearly, by a strided convolution over all patches or the wanted ones.

    Subclasses name their geometry. The convolution is ``proj``, so that its weights have the usual name and shape.

    Args:
        size: Input size per axis, without batch and channels.
        patch: Patch size per axis.
        in_channels: Channels C.
        embed_dims: Width D.
    """

    def __init__(self, size: Sequence[int], patch: Sequence[int], in_channels: int, embed_dims: int) -> None:
        super().__init__()
        self.size, self.patch, self.in_channels = tuple(size), tuple(patch), in_channels
        self.grid = token_grid(self.size, self.patch)
        convolution: Any = nn.Conv3d if len(self.size) == 3 else nn.Conv2d
        self.proj: nn.Conv2d | nn.Conv3d = convolution(in_channels, embed_dims, self.patch, self.patch)

    def forward(self, x: Tensor, indices: Tensor | None = None) -> Tensor:
        """Embeds ``x (B, C, *size)``: ``(B, N, D)``, or with ``indices (B, K)`` the tokens wanted, ``(B, K, D)``.

        Raises:
            ValueError: If the input is not of the configured size.
        """
        if tuple(x.shape[1:]) != (self.in_channels, *self.size):
            raise ValueError(
                f'{type(self).__name__} is configured for input (B, {self.in_channels}, '
                f'{", ".join(map(str, self.size))}), got {tuple(x.shape)}; '
                'make the pipeline and the patch embedding agree'
            )
        if indices is None:
            output: Tensor = self.proj(x).flatten(2).transpose(1, 2)  # (B, D, *grid) -> (B, N, D)
            return output
        patches = patchify(x, self.patch, indices)  # (B, K, C*P1*...)
        patches = patches.reshape(-1, self.in_channels, *self.patch)  # (B*K, C, P1, ...)
        tokens: Tensor = self.proj(patches)  # (B*K, D, 1, ...)
        return tokens.reshape(*indices.shape, -1)  # (B, K, D)


@MODELS.register_module()
class TubeletEmbed(PatchEmbed):
    """Embeds video tubelets.

    Args:
        embed_dims: Width D; injected by the encoder.
        image_size: Height and width of the square frames in pixels.
        num_frames: Frames T per clip.
        patch_size: Patch height and width in pixels.
        tubelet_size: Frames per tubelet.
        in_channels: Colour channels.

    Example:
        >>> import torch
        >>> from hicmae_mm.models.layers import TubeletEmbed
        >>> embed = TubeletEmbed(embed_dims=8, image_size=32, num_frames=4)
        >>> embed.grid, embed(torch.randn(1, 3, 4, 32, 32)).shape
        ((2, 2, 2), torch.Size([1, 8, 8]))
    """

    def __init__(
        self,
        embed_dims: int,
        image_size: int = 160,
        num_frames: int = 16,
        patch_size: int = 16,
        tubelet_size: int = 2,
        in_channels: int = 3,
    ) -> None:
        size, patch = (num_frames, image_size, image_size), (tubelet_size, patch_size, patch_size)
        super().__init__(size, patch, in_channels, embed_dims)


@MODELS.register_module()
class SpectrogramEmbed(PatchEmbed):
    """Embeds patches of a spectrogram.

    Args:
        embed_dims: Width D; injected by the encoder.
        num_frames: Length of the spectrogram in frames.
        num_mel_bins: Mel bins F.
        patch_size: Patch side, in frames and in mel bins.
        in_channels: Input channels.

    Example:
        >>> import torch
        >>> from hicmae_mm.models.layers import SpectrogramEmbed
        >>> embed = SpectrogramEmbed(embed_dims=8, num_frames=64, num_mel_bins=32)
        >>> embed.grid, embed(torch.randn(1, 1, 64, 32)).shape
        ((4, 2), torch.Size([1, 8, 8]))
    """

    def __init__(
        self,
        embed_dims: int,
        num_frames: int = 256,
        num_mel_bins: int = 128,
        patch_size: int = 16,
        in_channels: int = 1,
    ) -> None:
        super().__init__((num_frames, num_mel_bins), (patch_size, patch_size), in_channels, embed_dims)


@MODELS.register_module()
class ImageEmbed(PatchEmbed):
    """Embeds patches of single images.

    Args:
        embed_dims: Width D; injected by the encoder.
        image_size: Height and width of the square images in pixels.
        patch_size: Patch side in pixels.
        in_channels: Colour channels.
    """

    def __init__(self, embed_dims: int, image_size: int = 224, patch_size: int = 16, in_channels: int = 3) -> None:
        super().__init__((image_size, image_size), (patch_size, patch_size), in_channels, embed_dims)
