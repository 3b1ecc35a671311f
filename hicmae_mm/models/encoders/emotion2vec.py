"""Defines the speech encoder of emotion2vec: it turns a waveform into 50 tokens per second."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

from hicmae_mm.models.encoders.base import BaseEncoder, EncoderOutput
from hicmae_mm.models.encoders.waveforms import normalize_waveforms, waveforms_of
from hicmae_mm.models.layers import Mlp
from hicmae_mm.registry import MODELS
from hicmae_mm.structures import Padded, Stream, TokenMask

SAMPLE_RATE_HZ = 16000
_NORM_EPS = 1e-5
CONV_LAYERS = ((512, 10, 5), *[(512, 3, 2)] * 4, *[(512, 2, 2)] * 2)


@MODELS.register_module()
class Emotion2VecEncoder(BaseEncoder):
    """Convolutions over a waveform, convolutional positions, then blocks with linear attention biases (ALiBi).

    The structure is that of data2vec 2.0 for speech. Source: emotion2vec (Ma et al., 2024) as published in FunASR;
    ``checkpoints.systems`` maps its parameter names.

    Args:
        embed_dims: Width D.
        depth: Number of main blocks.
        prenet_depth: Number of blocks in front of them.
        num_heads: Heads per block.
        mlp_ratio: Hidden width of the MLPs over D.
        conv_layers: Channels, kernel and stride of each convolution.
        position_layers: Number of convolutions that compute the positions.
        position_width: Total width of their kernels, in tokens.
        position_groups: Groups of their channels.
        extra_tokens: Number of learned tokens in front of the sequence.
        scale_per_layer: Whether each block has its own scale of the attention biases.
        scale_per_head: Whether each head has its own scale of the attention biases.
        layer_norm_first: Whether the norms stand in front of attention and MLP, and the norm of the whole behind all
            blocks. Otherwise they stand behind the residual sums, and the norm of the whole in front of the blocks.
        published_prenorm: With ``layer_norm_first``: compute what the published code computes, twice the MLP without
            its residual, which pre-trained weights of that kind expect.
        normalize: Whether each waveform is normalised to mean 0 and variance 1 over its real samples.
        mask_padding: Whether padding is set to 0 in front of the position convolutions, which makes the result of a
            clip independent of what it is batched with. The published code does not.
        init_cfg: MMEngine initialisation config.

    Raises:
        ValueError: If the width is not a multiple of the number of heads.

    Example:
        >>> encoder = Emotion2VecEncoder(24, 1, 1, 3, conv_layers=[(12, 10, 5), (12, 4, 4)], position_groups=4)
        >>> encoder(torch.zeros(2, 1600)).tokens.shape
        torch.Size([2, 79, 24])
    """

    slopes: Tensor

    def __init__(
        self,
        embed_dims: int = 768,
        depth: int = 8,
        prenet_depth: int = 4,
        num_heads: int = 12,
        mlp_ratio: float = 4.0,
        conv_layers: Sequence[Sequence[int]] = CONV_LAYERS,
        position_layers: int = 5,
        position_width: int = 95,
        position_groups: int = 16,
        extra_tokens: int = 10,
        scale_per_layer: bool = False,
        scale_per_head: bool = True,
        layer_norm_first: bool = False,
        published_prenorm: bool = True,
        normalize: bool = True,
        mask_padding: bool = True,
        init_cfg: dict[str, Any] | list[dict[str, Any]] | None = None,
    ) -> None:
        super().__init__(init_cfg)
        if embed_dims % num_heads:
            raise ValueError(f'embed_dims={embed_dims} is not a multiple of num_heads={num_heads}')
        self.embed_dims, self.depth = embed_dims, prenet_depth + depth
        self.normalize, self.mask_padding = normalize, mask_padding
        self.convolutions = WaveformConvolutions(conv_layers)
        self.token_seconds = math.prod(int(stride) for _, _, stride in conv_layers) / SAMPLE_RATE_HZ
        channels = int(conv_layers[-1][0])
        self.project = nn.Sequential(nn.LayerNorm(channels), nn.Linear(channels, embed_dims))
        kernel = max(3, position_width // position_layers)
        self.positions = nn.ModuleList(
            nn.Conv1d(embed_dims, embed_dims, kernel, padding=kernel // 2, groups=position_groups)
            for _ in range(position_layers)
        )
        self.extra_tokens = nn.Parameter(torch.zeros(1, extra_tokens, embed_dims))
        nn.init.normal_(self.extra_tokens, std=0.02)
        shape = (self.depth if scale_per_layer else 1, 1, num_heads if scale_per_head else 1, 1, 1)
        self.alibi_scale = nn.Parameter(torch.ones(shape))
        self.norm = nn.Identity() if layer_norm_first else nn.LayerNorm(embed_dims)
        self.final_norm = nn.LayerNorm(embed_dims) if layer_norm_first else nn.Identity()
        self.prenet, self.blocks = (
            nn.ModuleList(
                AlibiBlock(embed_dims, num_heads, mlp_ratio, layer_norm_first, published_prenorm) for _ in range(count)
            )
            for count in (prenet_depth, depth)
        )
        self.register_buffer('slopes', alibi_slopes(num_heads), persistent=False)  # (H,)

    def forward(self, x: Stream, mask: Tensor | TokenMask | None = None) -> EncoderOutput:
        """Encodes waveforms.

        Args:
            x: ``(B, T)`` or ``(B, 1, T)`` samples at 16 kHz, or ``Padded`` of them.
            mask: Must be ``None``.

        Returns:
            Tokens at 50 Hz; ``hidden`` has the prenet's blocks first; ``summary`` are the extra tokens.

        Raises:
            ValueError: If there is a mask, or the waveform is shorter than the convolutions need.
        """
        if mask is not None:
            raise ValueError('Emotion2VecEncoder takes no mask; it serves training and inference, not pre-training')
        waveform, padding = self._waveform(x)
        local = self.project(self.convolutions(waveform).transpose(1, 2))  # (B, C, K) -> (B, K, D)
        if padding is not None and self.mask_padding:
            local = local.masked_fill(padding.unsqueeze(-1), 0)
        tokens = local + self.compute_positions(local, padding if self.mask_padding else None)
        num_extra = self.extra_tokens.shape[1]
        tokens = self.norm(torch.cat([self.extra_tokens.expand(len(tokens), -1, -1), tokens], dim=1))
        bias = self._biases(tokens.shape[1], padding)
        hidden = []
        for index, block in enumerate([*self.prenet, *self.blocks]):
            tokens = block(tokens, bias[index % len(bias)])
            hidden.append(self.final_norm(tokens))
        outputs = tuple(layer[:, num_extra:] for layer in hidden)  # (B, K, D)
        return EncoderOutput(outputs[-1], outputs, padding, hidden[-1][:, :num_extra])

    def _waveform(self, x: Stream) -> tuple[Tensor, Tensor | None]:
        """Returns the normalised waveform ``(B, T)``, and the padding of its tokens ``(B, K)``."""
        waveform, lengths = waveforms_of(x)
        self.convolutions.check_length(waveform.shape[1])
        if self.normalize:
            waveform = normalize_waveforms(waveform, lengths, _NORM_EPS)
        if lengths is None:
            return waveform, None
        num_tokens = self.convolutions.num_tokens(lengths)
        return waveform, Padded(waveform.new_zeros(len(waveform), self._num_tokens(waveform)), num_tokens).padding

    def _num_tokens(self, waveform: Tensor) -> int:
        return int(self.convolutions.num_tokens(waveform.shape[1]))

    def compute_positions(self, x: Tensor, padding: Tensor | None = None) -> Tensor:
        """Computes positions ``(B, K, D)`` from the tokens around; ``padding (B, K)`` is set to 0."""
        for conv in self.positions:
            out: Tensor = conv(x.transpose(1, 2))[..., : x.shape[1]]  # an even kernel gives one token too many
            x = F.gelu(F.layer_norm(out.transpose(1, 2), (self.embed_dims,)))
            if padding is not None:
                x = x.masked_fill(padding.unsqueeze(-1), 0)
        return x

    def _biases(self, num_tokens: int, padding: Tensor | None) -> Tensor:
        """Returns the attention biases ``(L or 1, B or 1, H, K, K)``; minus infinity for padding."""
        num_extra = self.extra_tokens.shape[1]
        steps = torch.arange(num_tokens - num_extra, device=self.slopes.device, dtype=self.slopes.dtype)
        distance = (steps - steps.unsqueeze(1)).abs()
        bias = F.pad(-self.slopes[:, None, None] * distance, (num_extra, 0, num_extra, 0))  # 0 for extra tokens
        scaled: Tensor = bias * self.alibi_scale.clamp(min=0)  # (L or 1, 1, H, K, K)
        if padding is not None:
            is_padding = F.pad(padding, (num_extra, 0))[None, :, None, None]  # (1, B, 1, 1, K)
            scaled = scaled.masked_fill(is_padding, -torch.inf)
        return scaled

    def example_input(self, batch_size: int, generator: torch.Generator | None = None) -> Stream:
        """See :meth:`BaseEncoder.example_input`; a waveform has one second."""
        return torch.randn(batch_size, SAMPLE_RATE_HZ, generator=generator)

    def layer_id(self, name: str) -> int | None:
        """See :meth:`BaseEncoder.layer_id`."""
        part, *rest = name.split('.')
        if part in ('prenet', 'blocks'):
            return int(rest[0]) + 1 + (len(self.prenet) if part == 'blocks' else 0)
        return None if part == 'final_norm' else 0


class WaveformConvolutions(nn.Module):
    """Convolutions without bias, each with a LayerNorm over the channels and GELU.

    Args:
        layers: Channels, kernel and stride of each.
    """

    def __init__(self, layers: Sequence[Sequence[int]]) -> None:
        super().__init__()
        self.layers = tuple((int(channels), int(kernel), int(stride)) for channels, kernel, stride in layers)
        sizes = [1, *[channels for channels, _, _ in self.layers]]
        self.convs = nn.ModuleList(
            nn.Conv1d(before, channels, kernel, stride, bias=False)
            for before, (channels, kernel, stride) in zip(sizes, self.layers)
        )
        self.norms = nn.ModuleList(nn.LayerNorm(channels) for channels, _, _ in self.layers)

    def forward(self, waveform: Tensor) -> Tensor:
        """Maps ``(B, T)`` to ``(B, C, K)``."""
        x = waveform.unsqueeze(1)  # (B, 1, T)
        for conv, norm in zip(self.convs, self.norms):
            x = F.gelu(norm(conv(x).transpose(1, 2))).transpose(1, 2)
        return x

    def num_tokens(self, num_samples: Any) -> Any:
        """Computes the number of tokens of a number of samples, an integer or a tensor."""
        for _, kernel, stride in self.layers:
            num_samples = (num_samples - kernel) // stride + 1
        return num_samples.clamp(min=0) if isinstance(num_samples, Tensor) else max(0, num_samples)

    def check_length(self, num_samples: int) -> None:
        """Raises ValueError for a waveform that gives no token."""
        if not self.num_tokens(num_samples):
            needed = 1
            for _, kernel, stride in reversed(self.layers):
                needed = (needed - 1) * stride + kernel
            raise ValueError(f'a waveform of {num_samples} samples is too short, the encoder needs {needed}')


class AlibiBlock(nn.Module):
    """Applies a transformer block whose attention takes a bias per pair of tokens.

    Args:
        embed_dims: Width D.
        num_heads: Number of heads.
        mlp_ratio: Hidden width of the MLP over D.
        norm_first: Whether the norms stand in front of attention and MLP; else behind the residual sums.
        published_prenorm: See :class:`Emotion2VecEncoder`.
    """

    def __init__(
        self, embed_dims: int, num_heads: int, mlp_ratio: float, norm_first: bool, published_prenorm: bool
    ) -> None:
        super().__init__()
        self.norm_first, self.published_prenorm = norm_first, published_prenorm
        self.norm1 = nn.LayerNorm(embed_dims)
        self.attn = BiasedAttention(embed_dims, num_heads)
        self.norm2 = nn.LayerNorm(embed_dims)
        self.mlp = Mlp(embed_dims, int(embed_dims * mlp_ratio))

    def forward(self, x: Tensor, bias: Tensor) -> Tensor:
        """Maps ``x (B, K, D)`` to ``(B, K, D)``; ``bias (B or 1, H, K, K)`` is added to the scaled products."""
        if not self.norm_first:
            x = self.norm1(x + self.attn(x, bias))
            output: Tensor = self.norm2(x + self.mlp(x))
            return output
        x = x + self.attn(self.norm1(x), bias)
        added: Tensor = self.mlp(self.norm2(x))
        return 2 * added if self.published_prenorm else x + added


class BiasedAttention(nn.Module):
    """Computes multi-head self-attention with a bias per pair of tokens.

    Args:
        embed_dims: Width D.
        num_heads: Number of heads H.
    """

    def __init__(self, embed_dims: int, num_heads: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.qkv = nn.Linear(embed_dims, 3 * embed_dims)
        self.proj = nn.Linear(embed_dims, embed_dims)

    def forward(self, x: Tensor, bias: Tensor) -> Tensor:
        """Maps ``x (B, K, D)`` to ``(B, K, D)``; ``bias (B or 1, H, K, K)`` is added to the scaled products."""
        q, k, v = rearrange(self.qkv(x), 'b n (part h d) -> part b h n d', part=3, h=self.num_heads)
        out = F.scaled_dot_product_attention(q, k, v, bias.expand(len(x), -1, -1, -1))
        projected: Tensor = self.proj(rearrange(out, 'b h n d -> b n (h d)'))
        return projected


def alibi_slopes(num_heads: int) -> Tensor:
    """Returns the slope of the attention bias of each head, ``(H,)`` (Press et al., 2022).

    They fall geometrically for a power of two. Other numbers of heads take those of the power of two below, then every
    second one of the power above.
    """

    def geometric(count: int) -> list[float]:
        first = 2.0 ** -(2.0 ** -(math.log2(count) - 3))
        return [first ** (index + 1) for index in range(count)]

    below = 2 ** int(math.log2(num_heads))
    slopes = geometric(below)
    if below < num_heads:
        slopes += geometric(2 * below)[::2][: num_heads - below]
    return torch.tensor(slopes)
