"""What makes plain layers fast and lean, mostly on a CPU; switched on by one call."""

from hicmae_mm.kernels.swapping import remove_cpu_kernels, use_cpu_kernels

__all__ = ['remove_cpu_kernels', 'use_cpu_kernels']
