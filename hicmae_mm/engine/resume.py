"""Resume an interrupted training: find the checkpoint, and check whether it fits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.logging import print_log
from mmengine.runner import find_latest_checkpoint
from torch import nn

from hicmae_mm.checkpoints.loading import read_checkpoint_meta
from hicmae_mm.models.adapters import stored_name

MAX_DONE = 10**10  # iterations; no training is that long


def check_resumable(checkpoint: dict[str, Any], filename: str) -> None:
    """Checks that a checkpoint contains the state of a training.

    Args:
        checkpoint: The checkpoint.
        filename: Its name, for errors.

    Raises:
        ValueError: If it contains only weights, or its state is damaged.
    """
    absent = [key for key in ('meta', 'optimizer', 'message_hub') if key not in checkpoint]
    if absent:
        raise ValueError(
            f'{filename!r} holds weights but no training state ({", ".join(absent)} missing), so training cannot '
            'resume from it. To start from its weights use --cfg-options load_from=...'
        )

    for key in ('epoch', 'iter'):
        done = checkpoint['meta'].get(key, 0)
        if type(done) is not int or not 0 <= done <= MAX_DONE:
            raise ValueError(f'{filename!r} states {key} {str(done)[:30]}: its training state is damaged')


def check_order(model: nn.Module, state_dict: dict[str, Any], filename: str) -> None:
    """Checks that the model has its parameters in the same order as the checkpoint.

    Optimizers identify parameters only by their order. With another order they would exchange their moments without an
    error.

    Args:
        model: The model.
        state_dict: Weights of the checkpoint.
        filename: Name of the checkpoint, for errors.

    Raises:
        ValueError: If the order differs.
    """
    own = [stored_name(name) for name, _ in model.named_parameters()]
    known = set(own)
    stored = [name for name in (key.removeprefix('module.') for key in state_dict) if name in known]
    other = next(((a, b) for a, b in zip(own, stored) if a != b), None)
    if other is not None:
        raise ValueError(
            f'the parameters have another order than in {filename!r} ({other[0]} in place of {other[1]}), so the '
            'state of the optimizer does not fit. Resume with the config file that the training was started with: the '
            'copy in its work folder has the keys sorted'
        )


def set_resume(cfg: Config, resume: str | None) -> None:
    """Applies ``--resume [auto | path]`` to a config.

    ``auto`` uses the newest checkpoint of the work folder. If there is none, the training starts from the beginning,
    with the weights of ``load_from`` if the config has it. A resumed training uses the seed of the interrupted one.

    Args:
        cfg: The config, which is changed in place. It must have ``work_dir``.
        resume: ``'auto'`` or a path. None applies ``resume`` and ``load_from`` of the config.

    Raises:
        FileNotFoundError: If the checkpoint does not exist.
        ValueError: If it contains only weights.
    """
    if resume is None and not cfg.get('resume'):
        return
    path = resume if resume not in (None, 'auto') else (None if resume == 'auto' else cfg.get('load_from'))
    if path is None:
        has_record = (Path(cfg.work_dir) / 'last_checkpoint').is_file()
        path = find_latest_checkpoint(cfg.work_dir) if has_record else None
        moved = None if path is None else Path(cfg.work_dir) / Path(path).name
        if moved is not None and moved.is_file():
            path = str(moved)  # the record has an absolute path, but the folder may have been moved
    if path is None:
        print_log(f'no checkpoint to resume in {cfg.work_dir}: training starts from the beginning')
        cfg.resume = False
        return
    if Path(path).suffix == '.safetensors':
        check_resumable({'meta': {}}, str(path))  # the format has no training state: fail before anything is built
    cfg.resume, cfg.load_from = True, str(path)
    seed = read_checkpoint_meta(str(path)).get('seed')
    if seed is not None:
        cfg.setdefault('randomness', {})
        cfg.randomness['seed'] = seed
