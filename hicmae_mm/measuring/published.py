"""Runs the same model in the style of the published implementation, to be measured against.

Nothing here is used outside of benchmarks. Parameters and results are those of the model, up to rounding; what changes
is the way: see :data:`STYLE`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from copy import deepcopy
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from mmengine.optim import AmpOptimWrapper, OptimWrapper, build_optim_wrapper
from torch import Tensor, nn

from hicmae_mm.kernels import remove_cpu_kernels
from hicmae_mm.measuring.timing import wait_for
from hicmae_mm.models.layers import Attention, gather_tokens
from hicmae_mm.models.layers.patch_embed import PatchEmbed
from hicmae_mm.models.targets import PatchTarget
from hicmae_mm.models.targets.layout import channels_last
from hicmae_mm.structures import TokenMask

STYLE: Mapping[str, str] = {
    'attention': 'products and softmax one by one, all weights in memory, instead of one kernel',
    'linear': "plain layers without this package's kernels, every intermediate result stored",
    'patches': 'a convolution over all patches, of which the hidden ones are dropped',
    'targets': 'targets of all patches, of which the visible ones are dropped',
    'optimizer': 'AdamW in several passes over the parameters instead of one',
    'sync': 'losses and gradient norm read by the host in every step',
    'precision': 'float16 with loss scaling in mixed precision instead of bfloat16 (on a GPU)',
}


def check_style(style: Collection[str]) -> None:
    """Raises ValueError where a style has a part that is not in :data:`STYLE`."""
    unknown = sorted(set(style) - set(STYLE))
    if unknown:
        raise ValueError(f'unknown parts of the published style {unknown}; known are {list(STYLE)}')


def use_published_style(model: nn.Module, style: Collection[str]) -> None:
    """Gives the modules of a model the published way of computing what they compute, in place.

    Args:
        model: pre-trainer or recognizer; use it for nothing else afterwards.
        style: Parts of :data:`STYLE`; those that concern the training step change no module.

    Raises:
        ValueError: If a part is unknown.
    """
    check_style(style)
    if 'linear' in style:
        remove_cpu_kernels(model)
    swaps: dict[str, tuple[type[nn.Module], str, Callable[..., Tensor]]] = {
        'attention': (Attention, 'attend', attend_explicitly),
        'patches': (PatchEmbed, 'forward', embed_all_patches),
        'targets': (PatchTarget, 'forward', targets_of_all_patches),
    }
    for kind, method, function in (swaps[part] for part in style if part in swaps):
        for module in model.modules():
            if isinstance(module, kind):
                setattr(module, method, partial(function, module))


def attend_explicitly(module: Attention, q: Tensor, k: Tensor, v: Tensor, padding_mask: Tensor | None = None) -> Tensor:
    """Lets ``(B, H, N, D / H)`` attend to ``(B, H, N', D / H)`` with weights ``(B, H, N, N')``; no padding."""
    if padding_mask is not None:
        raise ValueError('the published style knows no missing streams: measure batches whose clips have all of them')
    weights = F.dropout((q * q.shape[-1] ** -0.5 @ k.mT).softmax(dim=-1), module.attn_drop, module.training)
    out = (weights @ v).transpose(1, 2).flatten(2)  # (B, H, N, D / H) -> (B, N, D)
    output: Tensor = module.proj_drop(module.proj(out))
    return output


def embed_all_patches(module: PatchEmbed, x: Tensor, indices: Tensor | None = None) -> Tensor:
    """Embeds by a strided convolution and drops what is not wanted: ``(B, N, D)``, or ``(B, K, D)`` with indices."""
    tokens: Tensor = module.proj(x).flatten(2).transpose(1, 2)  # (B, N, D)
    if indices is None:
        return tokens
    is_wanted = torch.zeros(tokens.shape[:2], dtype=torch.bool, device=x.device).scatter_(1, indices, True)
    return tokens[is_wanted].view(len(x), -1, tokens.shape[-1])


@torch.no_grad()
def targets_of_all_patches(module: PatchTarget, x: Tensor, mask: TokenMask) -> Tensor:
    """Targets ``(B, M, P)`` of the predicted patches, out of those of all patches."""
    everywhere = torch.arange(mask.mask.shape[1], device=x.device).expand(len(x), -1)
    values = module.encode(module.normalized(x, everywhere), x, TokenMask(mask.mask, mask.visible, everywhere))
    targets = channels_last(values.flatten(2), module.in_channels)  # (B, N, P)
    if mask.decoded is not None:
        return gather_tokens(targets, mask.decoded)
    return targets[mask.mask].view(len(x), -1, targets.shape[-1])


def build_wrapper(
    model: nn.Module, settings: Mapping[str, Any], style: Collection[str], amp: bool, device: torch.device
) -> OptimWrapper:
    """Builds the optimizer wrapper of a config, with the published optimizer and mixed precision if needed.

    Args:
        model: Model whose parameters are changed.
        settings: ``optim_wrapper`` of the config.
        style: Parts of :data:`STYLE`.
        amp: Whether mixed precision is used: bfloat16 without loss scaling, unless the style has ``'precision'``.
        device: Device of the model.
    """
    chosen: dict[str, Any] = deepcopy(dict(settings))
    if 'optimizer' in style:
        chosen['optimizer'].pop('fused', None)
    if amp and device.type != 'cuda':
        chosen['type'] = 'OptimWrapper' if 'precision' in style else 'CpuAmpOptimWrapper'
    elif amp and 'precision' in style:
        chosen.update(type='AmpOptimWrapper', dtype='float16', loss_scale='dynamic')
    elif amp:
        chosen.update(type='AmpOptimWrapper', dtype='bfloat16', loss_scale=dict(enabled=False))
    return build_optim_wrapper(model, chosen)


def synchronous_step(model: Any, batch: Mapping[str, Any], wrapper: OptimWrapper) -> dict[str, float]:
    """Runs a training step after which the host reads every loss and the norm of the gradients.

    Returns:
        Losses by name, and ``grad_norm``.

    Raises:
        FloatingPointError: If the loss is not finite.
    """
    with wrapper.optim_context(model):
        prepared = model.data_preprocessor(batch, True)
        loss, logged = model.parse_losses(model(**prepared, mode='loss'))
    if not math.isfinite(loss.item()):
        raise FloatingPointError('the loss is not finite')
    wrapper.backward(loss)
    if isinstance(wrapper, AmpOptimWrapper):
        wrapper.loss_scaler.unscale_(wrapper.optimizer)
    gradients = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
    norm = torch.stack([gradient.norm() for gradient in gradients]).norm()
    wrapper.step()
    wrapper.zero_grad()
    wait_for(norm.device)
    return {name: value.item() for name, value in logged.items()} | {'grad_norm': norm.item()}
