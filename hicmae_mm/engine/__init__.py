"""Training: runner, loops, optimizers, schedules and hooks."""

from hicmae_mm.engine import hooks, optimizers, schedulers
from hicmae_mm.engine.loops import EpochTrainLoop
from hicmae_mm.engine.runner import AudioVisualRunner, build_runner, set_resume

__all__ = [
    'AudioVisualRunner',
    'EpochTrainLoop',
    'build_runner',
    'hooks',
    'optimizers',
    'schedulers',
    'set_resume',
]
