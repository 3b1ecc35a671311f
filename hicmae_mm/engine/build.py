"""Checks a config and builds a runner from it."""

from __future__ import annotations

from mmengine.config import Config
from mmengine.runner import Runner

from hicmae_mm.checkpoints.loading import allow_training_checkpoints, check_exists
from hicmae_mm.config.checks import check_config
from hicmae_mm.config.preprocessing import check_preprocessing
from hicmae_mm.engine.logging import silence_known_warnings
from hicmae_mm.engine.wrappers.base import unwrapped
from hicmae_mm.registry import RUNNERS


def build_runner(cfg: Config) -> Runner:
    """Checks a config and builds its runner.

    Args:
        cfg: The config with ``work_dir``. ``runner_type`` selects another registered runner.

    Returns:
        A runner that is ready for ``train()``, ``val()`` or ``test()``.

    Raises:
        ValueError: If a key is unknown; the error names it and the closest known key.
        FileNotFoundError: If ``load_from`` does not exist.
    """
    silence_known_warnings()
    allow_training_checkpoints()
    check_config(cfg)
    check_exists(cfg.get('load_from'))
    runner_class = RUNNERS.get(cfg.get('runner_type', 'AudioVisualRunner'))
    if runner_class is None:
        raise ValueError(f'runner_type={cfg.runner_type!r} is not registered in RUNNERS')
    runner: Runner = runner_class.from_cfg(cfg)
    check_preprocessing(unwrapped(runner.model), cfg)
    return runner
