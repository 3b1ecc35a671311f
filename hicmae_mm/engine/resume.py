"""Continuing an interrupted training: which checkpoint, and whether it fits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.logging import print_log
from mmengine.runner import find_latest_checkpoint
from torch import nn

from hicmae_mm.checkpoints.loading import read_checkpoint_meta

MAX_DONE = 10**10  # iterations; beyond any training


def check_resumable(checkpoint: dict[str, Any], filename: str) -> None:
    """Raises ValueError for a checkpoint that holds weights only."""
    absent = [key for key in ('meta', 'optimizer', 'message_hub') if key not in checkpoint]
    if absent:
        raise ValueError(
            f'{filename!r} holds weights but no training state ({", ".join(absent)} absent), so training cannot resume '
            'from it. To start from its weights use --cfg-options load_from=...'
        )

    for key in ('epoch', 'iter'):
        done = checkpoint['meta'].get(key, 0)
        if type(done) is not int or not 0 <= done <= MAX_DONE:
            raise ValueError(f'{filename!r} claims to be at {key} {str(done)[:30]}: its training state is damaged')


def check_order(model: nn.Module, state_dict: dict[str, Any], filename: str) -> None:
    """Raises ValueError if the parameters come in another order than in the checkpoint.

    Optimizers tell parameters apart by their order only, and would exchange their moments without a word.
    """
    own = [name for name, _ in model.named_parameters()]
    known = set(own)
    stored = [name for name in (key.removeprefix('module.') for key in state_dict) if name in known]
    other = next(((a, b) for a, b in zip(own, stored) if a != b), None)
    if other is not None:
        raise ValueError(
            f'the parameters come in another order than in {filename!r} ({other[0]} in place of {other[1]}), so the '
            'state of the optimizer does not fit. Resume with the config file that the training was started with: the '
            'copy in its work folder has the keys sorted'
        )


def set_resume(cfg: Config, resume: str | None) -> None:
    """Applies ``--resume [auto | path]`` to a config.

    ``auto`` takes the newest checkpoint of the work folder; if there is none, the training starts from the beginning,
    ``load_from`` included. The seed of the interrupted training is taken over.

    Args:
        cfg: Changed in place; ``work_dir`` must be set.
        resume: ``'auto'``, a path, or None for no change.

    Raises:
        FileNotFoundError: The checkpoint does not exist.
        ValueError: It holds weights only.
    """
    if resume is None and not cfg.get('resume'):
        return
    path = resume if resume not in (None, 'auto') else (None if resume == 'auto' else cfg.get('load_from'))
    if path is None:
        has_record = (Path(cfg.work_dir) / 'last_checkpoint').is_file()
        path = find_latest_checkpoint(cfg.work_dir) if has_record else None
        moved = None if path is None else Path(cfg.work_dir) / Path(path).name
        if moved is not None and moved.is_file():
            path = str(moved)  # the record holds an absolute path; the folder may have been moved since
    if path is None:
        print_log(f'no checkpoint to resume in {cfg.work_dir}: training starts from the beginning')
        cfg.resume = False
        return
    if Path(path).suffix == '.safetensors':
        check_resumable({'meta': {}}, str(path))  # the format holds no training state: say so before anything is built
    cfg.resume, cfg.load_from = True, str(path)
    seed = read_checkpoint_meta(str(path)).get('seed')
    if seed is not None:
        cfg.setdefault('randomness', {})
        cfg.randomness['seed'] = seed
