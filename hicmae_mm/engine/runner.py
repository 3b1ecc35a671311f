"""MMEngine's Runner, made to work on one CPU or many GPU nodes, with honest loading of checkpoints."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.dist import get_world_size, master_only
from mmengine.logging import MMLogger, print_log
from mmengine.model import is_model_wrapper
from mmengine.optim import OptimWrapper
from mmengine.runner import Runner, find_latest_checkpoint
from torch import nn
from torch.utils.data import DataLoader

from hicmae_mm.engine.schedulers import WarmupCosineLR
from hicmae_mm.registry import FUNCTIONS, RUNNERS
from hicmae_mm.utils.checkpoint import (
    allow_training_checkpoints,
    check_exists,
    load_weights,
    read_checkpoint,
    read_checkpoint_meta,
)
from hicmae_mm.utils.config_checks import check_config
from hicmae_mm.utils.distributed import check_local_rank_has_gpu, init_cpu_process_group, leave_cores_to_workers
from hicmae_mm.utils.downloads import weights_only
from hicmae_mm.utils.files import replaced_file
from hicmae_mm.utils.logging import shorten_console, silence_known_warnings


@RUNNERS.register_module()
class AudioVisualRunner(Runner):
    """A Runner that differs from MMEngine's in the following, and in nothing else.

    * Distributed training without a GPU: gloo group, no device ids. Training without a GPU at all leaves the loader's
      workers their cores.
    * The learning rate is scaled by the batch of all ranks *and accumulated iterations*.
    * ``load_from`` says what was loaded and what was not, and refuses a checkpoint of which nothing fits; testing and
      resuming refuse one that leaves a parameter unset.
    * A checkpoint is written whole or not at all.
    * Resuming with another number of iterations per epoch continues at the same point of the schedule.
    * More ranks than samples is an error; data-loader options that need workers or a GPU are left out without them.
    * The console shows no listings of hundreds of lines (the log file does).
    """

    _needs_all_weights = False

    def setup_env(self, env_cfg: dict[str, Any]) -> None:
        """Starts the process group where MMEngine cannot, then everything else."""
        if self.distributed:
            for name in ('OMP_NUM_THREADS', 'MKL_NUM_THREADS'):
                os.environ.setdefault(name, str(torch.get_num_threads()))
            if torch.cuda.is_available():
                check_local_rank_has_gpu()
            elif not torch.distributed.is_initialized():
                timeout = env_cfg.get('dist_cfg', {}).get('timeout', 1800)
                init_cpu_process_group(self.launcher, timeout)
        elif not torch.cuda.is_available() and 'OMP_NUM_THREADS' not in os.environ:
            loaders = [self.cfg.get(f'{stage}_dataloader') or {} for stage in ('train', 'val', 'test')]
            leave_cores_to_workers(max(loader.get('num_workers', 0) for loader in loaders))
        super().setup_env(env_cfg)

    def build_logger(self, log_level: int | str = 'INFO', log_file: str | None = None, **kwargs: Any) -> MMLogger:
        """Builds MMEngine's logger and shortens what it prints to the console."""
        logger = super().build_logger(log_level, log_file, **kwargs)
        shorten_console(logger)
        print_log(f'Environment, config and hooks are listed in {self._log_dir}/{self.timestamp}.log', logger)
        return logger

    def wrap_model(self, model_wrapper_cfg: dict[str, Any] | None, model: nn.Module) -> nn.Module:
        """Wraps the model for distribution; without a GPU there are no device ids."""
        if self.distributed and not torch.cuda.is_available() and not is_model_wrapper(model):
            model_wrapper_cfg = {
                'type': 'MMDistributedDataParallel',
                'broadcast_buffers': False,
                'find_unused_parameters': self.cfg.get('find_unused_parameters', False),
                'device_ids': None,
                **(model_wrapper_cfg or {}),
            }
        return super().wrap_model(model_wrapper_cfg, model)

    @staticmethod
    def build_dataloader(
        dataloader: DataLoader | dict[str, Any], seed: int | None = None, diff_rank_seed: bool = False
    ) -> DataLoader:
        """Builds a data loader, and checks that every rank has work.

        Raises:
            ValueError: Fewer samples than ranks, or not one full batch with ``drop_last=True``.
        """
        if isinstance(dataloader, dict):
            dataloader = dict(dataloader)
            if not torch.cuda.is_available():
                dataloader['pin_memory'] = False
            if not dataloader.get('num_workers'):
                for option in ('persistent_workers', 'prefetch_factor'):
                    dataloader.pop(option, None)
            for slot in ('collate_fn', 'worker_init_fn'):  # MMEngine looks these up without the default scope
                kind = (dataloader.get(slot) or {}).get('type')
                if isinstance(kind, str) and FUNCTIONS.get(kind) is not None:
                    dataloader[slot] = {**dataloader[slot], 'type': FUNCTIONS.get(kind)}
        loader = Runner.build_dataloader(dataloader, seed, diff_rank_seed)
        num_samples = len(loader.dataset)  # type: ignore[arg-type]
        source = getattr(loader.dataset, 'ann_file', type(loader.dataset).__name__)
        if num_samples < get_world_size():
            raise ValueError(
                f'{get_world_size()} ranks but only {num_samples} samples in {source!r}: start at most {num_samples} '
                'processes (GPUS)'
            )
        if len(loader) == 0:
            raise ValueError(
                f'{source!r} has {num_samples} samples on {get_world_size()} ranks: not one full batch of '
                f'{loader.batch_size}; lower batch_size or set drop_last=False'
            )
        return loader

    def scale_lr(self, optim_wrapper: OptimWrapper, auto_scale_lr: dict[str, Any] | None = None) -> None:
        """Multiplies the learning rate by total batch / ``base_batch_size``.

        The total batch counts ranks and accumulated iterations; the logged ``base_lr`` is scaled as well.

        Raises:
            ValueError: Enabled without ``base_batch_size``.
        """
        if not auto_scale_lr or not auto_scale_lr.get('enable', False):
            return
        if 'base_batch_size' not in auto_scale_lr:
            raise ValueError('auto_scale_lr needs base_batch_size: the batch size for which the learning rate is given')
        total = self.total_batch_size(optim_wrapper)
        ratio = total / auto_scale_lr['base_batch_size']
        for group in optim_wrapper.param_groups:
            group['lr'] *= ratio
        self.logger.info(
            f'Learning rate times {ratio:g}: total batch size {total}, base batch size '
            f'{auto_scale_lr["base_batch_size"]}'
        )

    def total_batch_size(self, optim_wrapper: OptimWrapper) -> int:
        """Samples per optimizer step, over all ranks."""
        batch_size = self.train_dataloader.batch_size or 1
        return self.world_size * batch_size * getattr(optim_wrapper, '_accumulative_counts', 1)

    def train(self) -> nn.Module:
        """Trains; says so when no weights are given to start from."""
        if not self._load_from and not self._resume:
            self.logger.info('No load_from and nothing to resume: the weights start from their initial values')
        return super().train()

    def _init_model_weights(self) -> None:
        """Sets initial weights; checkpoints named by ``init_cfg`` run no code either."""
        with weights_only():
            super()._init_model_weights()

    def val(self) -> dict[str, Any]:
        """Validates; ``load_from`` must fill the whole model."""
        self._needs_all_weights = True
        return super().val()

    def test(self) -> dict[str, Any]:
        """Tests; ``load_from`` must fill the whole model."""
        self._needs_all_weights = True
        return super().test()

    def load_checkpoint(
        self, filename: str, map_location: Any = 'cpu', strict: bool = False, revise_keys: Any = None
    ) -> dict[str, Any]:
        """Loads weights and logs what was loaded and what was not.

        Args:
            filename (str): File or address.
            map_location: As in ``torch.load``. Defaults to ``'cpu'``.
            strict (bool): Whether the checkpoint must fill the model. Defaults to False; testing and resuming always
                require it.
            revise_keys: Not supported; a ``module.`` prefix is removed.

        Raises:
            FileNotFoundError: No such file.
            ValueError: Not a checkpoint, or the wrong one.
        """
        if revise_keys is not None:
            raise ValueError('revise_keys is not supported: convert the checkpoint with tools/model_converters')
        checkpoint = read_checkpoint(filename, map_location)
        if self._resume:
            _check_resumable(checkpoint, filename)
        self.call_hook('after_load_checkpoint', checkpoint=checkpoint)
        model = self.model.module if is_model_wrapper(self.model) else self.model
        require_all = strict or self._needs_all_weights or bool(self._resume)
        report = load_weights(model, checkpoint['state_dict'], filename, require_all)
        if self._resume:
            _check_order(model, checkpoint['state_dict'], filename)
        self._has_loaded = True
        level = logging.WARNING if report.is_suspicious else logging.INFO
        self.logger.log(level, f'{filename}: {report.summary()}')
        return checkpoint

    def resume(
        self,
        filename: str,
        resume_optimizer: bool = True,
        resume_param_scheduler: bool = True,
        map_location: Any = 'default',
    ) -> None:
        """Continues a training; with another number of iterations per epoch, at the same point of the schedule."""
        schedulers = self.param_schedulers if isinstance(self.param_schedulers, list) else []
        schedulers = [scheduler for scheduler in schedulers if isinstance(scheduler, WarmupCosineLR)]
        built = [dict(scheduler.state_dict()) for scheduler in schedulers]
        before, now = read_checkpoint_meta(filename).get('iters_per_epoch'), len(self.train_dataloader)
        super().resume(filename, resume_optimizer, resume_param_scheduler, map_location)
        if before is None or before == now:
            return
        done = self.iter - self.epoch * before
        self.train_loop._iter = self.epoch * now + done * now // before
        for scheduler, state in zip(schedulers, built):
            scheduler.load_state_dict(state)
            scheduler.jump_to(self.iter)
        self.logger.warning(
            f'the checkpoint was written with {before} iterations per epoch, now there are {now} (other batch size or '
            f'number of ranks): continuing at epoch {self.epoch}, iteration {self.iter}; the result will not be '
            'identical to an uninterrupted training'
        )

    @master_only
    def save_checkpoint(
        self, out_dir: str, filename: str, *args: Any, meta: dict[str, Any] | None = None, **kwargs: Any
    ) -> None:
        """Saves a checkpoint that also knows how many iterations an epoch has.

        In a local folder it replaces an older file of its name only once it is complete: a training killed in the
        middle of writing leaves the older one.
        """
        meta = {**(meta or {}), 'iters_per_epoch': len(self.train_dataloader)}
        if '://' in str(out_dir):
            super().save_checkpoint(out_dir, filename, *args, meta=meta, **kwargs)
            return
        with replaced_file(Path(out_dir) / filename) as partial:
            partial_name = str(partial.relative_to(out_dir))
            super().save_checkpoint(out_dir, partial_name, *args, meta=meta, **kwargs)


def _check_resumable(checkpoint: dict[str, Any], filename: str) -> None:
    absent = [key for key in ('meta', 'optimizer', 'message_hub') if key not in checkpoint]
    if absent:
        raise ValueError(
            f'{filename!r} holds weights but no training state ({", ".join(absent)} absent), so training cannot resume '
            'from it. To start from its weights use --cfg-options load_from=...'
        )


def _check_order(model: nn.Module, state_dict: dict[str, Any], filename: str) -> None:
    """Optimizers tell parameters apart by their order only, and would exchange their moments without a word."""
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
        cfg (Config): Changed in place; ``work_dir`` must be set.
        resume (str | None): ``'auto'``, a path, or None for no change.

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
        _check_resumable({'meta': {}}, str(path))  # the format holds no training state: say so before anything is built
    cfg.resume, cfg.load_from = True, str(path)
    seed = read_checkpoint_meta(str(path)).get('seed')
    if seed is not None:
        cfg.setdefault('randomness', {})
        cfg.randomness['seed'] = seed


def build_runner(cfg: Config) -> Runner:
    """Checks a config and builds its runner.

    Args:
        cfg (Config): With ``work_dir``; ``runner_type`` chooses another registered runner.

    Returns:
        Runner: Ready for ``train()``, ``val()`` or ``test()``.

    Raises:
        ValueError: An unknown key, naming it and the closest known one.
        FileNotFoundError: ``load_from`` does not exist.
    """
    silence_known_warnings()
    allow_training_checkpoints()
    check_config(cfg)
    check_exists(cfg.get('load_from'))
    runner_class = RUNNERS.get(cfg.get('runner_type', 'AudioVisualRunner'))
    if runner_class is None:
        raise ValueError(f'runner_type={cfg.runner_type!r} is not registered in RUNNERS')
    return runner_class.from_cfg(cfg)
