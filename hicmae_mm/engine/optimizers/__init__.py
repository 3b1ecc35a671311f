"""Optimizer wrappers and their constructors."""

from hicmae_mm.engine.optimizers.cpu_amp import CpuAmpOptimWrapper
from hicmae_mm.engine.optimizers.layer_decay import LayerDecayOptimWrapperConstructor

__all__ = ['CpuAmpOptimWrapper', 'LayerDecayOptimWrapperConstructor']
