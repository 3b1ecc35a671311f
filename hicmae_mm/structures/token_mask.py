"""Stores which tokens of a batch are masked, as indices."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor


@dataclass(frozen=True)
class TokenMask:
    """Stores a token mask and its indices, so that no module must search a boolean mask (and synchronise a GPU).

    Attributes:
        mask: ``(B, N)`` bool, True = masked.
        visible: ``(B, K)`` int64, ascending indices of the visible tokens.
        masked: ``(B, M)`` int64, ascending indices of the masked tokens, ``M = N - K``.
        decoded: ``(B, P)`` int64, ascending indices of the tokens that a decoder predicts, if a mask of its own chooses
            them; visible tokens can be among them. ``None`` means a decoder predicts the masked tokens.
    """

    mask: Tensor
    visible: Tensor
    masked: Tensor
    decoded: Tensor | None = None

    @property
    def predicted(self) -> Tensor:
        """Returns ``(B, P)`` int64, ascending indices of the tokens that a decoder predicts."""
        return self.masked if self.decoded is None else self.decoded

    @property
    def counted(self) -> Tensor | None:
        """Returns ``(B, P)`` bool, True = masked: the predictions that count in the loss.

        ``None`` means all of them.
        """
        return None if self.decoded is None else self.mask.gather(1, self.decoded)

    @classmethod
    def from_bool(cls, mask: Tensor, name: str = 'mask') -> TokenMask:
        """Sorts a boolean mask into indices; do this on the CPU, before the mask travels.

        Args:
            mask: ``(B, N)`` bool, True = masked. Every row masks the same number of tokens.
            name: Named in errors, usually the modality.

        Raises:
            ValueError: If it is not a 2-d boolean tensor, rows differ in their counts, or no token is visible or
                masked.
        """
        if mask.ndim != 2 or mask.dtype != torch.bool:
            raise ValueError(f'{name}: expected a boolean mask (B, N), got {mask.dtype} {tuple(mask.shape)}')
        counts = mask.sum(dim=1)
        num_masked, num_tokens = int(counts[0]), mask.shape[1]
        if not bool((counts == num_masked).all()):
            raise ValueError(
                f'{name}: every clip of a batch must mask the same number of tokens, got {sorted(set(counts.tolist()))}'
            )
        if num_masked == num_tokens:
            raise ValueError(f'{name}: the mask leaves no visible token of {num_tokens}; lower the mask ratio')
        if num_masked == 0:
            raise ValueError(f'{name}: the mask hides none of {num_tokens} tokens, so there is nothing to predict')
        order = mask.to(torch.uint8).argsort(dim=1, stable=True)
        split = num_tokens - num_masked
        return cls(mask, order[:, :split].contiguous(), order[:, split:].contiguous())

    def with_decoder_mask(self, decoder: TokenMask, name: str = 'mask') -> TokenMask:
        """Returns the same mask for a decoder that predicts only the tokens that ``decoder`` leaves visible.

        Raises:
            ValueError: If the masks have different batches or grids.
        """
        if decoder.mask.shape != self.mask.shape:
            raise ValueError(
                f'{name}: the mask of the encoder is {tuple(self.mask.shape)}, that of the decoder '
                f'{tuple(decoder.mask.shape)}; give both mask transforms the same grid'
            )
        return replace(self, decoded=decoder.visible)

    def to(self, device: torch.device | str, non_blocking: bool = False) -> TokenMask:
        """Moves all tensors."""

        def move(part: Tensor) -> Tensor:
            return part.to(device, non_blocking=non_blocking)

        decoded = None if self.decoded is None else move(self.decoded)
        return TokenMask(move(self.mask), move(self.visible), move(self.masked), decoded)


def as_token_mask(mask: Tensor | TokenMask, name: str = 'mask') -> TokenMask:
    """Accepts what users pass: a boolean tensor or an indexed mask."""
    return TokenMask.from_bool(mask, name) if isinstance(mask, Tensor) else mask


def refuse_unless(is_right: Tensor, message: str) -> None:
    """Refuses a mask by what a tensor says, without waiting for a device.

    Args:
        is_right: One bool.
        message: The error.

    Raises:
        ValueError: If ``is_right`` is False, on a CPU. In compiled code, and on CUDA at a later moment, the error is a
            ``RuntimeError`` of PyTorch. Other devices do not check.
    """
    if torch.compiler.is_compiling() or is_right.is_cuda:
        torch._assert_async(is_right, message)  # there is no public function
    elif is_right.device.type == 'cpu' and not bool(is_right):
        raise ValueError(message)
