"""Schedules for learning rate and weight decay."""

from hicmae_mm.engine.schedulers.cosine_weight_decay import CosineWeightDecay
from hicmae_mm.engine.schedulers.warmup_cosine import WarmupCosineLR

__all__ = ['CosineWeightDecay', 'WarmupCosineLR']
