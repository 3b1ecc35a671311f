"""Train models: runner, loops, optimizers, schedules and hooks."""

from hicmae_mm.engine import hooks, optimizers, schedulers, wrappers
from hicmae_mm.engine.build import build_runner
from hicmae_mm.engine.loops import EpochTrainLoop
from hicmae_mm.engine.resume import set_resume
from hicmae_mm.engine.runner import AudioVisualRunner

__all__ = [
    'AudioVisualRunner',
    'EpochTrainLoop',
    'build_runner',
    'hooks',
    'optimizers',
    'schedulers',
    'set_resume',
    'wrappers',
]
