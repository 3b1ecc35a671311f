"""Folds of a config: their lists, the settings that determine their results, and the checkpoints of a training."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config

from hicmae_mm.config.checks import known_top_level_keys
from hicmae_mm.config.overrides import load_config
from hicmae_mm.registry import DATASETS

# keys that change the speed and not the result, so that a change of them does not repeat a training
_SPEED = {'num_workers', 'persistent_workers', 'pin_memory', 'prefetch_factor'}
_NOT_TRAINING = {'test_dataloader', 'test_evaluator', 'test_cfg', 'work_dir', 'log_level', 'launcher', 'resume'}
_TESTING = ('model', 'test_dataloader', 'test_cfg', 'custom_imports', 'default_scope')

MOST_FOLDS = 1000


def parse_folds(text: str) -> tuple[int, ...]:
    """Reads ``1-5``, ``1,3,5``, ``2`` or ``1-3,5`` as fold numbers in ascending order.

    Raises:
        ValueError: If the text has another form, or a number is too large.

    Example:
        >>> parse_folds('1-3,5')
        (1, 2, 3, 5)
    """
    folds: set[int] = set()
    for part in text.split(','):
        match = re.fullmatch(r'\s*([0-9]{1,18})\s*(?:-\s*([0-9]{1,18})\s*)?', part)
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
        if first > last:
            raise ValueError(f'folds {text[:60]!r} cannot be read: expected a form such as 1-5, 1,3,5 or 2')
        if last >= MOST_FOLDS:
            raise ValueError(f'folds {text[:60]!r} are too many: the largest number is {MOST_FOLDS - 1}')
        folds.update(range(first, last + 1))
    return tuple(sorted(folds))


@contextlib.contextmanager
def fold_environment(fold: int) -> Iterator[None]:
    """Sets the environment variable ``FOLD``, which configs read, within the block."""
    before = os.environ.get('FOLD')
    os.environ['FOLD'] = str(fold)
    try:
        yield
    finally:
        if before is None:
            del os.environ['FOLD']
        else:
            os.environ['FOLD'] = before


def load_fold(path: str | Path, fold: int, options: Mapping[str, Any] | None = None) -> Config:
    """Reads the config of a fold.

    Args:
        path: Config file that reads ``FOLD`` from the environment.
        fold: Number of the fold.
        options: Overrides by dotted key, as in ``--cfg-options``.

    Raises:
        FileNotFoundError: If the config or a list of the fold does not exist.
        ValueError: If an option is misspelt, or the config does not both train and test.
    """
    with fold_environment(fold):
        cfg = load_config(path, options)
    for key in ('train_dataloader', 'test_dataloader', 'test_evaluator'):
        if cfg.get(key) is None:
            raise ValueError(f'{path} has no {key}: expected a config that trains and tests')
    for stage in ('train', 'val', 'test'):
        for file in annotation_files(cfg.get(f'{stage}_dataloader')):
            if not file.is_file():
                raise FileNotFoundError(
                    f'fold {fold}: the list {file} does not exist; write the lists of all folds with '
                    'tools/dataset_converters, or choose other --folds'
                )
    return cfg


def annotation_files(loader: Mapping[str, Any] | None) -> list[Path]:
    """Lists all annotation files in the config of a data loader, joined with their ``data_root``."""
    return list(_annotation_files((loader or {}).get('dataset')))


def _annotation_files(dataset: Any) -> Iterator[Path]:
    if isinstance(dataset, (list, tuple)):
        for item in dataset:
            yield from _annotation_files(item)
    if not isinstance(dataset, Mapping):
        return
    if dataset.get('ann_file'):
        yield Path(dataset.get('data_root') or '') / dataset['ann_file']
    for key, item in dataset.items():
        if key != 'pipeline':
            yield from _annotation_files(item)


def check_folds_differ(configs: Mapping[int, Config], path: str | Path) -> None:
    """Checks that no two folds of a config train or test on the same list.

    Args:
        configs: Config of each fold.
        path: Path of the config file, for the message.

    Raises:
        ValueError: If two folds read the same file.
    """
    for stage in ('train', 'test'):
        owner: dict[str, int] = {}
        for fold, cfg in configs.items():
            loader = cfg.get(f'{stage}_dataloader')
            source = ', '.join(str(file.resolve()) for file in annotation_files(loader))
            source = source or repr(loader.get('dataset'))  # data sets without lists, such as shards
            if source in owner:
                raise ValueError(
                    f'{path} does not use FOLD: folds {owner[source]} and {fold} have the same {stage} data '
                    f"({source[:300]}). Write it into the config, as in ann_file='fold{{{{$FOLD:1}}}}/{stage}.csv'"
                )
            owner[source] = fold


def training_identity(cfg: Config) -> dict[str, Any]:
    """Returns all that determines the result of a training: the content of the lists, and a part of the config.

    The part leaves out tests, folders, and keys that only change the speed.
    """
    known = known_top_level_keys() - _NOT_TRAINING
    content = {key: _without_speed(value) for key, value in cfg.to_dict().items() if key in known}
    return {'config': content, 'lists': _digests(cfg, ('train', 'val'))}


def testing_identity(cfg: Config, checkpoint: Path) -> dict[str, Any]:
    """Returns all that determines the predictions of a checkpoint: its name, the lists, and a part of the config.

    The part leaves out the metrics, which are computed from the predictions.
    """
    content = {key: _without_speed(value) for key, value in cfg.to_dict().items() if key in _TESTING}
    return {'checkpoint': checkpoint.name, 'config': content, 'lists': _digests(cfg, ('test',))}


def _without_speed(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_speed(item) for key, item in value.items() if key not in _SPEED}
    return [_without_speed(item) for item in value] if isinstance(value, (list, tuple)) else value


def _digests(cfg: Config, stages: Sequence[str]) -> dict[str, str]:
    files = [file for stage in stages for file in annotation_files(cfg.get(f'{stage}_dataloader'))]
    return {str(file): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def dataset_meta(cfg: Config) -> dict[str, Any]:
    """Returns ``METAINFO`` of the class of the test set, overridden by ``metainfo`` of the config."""
    dataset = (cfg.get('test_dataloader') or {}).get('dataset') or {}
    registered = DATASETS.get(dataset['type']) if dataset.get('type') else None
    return {**getattr(registered, 'METAINFO', {}), **(dataset.get('metainfo') or {})}


def selecting_measures(cfg: Config) -> list[str]:
    """Returns ``save_best`` of a config, the measures that select the best checkpoint; empty without validation."""
    hook = (cfg.get('default_hooks') or {}).get('checkpoint') or {}
    if cfg.get('val_dataloader') is None or not hook.get('save_best'):
        return []
    return [hook['save_best']] if isinstance(hook['save_best'], str) else list(hook['save_best'])


def last_checkpoint(folder: Path) -> Path | None:
    """Returns the newest checkpoint of a work folder, also if the folder was moved; None if there is no checkpoint."""
    record = folder / 'last_checkpoint'
    path = folder / Path(record.read_text().strip()).name if record.is_file() else None
    return path if path is not None and path.is_file() else None


def best_checkpoint(folder: Path, measure: str) -> Path | None:
    """Returns the best checkpoint of a work folder by a measure (``'auto'`` for any); None if there is none."""
    name = '*' if measure == 'auto' else measure.replace('/', '_')
    found = sorted(folder.glob(f'best_{name}_*.pth'), key=lambda path: path.stat().st_mtime)
    return found[-1] if found else None


def other_checkpoints(folder: Path) -> list[Path]:
    """Lists the checkpoints of a work folder that are neither the newest nor a best one."""
    newest = last_checkpoint(folder)
    return sorted(path for path in folder.glob('*.pth') if path != newest and not path.name.startswith('best_'))


def set_aside(folder: Path) -> Path:
    """Renames a folder to ``outdated/NAME_1`` (2, 3, ...) beside it, and returns the new name."""
    number = 1
    while (target := folder.parent / 'outdated' / f'{folder.name}_{number}').exists():
        number += 1
    target.parent.mkdir(exist_ok=True)
    return folder.rename(target)
