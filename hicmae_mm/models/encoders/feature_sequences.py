"""Transformer and temporal convolutions over sequences of features that were extracted before."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hicmae_mm.models.encoders.base import BaseEncoder, EncoderOutput
from hicmae_mm.models.encoders.features import EXAMPLE_STEPS, read_features
from hicmae_mm.models.layers import Block, run_block, sine_positions
from hicmae_mm.registry import MODELS
from hicmae_mm.structures import Stream, TokenMask


class _FeatureSequenceEncoder(BaseEncoder):
    """This is the base class of encoders of sequences with several blocks.

    Attributes:
        blocks: The layers.
    """

    gives_summary = False
    in_channels: int
    blocks: nn.ModuleList

    def example_input(self, batch_size: int, generator: torch.Generator | None = None) -> Stream:
        """See :meth:`BaseEncoder.example_input`; a sequence has 50 vectors."""
        return torch.randn(batch_size, EXAMPLE_STEPS, self.in_channels, generator=generator)

    def layer_id(self, name: str) -> int | None:
        """See :meth:`BaseEncoder.layer_id`."""
        part, *rest = name.split('.')
        if part == 'blocks':
            return int(rest[0]) + 1
        return 0 if part == 'embed' else None


@MODELS.register_module()
class FeatureTransformerEncoder(_FeatureSequenceEncoder):
    """Applies a pre-norm transformer to a sequence of feature vectors, such as those of the frames of a long video.

    Fixed sine-cosine positions are added. With a ``window``, a step attends to the steps of its window only, so that
    time and memory grow with the length of the sequence and not with its square. Windows of every second block begin
    half a window earlier, so that information crosses their borders, and positions count within a window. Padding has
    no effect on real steps.

    Args:
        in_channels: Length of the feature vectors.
        embed_dims: Width D of the tokens, an even multiple of ``num_heads``.
        depth: Number of blocks.
        num_heads: Heads per block.
        mlp_ratio: Hidden width of the MLP over D.
        window: Number of steps of a window, even; ``None`` means every step attends to all.
        drop: Probability of dropping an element of what attention and MLP put out, and of the tokens.
        attn_drop: Probability of dropping an attention weight.
        drop_path: Probability of dropping a residual branch, per sequence (per window, if there are any).
        checkpoint_activations: Recompute the blocks' activations in the backward pass to save memory.
        init_cfg: MMEngine initialisation config.

    Raises:
        ValueError: If the window is odd or below 2, or there is no block.

    Example:
        >>> encoder = FeatureTransformerEncoder(in_channels=5, embed_dims=8, depth=2, num_heads=2, window=4)
        >>> encoder(torch.zeros(2, 10, 5)).tokens.shape
        torch.Size([2, 10, 8])
    """

    def __init__(
        self,
        in_channels: int,
        embed_dims: int = 128,
        depth: int = 4,
        num_heads: int = 4,
        mlp_ratio: float = 4.0,
        window: int | None = None,
        drop: float = 0.0,
        attn_drop: float = 0.0,
        drop_path: float = 0.0,
        checkpoint_activations: bool = False,
        init_cfg: dict[str, Any] | list[dict[str, Any]] | None = None,
    ) -> None:
        super().__init__(init_cfg)
        if depth < 1 or (window is not None and (window < 2 or window % 2)):
            raise ValueError(f'depth must be at least 1 and window even and at least 2, got {depth} and {window}')
        self.in_channels, self.embed_dims, self.depth, self.window = in_channels, embed_dims, depth, window
        self.checkpoint_activations = checkpoint_activations
        self.embed = nn.Linear(in_channels, embed_dims)
        self.drop = nn.Dropout(drop)
        self.blocks = nn.ModuleList(
            Block(embed_dims, num_heads, mlp_ratio, drop_path=drop_path, drop=drop, attn_drop=attn_drop)
            for _ in range(depth)
        )
        self.norm = nn.LayerNorm(embed_dims)

    def forward(self, x: Stream, mask: Tensor | TokenMask | None = None) -> EncoderOutput:
        """See :meth:`BaseEncoder.forward`."""
        values, padding = read_features(x, self.in_channels, mask, self.stream)
        steps = values.shape[1]
        if self.window is None:
            positions = sine_positions(steps, self.embed_dims)
        else:
            positions = sine_positions(self.window, self.embed_dims).repeat(1, steps // self.window + 1, 1)[:, :steps]
        tokens = self.drop(self.embed(values) + positions.to(values))
        hidden = []
        for number, block in enumerate(self.blocks):
            tokens = self._run(block, tokens, padding, is_shifted=number % 2 == 1)
            hidden.append(self.norm(tokens))
        return EncoderOutput(hidden[-1], tuple(hidden), padding)

    def _run(self, block: nn.Module, tokens: Tensor, padding: Tensor | None, is_shifted: bool) -> Tensor:
        """Maps ``(B, T, D)`` to ``(B, T, D)``."""
        recompute = self.checkpoint_activations
        if self.window is None:
            whole: Tensor = run_block(block, tokens, padding, recompute=recompute)
            return whole
        rows, steps, width = tokens.shape
        front = self.window // 2 if is_shifted else 0
        back = -(front + steps) % self.window
        absent = tokens.new_zeros(rows, steps, dtype=torch.bool) if padding is None else padding
        windows = F.pad(tokens, (0, 0, front, back)).reshape(-1, self.window, width)  # (B * windows, window, D)
        is_outside = F.pad(absent, (front, back), value=True).reshape(-1, self.window)
        found = run_block(block, windows, is_outside, recompute=recompute)
        joined: Tensor = found.reshape(rows, -1, width)[:, front : front + steps]
        return joined


@MODELS.register_module()
class FeatureTCNEncoder(_FeatureSequenceEncoder):
    """Applies residual blocks of dilated convolutions to a sequence of feature vectors.

    Block i has two convolutions with dilation ``2 ** i``, ReLU and dropout behind each, and a skip connection. A step
    sees ``1 + 2 * (kernel_size - 1) * (2 ** depth - 1)`` steps: itself and earlier ones if ``causal``, otherwise
    equally many on both sides. Padding has no effect on real steps. Source: Bai et al., 2018, without their
    normalisation of weights.

    Args:
        in_channels: Length of the feature vectors.
        embed_dims: Width D of the tokens.
        depth: Number of blocks.
        kernel_size: Steps that a convolution joins, odd unless ``causal``.
        causal: Whether no step sees later steps, for results while a video is being recorded.
        drop: Probability of dropping an element behind every convolution.
        init_cfg: MMEngine initialisation config.

    Raises:
        ValueError: If there is no block, or the kernel does not fit.

    Example:
        >>> encoder = FeatureTCNEncoder(in_channels=5, embed_dims=8, depth=3)
        >>> encoder(torch.zeros(2, 10, 5)).tokens.shape
        torch.Size([2, 10, 8])
    """

    def __init__(
        self,
        in_channels: int,
        embed_dims: int = 128,
        depth: int = 4,
        kernel_size: int = 3,
        causal: bool = False,
        drop: float = 0.0,
        init_cfg: dict[str, Any] | list[dict[str, Any]] | None = None,
    ) -> None:
        super().__init__(init_cfg)
        if depth < 1 or kernel_size < 2 or (kernel_size % 2 == 0 and not causal):
            raise ValueError(
                'depth must be at least 1, kernel_size at least 2 and odd unless causal=True; got '
                f'depth={depth}, kernel_size={kernel_size}, causal={causal}'
            )
        self.in_channels, self.embed_dims, self.depth, self.causal = in_channels, embed_dims, depth, causal
        widths = [in_channels, *[embed_dims] * depth]
        self.blocks = nn.ModuleList(
            TemporalConvBlock(widths[number], embed_dims, kernel_size, 2**number, causal, drop)
            for number in range(depth)
        )

    def forward(self, x: Stream, mask: Tensor | TokenMask | None = None) -> EncoderOutput:
        """See :meth:`BaseEncoder.forward`."""
        values, padding = read_features(x, self.in_channels, mask, self.stream)
        absent = None if padding is None else padding.unsqueeze(1)  # (B, 1, T)
        channels = values.transpose(1, 2)  # (B, C, T)
        hidden = []
        for block in self.blocks:
            channels = block(channels, absent)
            hidden.append(channels.transpose(1, 2))
        return EncoderOutput(hidden[-1], tuple(hidden), padding)


class TemporalConvBlock(nn.Module):
    """Applies two dilated convolutions with a skip connection.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the result.
        kernel_size: Steps that a convolution joins.
        dilation: Distance of these steps.
        causal: Whether no step sees later steps.
        drop: Probability of dropping an element behind every convolution.
    """

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: int, dilation: int, causal: bool, drop: float
    ) -> None:
        super().__init__()
        reach = (kernel_size - 1) * dilation
        self.margins = (reach, 0) if causal else (reach // 2, reach // 2)
        self.conv1 = nn.Conv1d(in_channels, out_channels, kernel_size, dilation=dilation)
        self.conv2 = nn.Conv1d(out_channels, out_channels, kernel_size, dilation=dilation)
        self.drop = nn.Dropout(drop)
        self.skip = nn.Identity() if in_channels == out_channels else nn.Conv1d(in_channels, out_channels, 1)

    def forward(self, x: Tensor, absent: Tensor | None = None) -> Tensor:
        """Maps ``(B, C, T)`` to ``(B, D, T)``.

        ``absent (B, 1, T)`` is True for padding, which counts as 0 and stays 0.
        """
        inner = self.drop(F.relu(self.conv1(F.pad(_without(x, absent), self.margins))))
        inner = self.drop(F.relu(self.conv2(F.pad(_without(inner, absent), self.margins))))
        return _without(F.relu(inner + self.skip(x)), absent)


def _without(x: Tensor, absent: Tensor | None) -> Tensor:
    return x if absent is None else x.masked_fill(absent, 0)
