"""Waveforms of different lengths: normalisation over the real samples only."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from hicmae_mm.structures import Padded, Stream


def waveforms_of(x: Stream) -> tuple[Tensor, Tensor | None]:
    """Samples ``(B, S)`` of waveforms ``(B, S)`` or ``(B, 1, S)``, and their lengths if they differ.

    Raises:
        ValueError: If the input has another shape.
    """
    values = x.values if isinstance(x, Padded) else x
    if values.ndim == 3 and values.shape[1] == 1:
        values = values.flatten(1)  # (B, 1, S) -> (B, S)
    if values.ndim != 2 or not values.is_floating_point():
        raise ValueError(f'expected waveforms (B, samples), got {values.dtype} {tuple(values.shape)}')
    return values, x.lengths if isinstance(x, Padded) else None


def normalize_waveforms(waveform: Tensor, lengths: Tensor | None, eps: float) -> Tensor:
    """Normalises every waveform ``(B, S)`` to mean 0 and variance 1 over its real samples; padding becomes 0."""
    if lengths is None:
        centred = waveform - waveform.mean(dim=1, keepdim=True)
        scaled: Tensor = centred / (centred.square().mean(dim=1, keepdim=True) + eps).sqrt()
        return scaled
    real = ~Padded(waveform, lengths).padding
    count = lengths.clamp(min=1).unsqueeze(1)
    mean = (waveform * real).sum(dim=1, keepdim=True) / count
    centred = (waveform - mean) * real
    variance = centred.square().sum(dim=1, keepdim=True) / count
    return centred / (variance + eps).sqrt()


class RealGroupNorm(nn.GroupNorm):
    """Applies a GroupNorm of one channel per group that leaves padding out of its mean and variance.

    It takes the place of a GroupNorm over time, which would make a clip depend on the padding behind it.

    Attributes:
        lengths: ``(B,)`` real steps of the next input; ``None`` means all steps are real.
    """

    lengths: Tensor | None = None

    @classmethod
    def around(cls, norm: nn.GroupNorm) -> RealGroupNorm:
        """Makes a norm that shares the parameters of another one.

        Raises:
            ValueError: If the norm has groups of several channels.
        """
        if norm.num_groups != norm.num_channels:
            raise ValueError(f'{norm} has groups of several channels')
        real = cls(norm.num_groups, norm.num_channels, norm.eps, norm.affine)
        real.weight, real.bias = norm.weight, norm.bias
        return real

    def forward(self, input: Tensor) -> Tensor:
        """Maps ``(B, C, K)`` to ``(B, C, K)``."""
        if self.lengths is None:
            return super().forward(input)
        steps = torch.arange(input.shape[-1], device=input.device)
        real = (steps < self.lengths.unsqueeze(1)).unsqueeze(1)  # (B, 1, K)
        count = self.lengths.clamp(min=1).view(-1, 1, 1)
        mean = (input * real).sum(dim=-1, keepdim=True) / count
        centred = input - mean
        variance = (centred.square() * real).sum(dim=-1, keepdim=True) / count
        return centred * (variance + self.eps).rsqrt() * self.weight.unsqueeze(-1) + self.bias.unsqueeze(-1)


def mend_time_norms(net: nn.Module) -> None:
    """Puts :class:`RealGroupNorm` in the place of every norm of a channel over time."""
    for parent in list(net.modules()):
        for name, child in parent.named_children():
            if type(child) is nn.GroupNorm and child.num_groups == child.num_channels:
                setattr(parent, name, RealGroupNorm.around(child))


@contextmanager
def real_steps(net: nn.Module, lengths: Tensor) -> Iterator[None]:
    """Tells the norms over time how many steps ``(B,)`` of their input are real."""
    norms = [module for module in net.modules() if isinstance(module, RealGroupNorm)]
    for norm in norms:
        norm.lengths = lengths
    try:
        yield
    finally:
        for norm in norms:
            norm.lengths = None
