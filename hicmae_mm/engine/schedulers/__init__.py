"""Learning-rate schedules."""

from hicmae_mm.engine.schedulers.warmup_cosine import WarmupCosineLR

__all__ = ['WarmupCosineLR']
