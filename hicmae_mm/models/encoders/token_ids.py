"""Defines an encoder of token ids that learns from scratch."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from hicmae_mm.models.building import init_transformer
from hicmae_mm.models.encoders.base import BaseEncoder, EncoderOutput
from hicmae_mm.models.encoders.expected_input import expected_text
from hicmae_mm.models.layers import Block, run_block, sine_positions
from hicmae_mm.models.layers.blocks import NORM_EPS
from hicmae_mm.registry import MODELS
from hicmae_mm.structures import Padded, Stream, TokenMask

_EXAMPLE_LENGTH = 16


@MODELS.register_module()
class TokenIdEncoder(BaseEncoder):
    """Encodes token ids, such as those of :class:`~hicmae_mm.datasets.transforms.Tokenize`, by a small transformer.

    Each id has a learned vector, to which fixed sine positions are added. Pre-norm blocks follow. The output of every
    layer passes the same final norm. The encoder starts from random weights. ``TransformersEncoder`` loads a
    pre-trained text model instead. Padding gets no attention and changes no other token.

    Args:
        num_ids: Size of the vocabulary; ids are 0 to ``num_ids - 1``.
        embed_dims: Width D.
        depth: Number of blocks.
        num_heads: Heads per block.
        mlp_ratio: Hidden width of the MLPs over D.
        max_length: Longest text in tokens.
        drop_rate: Dropout of the embedded tokens and of what attention and MLP put out.
        checkpoint_activations: Recompute the activations of the blocks in the backward pass to save memory.
        init_cfg: MMEngine initialisation config.

    Raises:
        ValueError: If ``num_ids`` or ``max_length`` is below 1.

    Example:
        >>> encoder = TokenIdEncoder(num_ids=48, embed_dims=16, num_heads=2)
        >>> output = encoder(Padded.stack([torch.tensor([7, 3, 9]), torch.tensor([5])]))
        >>> output.tokens.shape, output.padding.tolist()[1]
        (torch.Size([2, 3, 16]), [False, True, True])
    """

    gives_summary = False

    def __init__(
        self,
        num_ids: int,
        embed_dims: int = 96,
        depth: int = 2,
        num_heads: int = 3,
        mlp_ratio: float = 4.0,
        max_length: int = 512,
        drop_rate: float = 0.0,
        checkpoint_activations: bool = False,
        init_cfg: dict[str, Any] | list[dict[str, Any]] | None = None,
    ) -> None:
        super().__init__(init_cfg)
        if min(num_ids, max_length) < 1:
            raise ValueError(f'num_ids and max_length must be at least 1, got {num_ids} and {max_length}')
        self.num_ids, self.embed_dims, self.depth, self.max_length = num_ids, embed_dims, depth, max_length
        self.checkpoint_activations = checkpoint_activations
        self.expected_input = expected_text(None, num_ids)
        self.words = nn.Embedding(num_ids, embed_dims)
        self.register_buffer('positions', sine_positions(max_length, embed_dims), persistent=False)  # (1, N, D)
        self.token_drop = nn.Dropout(drop_rate)
        self.blocks = nn.ModuleList(Block(embed_dims, num_heads, mlp_ratio, drop=drop_rate) for _ in range(depth))
        self.norm = nn.LayerNorm(embed_dims, eps=NORM_EPS)
        self.apply(init_transformer)
        nn.init.trunc_normal_(self.words.weight, std=0.02)

    def forward(self, x: Stream, mask: Tensor | TokenMask | None = None) -> EncoderOutput:
        """See :meth:`BaseEncoder.forward`; ``x`` is ``(B, T)`` int64, or ``Padded`` of it.

        Raises:
            ValueError: If the input is not ids ``(B, T)``, a text is longer than ``max_length``, an id is outside of
                the vocabulary (checked on a CPU), or there is a mask.
        """
        if mask is not None:
            raise ValueError('TokenIdEncoder takes no mask')
        ids, padding = (x.values, x.padding) if isinstance(x, Padded) else (x, None)
        if ids.ndim != 2 or ids.is_floating_point():
            raise ValueError(f'expected token ids (B, T) of integers, got {ids.dtype} {tuple(ids.shape)}')
        if ids.shape[1] > self.max_length:
            raise ValueError(
                f'a text has {ids.shape[1]} tokens, TokenIdEncoder takes {self.max_length}; raise its max_length, or '
                'cut the text by Tokenize(max_length=...)'
            )
        tokens = self.token_drop(self._embed(ids) + self.positions[:, : ids.shape[1]])
        hidden = []
        for block in self.blocks:
            tokens = run_block(block, tokens, padding, recompute=self.checkpoint_activations)
            hidden.append(self.norm(tokens))
        return EncoderOutput(hidden[-1], tuple(hidden), padding)

    def _embed(self, ids: Tensor) -> Tensor:
        """Looks up the vectors of ids: ``(B, T) -> (B, T, D)``."""
        try:
            tokens: Tensor = self.words(ids)
        except IndexError as error:  # a GPU reports it by an assertion of its own
            raise ValueError(
                f'the ids of a text lie in {int(ids.min())}..{int(ids.max())}, TokenIdEncoder knows 0..'
                f'{self.num_ids - 1}; set num_ids to the size of the vocabulary'
            ) from error
        return tokens

    def example_input(self, batch_size: int, generator: torch.Generator | None = None) -> Stream:
        """See :meth:`BaseEncoder.example_input`; a text has 16 tokens, or ``max_length`` if that is less."""
        length = min(_EXAMPLE_LENGTH, self.max_length)
        return torch.randint(self.num_ids, (batch_size, length), generator=generator)

    def layer_id(self, name: str) -> int | None:
        """See :meth:`BaseEncoder.layer_id`."""
        if name.startswith('blocks.'):
            return int(name.split('.')[1]) + 1
        return 0 if name.startswith('words.') else None
