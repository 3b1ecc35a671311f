"""Makes plain layers fast and lean, mostly on a CPU. One call switches it on."""

from hicmae_mm.kernels.swapping import remove_cpu_kernels, use_cpu_kernels

__all__ = ['remove_cpu_kernels', 'use_cpu_kernels']
