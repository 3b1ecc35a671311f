"""Time, rate and memory of training steps and forward passes."""

from __future__ import annotations

import itertools
import statistics
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from torch import Tensor, nn

from hicmae_mm.config.facts import without_folders
from hicmae_mm.engine import AudioVisualRunner
from hicmae_mm.engine.hooks.compile import compile_parts
from hicmae_mm.engine.hooks.model_epoch import epoch_parts
from hicmae_mm.engine.hooks.sample_memory import sample_memories
from hicmae_mm.engine.optimizers.cpu_amp import cpu_has_native_bfloat16
from hicmae_mm.kernels import use_cpu_kernels
from hicmae_mm.measuring.complexity import count_complexity, published_macs
from hicmae_mm.measuring.published import STYLE, build_wrapper, synchronous_step, use_published_style
from hicmae_mm.measuring.random_batch import random_batch, random_inputs
from hicmae_mm.measuring.timing import matmul_gflops, peak_memory_mb, seconds_per_call
from hicmae_mm.models.base import AudioVisualModel
from hicmae_mm.registry import MODELS

VARIANTS = ('plain', 'baseline', 'compile', 'checkpointing', *STYLE)
Batch = dict[str, Any]


@dataclass(frozen=True)
class ModelPlan:
    """Describes what is measured.

    Attributes:
        mode: ``'train'``: optimizer steps; ``'infer'``: forward passes.
        batch_size: clips, or views in inference.
        iters: Number of timed calls.
        warmup: Number of calls before them.
        amp: Whether mixed precision is used.
        device: Device on which the model runs.
        is_noise: True if the inputs are one batch of noise, False if they are those of the config's loader.
        variant: ``'plain'``: as the config says; ``'baseline'``: all of the published style; one part of
            :data:`~hicmae_mm.measuring.published.STYLE`; ``'compile'``: encoders, fusion and decoders compiled;
            ``'checkpointing'``: activations recomputed in the backward pass.
    """

    mode: str
    batch_size: int
    iters: int
    warmup: int
    amp: bool
    device: torch.device
    is_noise: bool = True
    variant: str = 'plain'

    @property
    def style(self) -> tuple[str, ...]:
        """Parts of the published style that are in use."""
        if self.variant == 'baseline':
            return tuple(STYLE)
        return (self.variant,) if self.variant in STYLE else ()


def measure_model(cfg: Config, plan: ModelPlan) -> dict[str, Any]:
    """Times steps or forward passes of the config's model, and the machine's rate before, after and (CPU) between them.

    A shared machine's rate changes from second to second, so each step is set against the rate just before and after.

    Raises:
        ValueError: If the config lacks what the mode or the variant needs.
    """
    device = plan.device
    idle_memory = peak_memory_mb(device)
    # what noise costs does not depend on weights, so the folders of foreign encoders need not be there
    model = MODELS.build(without_folders(cfg.model) if plan.is_noise else cfg.model)
    batch = random_batch(model, plan.batch_size, pipeline_of(cfg))
    forward_macs = nominal_macs(model, batch.get('masks'))
    model.to(device)
    if cfg.get('cpu_kernels', True):
        use_cpu_kernels(model)
    apply_variant(model, plan)
    batches = itertools.repeat(pinned(batch, device)) if plan.is_noise else endless_batches(cfg, plan)
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        step, dtype = build_step(model, cfg, plan)
        rates = [matmul_gflops(device, dtype)]
        if device.type == 'cuda':
            torch.cuda.reset_peak_memory_stats(device)
        timed = time_steps(step, batches, plan, lambda: rates.append(matmul_gflops(device, dtype, 0.4)))
        memory = peak_memory_mb(device)
        if device.type == 'cuda':
            rates.append(matmul_gflops(device, dtype))
    gflop = 2 * forward_macs / 1e9 * (3 if plan.mode == 'train' else 1)
    rows = timed.pop('rows')
    clips_per_s = statistics.mean(rows) / timed['seconds_per_iter']
    beside = [statistics.mean(pair) for pair in itertools.pairwise(rates)]  # of each step; on a GPU one for all
    shares = [
        count * gflop / seconds / rate for count, seconds, rate in zip(rows, timed['seconds'], itertools.cycle(beside))
    ]
    return {
        'device': torch.cuda.get_device_name(device) if device.type == 'cuda' else 'cpu',
        'dtype': str(dtype).removeprefix('torch.'),
        'variant': plan.variant,
        'batch_size': plan.batch_size,
        'iters': plan.iters,
        'nominal_gflop_per_clip': gflop,
        **timed,
        'model_memory_mb': memory - idle_memory,
        'matmul_gflops_per_s_measured': rates,
        'clips_per_s': clips_per_s,
        'gflops_per_s': clips_per_s * gflop,
        'matmul_gflops_per_s': statistics.median(rates),
        'matmul_fraction': statistics.median(shares),
        'peak_memory_mb': memory,
    }


def nominal_macs(model: AudioVisualModel, masks: dict[str, Tensor] | None) -> float:
    """Returns the published work per clip, or what the model's own forward pass needs if it was never published."""
    try:
        return published_macs(model, masks)
    except TypeError:
        one = None if masks is None else {name: mask[:1] for name, mask in masks.items()}
        return count_complexity(model, random_inputs(model, 1), one).macs


def apply_variant(model: AudioVisualModel, plan: ModelPlan) -> None:
    """Changes how the model computes, not what.

    Raises:
        ValueError: If nothing in the model can recompute its activations.
    """
    use_published_style(model, plan.style)
    if plan.variant == 'checkpointing':
        parts = [module for module in model.modules() if hasattr(module, 'checkpoint_activations')]
        if not parts:
            raise ValueError('no part of this model has the option checkpoint_activations')
        for part in parts:
            part.checkpoint_activations = True
    if plan.variant == 'compile':
        compile_parts(model)


def build_step(model: nn.Module, cfg: Config, plan: ModelPlan) -> tuple[Callable[[Batch], Any], torch.dtype]:
    """Returns the call to be timed, and the type of its matrix products.

    Raises:
        ValueError: If the config has no optimizer, so that there is no training step.
    """
    trained: Any = model
    if plan.mode == 'infer':
        trained.eval()
        dtype = inference_dtype(plan)
        is_mixed = dtype != torch.float32

        def infer(batch: Batch) -> Any:
            with torch.no_grad(), torch.autocast(plan.device.type, dtype if is_mixed else None, enabled=is_mixed):
                return trained.test_step(batch)

        return infer, dtype
    if 'optim_wrapper' not in cfg:
        raise ValueError(f'{cfg.filename} has no optim_wrapper, so there is no training step to measure')
    wrapper = build_wrapper(model, cfg.optim_wrapper, plan.style, plan.amp, plan.device)
    trained.train()
    begin_last_epoch(model, cfg, plan)
    with wrapper.optim_context(model):
        enabled = torch.is_autocast_enabled(plan.device.type)
        dtype = torch.get_autocast_dtype(plan.device.type) if enabled else torch.float32
    if 'sync' in plan.style:
        return lambda batch: synchronous_step(model, batch, wrapper), dtype
    return lambda batch: trained.train_step(batch, wrapper), dtype


def begin_last_epoch(model: nn.Module, cfg: Config, plan: ModelPlan) -> None:
    """Does what the runner's hooks do for parts with a memory of samples or with schedules by epoch."""
    for memory in sample_memories(model).values():
        memory.allocate(plan.batch_size, plan.device)
    num_epochs = cfg.get('train_cfg', {}).get('max_epochs', 1)
    for part in epoch_parts(model):
        part.begin_epoch(num_epochs, num_epochs)


def inference_dtype(plan: ModelPlan) -> torch.dtype:
    """Returns the type of the matrix products.

    Without native bfloat16, mixed precision on a CPU would only be slower.
    """
    if not plan.amp or (plan.device.type == 'cpu' and ('precision' in plan.style or not cpu_has_native_bfloat16())):
        return torch.float32
    return torch.float16 if 'precision' in plan.style else torch.bfloat16


def time_steps(
    step: Callable[[Batch], Any], batches: Iterator[Batch], plan: ModelPlan, between: Callable[[], Any]
) -> dict[str, Any]:
    """Calls the step over and over, and on a CPU ``between()`` after each.

    Returns:
        Seconds by key, ``rows`` of every batch, and with ``variant='compile'`` what compiling took, where it broke the
        graph and how many graphs it compiled after the warm-up.
    """
    rows: list[int] = []
    cpu_seconds: list[float] = []

    def call() -> None:
        batch = next(batches)
        rows.append(len(next(iter(batch['inputs'].values()))))
        start = time.process_time()
        step(batch)
        cpu_seconds.append(time.process_time() - start)

    def call_once() -> list[float]:
        return seconds_per_call(call, 1, plan.device, warmup=0)

    compiling = _Compiling(call_once) if plan.variant == 'compile' else None
    for _ in range(plan.warmup):
        call()
    warm_calls = len(rows)
    if compiling is not None:
        compiling.mark_warm()
    seconds = seconds_per_call(call, plan.iters, plan.device, warmup=0, between=between)
    typical = statistics.median(seconds)
    measured: dict[str, Any] = {
        'rows': rows[warm_calls:],
        'seconds': seconds,
        'seconds_per_iter': typical,
        'cpu_seconds_per_iter': min(cpu_seconds[warm_calls:]),
    }
    if compiling is not None:
        measured |= compiling.report(typical)
    return measured


class _Compiling:
    """Counts what torch.compile does from the first call on."""

    def __init__(self, first_call: Callable[[], list[float]]) -> None:
        from torch._dynamo.utils import counters  # 100 MB, which no other variant needs

        self._counters = counters
        counters.clear()
        (self._seconds,) = first_call()
        self._warm_graphs = 0

    def mark_warm(self) -> None:
        """Graphs from here on are compiled anew."""
        self._warm_graphs = self._counters['stats']['unique_graphs']

    def report(self, typical: float) -> dict[str, Any]:
        """Figures, given the seconds of a later call."""
        return {
            'compile_seconds': self._seconds - typical,
            'graph_breaks': sum(self._counters['graph_break'].values()),
            'recompiled_graphs': self._counters['stats']['unique_graphs'] - self._warm_graphs,
        }


def pinned(batch: Batch, device: torch.device) -> Batch:
    """Pins the batch in memory, so that a GPU copies it without blocking the host, as data loaders do."""
    if device.type != 'cuda':
        return batch
    moved = {
        field: {name: tensor.pin_memory() for name, tensor in batch[field].items()}
        for field in ('inputs', 'masks')
        if field in batch
    }
    return batch | moved


def endless_batches(cfg: Config, plan: ModelPlan) -> Iterator[Batch]:
    """Batches of the config's training or test loader, over and over.

    Raises:
        ValueError: If the config has no such loader.
    """
    split = 'train' if plan.mode == 'train' else 'test'
    settings = cfg.get(f'{split}_dataloader')
    if not settings:
        raise ValueError(f'{cfg.filename} has no {split}_dataloader')
    settings['batch_size'] = plan.batch_size
    settings.setdefault('collate_fn', pseudo_collate)
    loader = AudioVisualRunner.build_dataloader(settings, seed=0)
    return (batch for _ in itertools.count() for batch in loader)


def pipeline_of(cfg: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Returns the training pipeline, if the config has one."""
    return list(((cfg.get('train_dataloader') or {}).get('dataset') or {}).get('pipeline') or [])
