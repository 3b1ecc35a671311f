"""Mixed precision on a CPU: bfloat16 autocast if the CPU supports it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from mmengine.logging import print_log
from mmengine.optim import OptimWrapper
from torch import nn

from hicmae_mm.registry import OPTIM_WRAPPERS

_BF16_FLAGS = {'avx512_bf16', 'amx_bf16', 'bf16', 'avx_ne_convert'}


def cpu_has_native_bfloat16(cpuinfo: str | Path = '/proc/cpuinfo') -> bool:
    """Checks whether the CPU multiplies bfloat16 in hardware. Emulation is about 300 times slower than float32.

    Args:
        cpuinfo: File in which the kernel describes the CPU (x86 ``flags``, ARM ``Features``).

    Returns:
        Whether it does. False if the file does not exist.
    """
    if not Path(cpuinfo).exists():
        return False
    for line in Path(cpuinfo).read_text().splitlines():
        name, _, values = line.partition(':')
        if name.strip() in ('flags', 'Features'):
            return not _BF16_FLAGS.isdisjoint(values.split())
    return False


@OPTIM_WRAPPERS.register_module()
class CpuAmpOptimWrapper(OptimWrapper):
    """Wraps an optimizer with bfloat16 autocast on the CPU.

    It does not scale the loss, because bfloat16 does not need it. On a CPU without native bfloat16 it warns and
    computes in float32.

    Args:
        optimizer: The optimizer.
        accumulative_counts: Number of iterations for one optimizer step.
        clip_grad: See MMEngine's ``OptimWrapper``.
    """

    def __init__(
        self, optimizer: torch.optim.Optimizer, accumulative_counts: int = 1, clip_grad: dict[str, Any] | None = None
    ) -> None:
        super().__init__(optimizer, accumulative_counts=accumulative_counts, clip_grad=clip_grad)
        self.is_enabled = cpu_has_native_bfloat16()
        if self.is_enabled:
            print_log('Mixed precision on the CPU: bfloat16 autocast', logger='current')
        else:
            print_log(
                'Mixed precision was requested, but this CPU has no native bfloat16: computing in float32, because '
                'emulated bfloat16 is much slower',
                logger='current',
                level=logging.WARNING,
            )

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """Returns the context of the forward pass: autocast, and no gradient exchange between accumulated iterations.

        Args:
            model: The model.

        Yields:
            Nothing.
        """
        with super().optim_context(model), torch.autocast('cpu', dtype=torch.bfloat16, enabled=self.is_enabled):
            yield
