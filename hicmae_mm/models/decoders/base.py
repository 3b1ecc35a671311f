"""Defines the contract of a decoder: it predicts the masked tokens from the visible ones and the skips."""

from __future__ import annotations

from abc import ABCMeta, abstractmethod
from collections.abc import Sequence
from typing import Any

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn

from hicmae_mm.models.layers import gather_tokens, sine_positions
from hicmae_mm.models.layers.blocks import NORM_EPS
from hicmae_mm.structures import TokenMask, as_token_mask


class BaseDecoder(BaseModule, metaclass=ABCMeta):
    """This is the base class of decoders: projection, mask token, positions and prediction head; subclasses add layers.

    The decoder's input is the visible tokens followed by the mask tokens, each with its own position, in masked order
    (HiCMAE, "Pre-training", item 4).

    Args:
        in_channels: Width of the fused tokens and of the skips; injected by the model.
        out_channels: Length P of a prediction; injected by the model.
        num_tokens: Tokens N of the stream; injected by the model.
        embed_dims: Width of the decoder.
        init_cfg: MMEngine initialisation config.
    """

    positions: Tensor

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        num_tokens: int,
        embed_dims: int,
        init_cfg: dict[str, Any] | list[dict[str, Any]] | None = None,
    ) -> None:
        super().__init__(init_cfg)
        self.embed = nn.Linear(in_channels, embed_dims, bias=False)
        self.mask_token = nn.Parameter(torch.zeros(1, 1, embed_dims))
        nn.init.trunc_normal_(self.mask_token, std=0.02)
        self.register_buffer('positions', sine_positions(num_tokens, embed_dims), persistent=False)
        self.norm = nn.LayerNorm(embed_dims, eps=NORM_EPS)
        self.head = nn.Linear(embed_dims, out_channels)

    def forward(self, visible: Tensor, skips: Sequence[Tensor], mask: Tensor | TokenMask) -> Tensor:
        """Predicts the masked tokens, or those that the decoder's own mask leaves (:attr:`TokenMask.decoded`).

        Args:
            visible: ``(B, K, in_channels)`` fused tokens.
            skips: ``(B, K, in_channels)`` per kept encoder layer, shallow to deep.
            mask: ``(B, N)`` bool, True = masked, or its indexed form.

        Returns:
            ``(B, M, out_channels)``, in ascending order of the predicted tokens.
        """
        where = as_token_mask(mask)
        visible_positions = gather_tokens(self.positions, where.visible)  # (B, K, D)
        known = self.embed(visible) + visible_positions
        unknown = self.mask_token + gather_tokens(self.positions, where.predicted)  # (B, M, D)
        x = self.decode(torch.cat([known, unknown.to(known.dtype)], dim=1), skips, visible_positions)
        prediction: Tensor = self.head(self.norm(x[:, where.visible.shape[1] :]))
        return prediction

    @abstractmethod
    def decode(self, x: Tensor, skips: Sequence[Tensor], visible_positions: Tensor) -> Tensor:
        """Runs the layers over ``x (B, K + M, D)``; ``visible_positions (B, K, D)`` are those of the skips."""
