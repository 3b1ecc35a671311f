"""Attention rollout: how much of every input token has come to be in every output token.

Source: Abnar and Zuidema, "Quantifying Attention Flow in Transformers", ACL 2020, section 3. A layer with a residual
connection passes on half of what was there and half of what it attends to; the layers' matrices are multiplied. MLPs,
norms and the sizes of the values are left out, so the maps say where information may come from, not what it does.
Cross-attention takes its half from the other stream's tokens.

The attention kernels of the models give no weights, so these are computed again from queries and keys.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hicmae_mm.models.base import AudioVisualModel
from hicmae_mm.models.encoders.token_ids import TokenIdEncoder
from hicmae_mm.models.encoders.vit import VisionTransformerEncoder
from hicmae_mm.models.fusion.concat import ConcatFusion
from hicmae_mm.models.fusion.cross_modal import CrossModalFusion
from hicmae_mm.models.layers import Attention
from hicmae_mm.structures import Inputs, Padded

HEAD_FUSIONS = ('mean', 'max', 'min')
_ENCODERS = (VisionTransformerEncoder, TokenIdEncoder)


class AttentionRecorder:
    """Keeps the attention weights of every module that runs inside of a ``with`` statement.

    Args:
        model: The model whose attention is recorded. It computes the same results as without recording.
        head_fusion: Rule that makes one matrix of the heads: ``'mean'``, or the ``'max'`` or ``'min'`` weight of them,
            with rows that are scaled to sum to 1 again.

    Attributes:
        weights: ``(B, N, N')`` by module name, such as ``encoders.video.blocks.0.attn``.

    Raises:
        ValueError: If ``head_fusion`` is unknown.
    """

    def __init__(self, model: nn.Module, head_fusion: str = 'mean') -> None:
        if head_fusion not in HEAD_FUSIONS:
            raise ValueError(f'head_fusion must be one of {HEAD_FUSIONS}, got {head_fusion!r}')
        self.model, self.head_fusion = model, head_fusion
        self.weights: dict[str, Tensor] = {}
        self._replaced: list[tuple[Attention, Any]] = []

    def __enter__(self) -> AttentionRecorder:
        for name, module in self.model.named_modules():
            if isinstance(module, Attention):
                self._replaced.append((module, module.__dict__.get('attend')))
                module.attend = self._keeper(name, module.attend)  # type: ignore[method-assign]
        return self

    def __exit__(self, *exception: object) -> None:
        for module, own in self._replaced:
            del module.attend
            if own is not None:
                module.attend = own  # type: ignore[method-assign]
        self._replaced.clear()

    def _keeper(self, name: str, attend: Callable[..., Tensor]) -> Callable[..., Tensor]:
        def keep(q: Tensor, k: Tensor, v: Tensor, padding_mask: Tensor | None = None) -> Tensor:
            weights = attention_weights(q.detach().float(), k.detach().float(), padding_mask)
            if self.head_fusion == 'mean':
                self.weights[name] = weights.mean(dim=1)
            else:
                fused = getattr(weights, f'a{self.head_fusion}')(dim=1)
                self.weights[name] = fused / fused.sum(dim=-1, keepdim=True)
            return attend(q, k, v, padding_mask)

        return keep


def attend(own: Tensor, weights: Tensor, attended: Tensor) -> Tensor:
    """Returns an attention with its residual connection: half of the input, half of what is attended to.

    Args:
        own: ``(..., N, M)``: shares of M origins in N tokens.
        weights: ``(..., N, N')``, rows sum to 1.
        attended: ``(..., N', M)``: shares in the tokens attended to.

    Returns:
        ``(..., N, M)``; rows sum to 1 if those of ``own`` and ``attended`` do.
    """
    return 0.5 * own + 0.5 * weights @ attended


def roll_out(layers: Sequence[Tensor]) -> Tensor:
    """Multiplies self-attentions ``(..., N, N)`` of all layers to shares of input tokens in each output token."""
    shares = torch.eye(layers[0].shape[-1], device=layers[0].device).expand_as(layers[0])
    for weights in layers:
        shares = attend(shares, weights, shares)
    return shares


def roll_out_regions(layers: Sequence[Mapping[str, Tensor]], regions: Tensor) -> Tensor:
    """Computes the rollout of an encoder with region tokens (LGI-Former of MAE-DFER: Sun et al., 2023, section 3.2).

    Every region has one further, learned token. A layer attends three times: among the tokens of each region with its
    region token (``local``), among the region tokens (``inter``), and from all tokens to the region tokens
    (``interaction``). The learned tokens are no input: their share is taken out in the end.

    Args:
        layers: First layer first; ``local (..., R, S + 1, S + 1)``, region token first, ``inter (..., R, R)``, and
            ``interaction (..., R * S, R)``, rows in the order of ``regions``.
        regions: ``(R, S)`` int64, the tokens of each region; every one of the N tokens is in one of them.

    Returns:
        ``(..., N, N)``, rows sum to 1.
    """
    count, size = regions.shape
    num_tokens = count * size
    batch = layers[0]['inter'].shape[:-2]
    shares = torch.eye(num_tokens + count, device=regions.device).expand(*batch, -1, -1)
    tokens = shares[..., regions.flatten(), :]  # (..., R * S, N + R), region by region
    heads = shares[..., num_tokens:, :]  # (..., R, N + R)
    for layer in layers:
        joined = torch.cat([heads.unsqueeze(-2), tokens.unflatten(-2, (count, size))], dim=-2)  # (..., R, 1 + S, N + R)
        joined = attend(joined, layer['local'], joined)
        heads, tokens = joined[..., 0, :], joined[..., 1:, :].flatten(-3, -2)
        heads = attend(heads, layer['inter'], heads)
        tokens = attend(tokens, layer['interaction'], heads)
    shares = tokens[..., regions.flatten().argsort(), :num_tokens]  # back to the order of the tokens
    return shares / shares.sum(dim=-1, keepdim=True)


@dataclass
class Rollout:
    """Shares of input tokens, by stream. Rows sum to 1, over all streams where there are several.

    Attributes:
        encoders: ``(B, N, N)``: of a stream's input tokens in the encoder's output tokens.
        crossed: ``(B, N, N')``: of the other stream's input tokens in what the stream's tokens attend to, averaged over
            the fusion's layers; empty where no stream attends to another one.
        fused: By stream and stream of origin, ``(B, N, N')``: shares of the origin's input tokens in the fused tokens.
    """

    encoders: dict[str, Tensor]
    crossed: dict[str, Tensor]
    fused: dict[str, dict[str, Tensor]]

    def relevance(self, origin: str) -> dict[str, Tensor]:
        """Maps ``(B, N)`` over a stream's input tokens, relative to their average (1 = as much as any other token).

        Returns:
            ``encoder``, ``crossed`` (seen by the other stream's tokens) if there is cross-attention, and ``fused`` (in
            all fused tokens) if there is a fusion.
        """
        maps = {'encoder': self.encoders[origin].mean(dim=1)}
        seen = [shares for name, shares in self.crossed.items() if name != origin]
        if seen:
            maps['crossed'] = seen[0].mean(dim=1)
        if self.fused:
            maps['fused'] = torch.stack([parts[origin].mean(dim=1) for parts in self.fused.values()]).sum(dim=0)
        return {name: values / values.mean(dim=1, keepdim=True) for name, values in maps.items()}


@torch.no_grad()
def roll_out_model(model: AudioVisualModel, inputs: Inputs, head_fusion: str = 'mean') -> Rollout:
    """Runs encoders and fusion on all tokens and rolls their attention out.

    Args:
        model: The model in evaluation mode.
        inputs: Normalised input by stream, of every stream of the model. Sequences are of one length.
        head_fusion: See :class:`AttentionRecorder`.

    Raises:
        ValueError: If the attention of an encoder or a fusion is not known, or a stream is missing or padded.
    """
    unknown = [type(part).__name__ for part in model.encoders.values() if not isinstance(part, _ENCODERS)]
    if model.fusion is not None and not isinstance(model.fusion, (CrossModalFusion, ConcatFusion)):
        unknown.append(type(model.fusion).__name__)
    if unknown:
        raise ValueError(
            f'the attention of {unknown[0]} cannot be rolled out: expected VisionTransformerEncoder or '
            'TokenIdEncoder, and CrossModalFusion or ConcatFusion'
        )
    model.check_streams(inputs)
    padded = [name for name, x in inputs.items() if isinstance(x, Padded) and bool(x.padding.any())]
    if padded:
        raise ValueError(f'the clips differ in the length of {padded[0]}: roll out clips of one length at a time')
    with AttentionRecorder(model, head_fusion) as recorder:
        model.fuse({name: encoder(inputs[name]) for name, encoder in model.encoders.items()})
    weights = recorder.weights
    encoders = {
        name: roll_out([weights[f'encoders.{name}.blocks.{i}.attn'] for i in range(encoder.depth)])
        for name, encoder in model.encoders.items()
    }
    if isinstance(model.fusion, CrossModalFusion):
        return Rollout(encoders, *_through_cross_modal(model.fusion, weights, encoders))
    if isinstance(model.fusion, ConcatFusion):
        return Rollout(encoders, {}, _through_concat(model.fusion, weights, encoders))
    return Rollout(encoders, {}, {})


def _side_by_side(encoders: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Returns the shares of every stream, ``(B, N, sum of all N)``. Before a fusion they are of its own tokens only."""
    widths = [shares.shape[-1] for shares in encoders.values()]
    return {
        name: F.pad(shares, (sum(widths[:place]), sum(widths[place + 1 :])))
        for place, (name, shares) in enumerate(encoders.items())
    }


def _by_origin(shares: Mapping[str, Tensor], encoders: Mapping[str, Tensor]) -> dict[str, dict[str, Tensor]]:
    widths = [part.shape[-1] for part in encoders.values()]
    return {name: dict(zip(encoders, whole.split(widths, dim=-1))) for name, whole in shares.items()}


def _through_cross_modal(
    fusion: CrossModalFusion, weights: Mapping[str, Tensor], encoders: Mapping[str, Tensor]
) -> tuple[dict[str, Tensor], dict[str, dict[str, Tensor]]]:
    first, second = fusion.out_dims
    other = {first: second, second: first}
    shares, crossed = _side_by_side(encoders), {}
    for layer in range(fusion.depth):
        updated = {}
        for name in fusion.updates:
            block = f'fusion.blocks.{name}.{layer}'
            x = attend(shares[name], weights[f'{block}.cross_attn'], shares[other[name]])
            updated[name] = attend(x, weights[f'{block}.attn'], x)
        shares = shares | updated
    for name in fusion.updates:
        layers = [weights[f'fusion.blocks.{name}.{layer}.cross_attn'] for layer in range(fusion.depth)]
        crossed[name] = torch.stack(layers).mean(dim=0) @ encoders[other[name]]
    return crossed, _by_origin(shares, encoders)


def _through_concat(
    fusion: ConcatFusion, weights: Mapping[str, Tensor], encoders: Mapping[str, Tensor]
) -> dict[str, dict[str, Tensor]]:
    parts = _side_by_side(encoders)
    shares = torch.cat([parts[name] for name in fusion.out_dims], dim=-2)
    for layer in range(fusion.depth):
        shares = attend(shares, weights[f'fusion.blocks.{layer}.attn'], shares)
    sizes = [encoders[name].shape[-1] for name in fusion.out_dims]
    return _by_origin(dict(zip(fusion.out_dims, shares.split(sizes, dim=-2))), encoders)


def attention_weights(q: Tensor, k: Tensor, padding_mask: Tensor | None = None) -> Tensor:
    """Returns the softmaxed weights ``(B, H, N, N')`` of queries ``(B, H, N, D / H)`` and keys ``(B, H, N', D / H)``.

    The models never make them. Padding ``(B, N')`` gets the weight 0, unless a clip has nothing else.
    """
    scores = q * q.shape[-1] ** -0.5 @ k.transpose(-2, -1)
    if padding_mask is not None:
        hidden = padding_mask & ~padding_mask.all(dim=1, keepdim=True)
        scores = scores.masked_fill(hidden[:, None, None], float('-inf'))
    weights: Tensor = scores.softmax(dim=-1)
    return weights
