"""What two ranks, or one rank with the clips of both, train in the tests of the model wrappers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.distributed as dist
from mmengine.optim import OptimWrapper
from torch import Tensor, nn
from torch.distributed.algorithms.ddp_comm_hooks.default_hooks import allreduce_hook

from hicmae_mm.engine.wrappers import DataParallelModel
from tests.models import tiny
from tests.models.test_models import clips

STEPS, PER_STEP, CLIPS_PER_RANK = 7, 3, 2  # the last window of accumulation has one iteration
FREEZE = dict(frozen=('encoders.video',))
ADAPT = dict(adapters=[dict(type='LoRA', target='encoders', modules=r'attn\.(qkv|proj)|mlp\.fc[12]', r=2)])


def rows_of(rank: int | None) -> slice:
    """The clips of a rank; of both ranks for None."""
    return slice(None) if rank is None else slice(rank * CLIPS_PER_RANK, (rank + 1) * CLIPS_PER_RANK)


def recognizer_batch(step: int, rank: int | None) -> dict[str, Any]:
    inputs = tiny.inputs(2 * CLIPS_PER_RANK, seed=step)
    labels = [(step + clip) % 3 for clip in range(2 * CLIPS_PER_RANK)][rows_of(rank)]
    return dict(inputs={name: value[rows_of(rank)] for name, value in inputs.items()}, data_samples=clips(*labels))


def incomplete_batch(rank: int | None) -> dict[str, Any]:
    """All clips of the first rank lack their sound."""
    batch = recognizer_batch(0, rank)
    if rank == 0:
        del batch['inputs']['audio']
    if rank is None:
        batch['present'] = dict(audio=torch.arange(2 * CLIPS_PER_RANK) >= CLIPS_PER_RANK)
    return batch


def pretrainer_batch(rank: int | None) -> dict[str, Any]:
    parts = dict(inputs=tiny.inputs(2 * CLIPS_PER_RANK), masks=tiny.masks(2 * CLIPS_PER_RANK))
    return {part: {name: value[rows_of(rank)] for name, value in streams.items()} for part, streams in parts.items()}


def pretrainer(gather: bool) -> nn.Module:
    """With a contrastive loss that is not small beside the others."""
    loss = dict(type='InfoNCELoss', gather=gather, loss_weight=1.0)
    contrastive = dict(type='HierarchicalContrastiveHead', layers=(0, 2), loss=loss)
    return tiny.build(tiny.pretrainer_config(contrastive=contrastive))


def recognizer(drop_path_rate: float = 0.0, checkpoint_activations: bool = False, **options: Any) -> nn.Module:
    config = tiny.recognizer_config(**options)
    for encoder in config['encoders'].values():
        encoder.update(drop_path_rate=drop_path_rate, checkpoint_activations=checkpoint_activations)
    return tiny.build(config)


def one_step(model: Any, batch: dict[str, Any]) -> dict[str, Tensor]:
    """Gradients of one iteration, where there are any."""
    losses = model.train()(**batch, mode='loss')
    sum(value for name, value in losses.items() if 'loss' in name).backward()
    parameters = getattr(model, 'module', model).named_parameters()
    return {name: parameter.grad.clone() for name, parameter in parameters if parameter.grad is not None}


class Traffic:
    """Counts the bytes that a data-parallel model sends in every iteration, by bucket."""

    def __init__(self, model: DataParallelModel) -> None:
        self.buckets: list[list[int]] = []
        model.register_comm_hook(None, lambda _, bucket: self.reduce(bucket))

    def reduce(self, bucket: dist.GradBucket) -> Any:
        self.buckets[-1].append(bucket.buffer().numel() * bucket.buffer().element_size())
        return allreduce_hook(None, bucket)


def train(model: Any, rank: int | None, traffic: Traffic | None = None) -> dict[str, Any]:
    """Some iterations with accumulated and clipped gradients; losses, norms of gradients and final weights."""
    model.train()
    module = getattr(model, 'module', model)
    optimizer = torch.optim.AdamW([p for p in module.parameters() if p.requires_grad], lr=1e-2, fused=True)
    wrapper = OptimWrapper(optimizer, accumulative_counts=PER_STEP, clip_grad=dict(max_norm=0.5))
    wrapper.initialize_count_status(model, 0, STEPS)
    losses, norms = [], []
    for step in range(STEPS):
        if traffic is not None:
            traffic.buckets.append([])
        losses.append(model.train_step(recognizer_batch(step, rank), wrapper)['loss'].item())
        if wrapper.should_update():
            norms.append(float(wrapper.message_hub.get_scalar('train/grad_norm').current()))
    return dict(losses=losses, norms=norms, weights=module.state_dict())


def spread(function: Callable[..., None], *arguments: Any) -> None:
    """Runs ``function(rank, *arguments)`` in two processes."""
    torch.multiprocessing.spawn(function, arguments, nprocs=2)
