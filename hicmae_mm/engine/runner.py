"""MMEngine's Runner, made to work on one CPU or many GPU nodes, with honest loading of checkpoints."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.dist import get_world_size, is_main_process
from mmengine.fileio import HardDiskBackend, LocalBackend, get_file_backend
from mmengine.logging import MMLogger, print_log
from mmengine.model import is_model_wrapper
from mmengine.optim import OptimWrapper
from mmengine.runner import Runner
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader

from hicmae_mm.checkpoints.addresses import weights_only
from hicmae_mm.checkpoints.loading import (
    allow_training_checkpoints,
    check_exists,
    load_weights,
    read_checkpoint,
)
from hicmae_mm.config.checks import check_component, check_config
from hicmae_mm.engine.distributed import check_local_rank_has_gpu, init_cpu_process_group, leave_cores_to_workers
from hicmae_mm.engine.hooks.thread_competition import ThreadCompetitionHook
from hicmae_mm.engine.logging import shorten_console, silence_known_warnings
from hicmae_mm.engine.resume import check_order, check_resumable
from hicmae_mm.engine.schedule import ConfiguredSchedule
from hicmae_mm.engine.wrappers import DataParallelModel
from hicmae_mm.engine.wrappers.base import sharding_of, unwrapped
from hicmae_mm.kernels import use_cpu_kernels
from hicmae_mm.registry import FUNCTIONS, MODEL_WRAPPERS, RUNNERS
from hicmae_mm.utils.files import replaced_file


@RUNNERS.register_module()
class AudioVisualRunner(Runner):
    """A Runner that differs from MMEngine's in the following, and in nothing else.

    * Distributed training without a GPU: gloo group, no device ids. Training without a GPU at all leaves the loader's
      workers their cores, and gives freed memory back if the model recomputes its activations to save memory.
    * Several processes train a ``DataParallelModel``, or a ``FullyShardedModel`` where the config says so.
    * The learning rate is scaled by the batch of all ranks *and accumulated iterations*.
    * ``load_from`` says what was loaded and what was not, and refuses a checkpoint of which nothing fits; testing and
      resuming refuse one that leaves a parameter unset.
    * A checkpoint is written whole or not at all.
    * Resuming follows the schedule and the optimizer's options of the config, where they are not the checkpoint's.
    * More ranks than samples is an error; data-loader options that need workers or a GPU are left out without them.
    * The console shows no listings of hundreds of lines (the log file does); a CPU shared with others is noticed.
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
        """Turns CPU kernels on, and wraps the model for several processes, by default in a ``DataParallelModel``.

        Raises:
            ValueError: An option that the wrapper does not have.
        """
        if self.cfg.get('cpu_kernels', True):
            use_cpu_kernels(model)
        if not self.distributed or is_model_wrapper(model):
            unchanged: nn.Module = super().wrap_model(model_wrapper_cfg if self.distributed else None, model)
            return unchanged
        wrapper_cfg = {'type': 'DataParallelModel', **(model_wrapper_cfg or {})}
        check_component('model_wrapper_cfg', wrapper_cfg, MODEL_WRAPPERS)
        wrapper_class = MODEL_WRAPPERS.get(wrapper_cfg['type'])
        if wrapper_class is not None and issubclass(wrapper_class, DistributedDataParallel):
            wrapper_cfg.setdefault('find_unused_parameters', self.cfg.get('find_unused_parameters', False))
            if wrapper_class is not DataParallelModel:
                wrapper_cfg.setdefault('broadcast_buffers', False)
            if not torch.cuda.is_available():
                wrapper_cfg.setdefault('device_ids', None)
        if wrapper_cfg['type'] in MODEL_WRAPPERS.module_dict:  # MMEngine looks these up without the default scope
            wrapper_cfg['type'] = f'{MODEL_WRAPPERS.scope}.{wrapper_cfg["type"]}'
        wrapped: nn.Module = super().wrap_model(wrapper_cfg, model)
        return wrapped

    @staticmethod
    def build_dataloader(
        dataloader: DataLoader[Any] | dict[str, Any], seed: int | None = None, diff_rank_seed: bool = False
    ) -> DataLoader[Any]:
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
                given = dataloader.get(slot)
                kind = given.get('type') if isinstance(given, dict) else None
                if isinstance(kind, str) and FUNCTIONS.get(kind) is not None:
                    dataloader[slot] = {**dataloader[slot], 'type': FUNCTIONS.get(kind)}
        loader: DataLoader[Any] = Runner.build_dataloader(dataloader, seed, diff_rank_seed)
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
        total: int = self.world_size * batch_size * getattr(optim_wrapper, '_accumulative_counts', 1)
        return total

    def train(self) -> nn.Module:
        """Trains; says so when no weights are given to start from."""
        if not self._load_from and not self._resume:
            self.logger.info('No load_from and nothing to resume: the weights start from their initial values')
        if not torch.cuda.is_available():
            self.register_hook(ThreadCompetitionHook())
        sharding_of(self.model).prepare_training(self.hooks, self._init_model_weights)
        model: nn.Module = super().train()
        return model

    def _init_model_weights(self) -> None:
        """Sets initial weights; checkpoints named by ``init_cfg`` run no code either."""
        if sharding_of(self.model).is_sharded:
            return  # done before
        with weights_only():
            super()._init_model_weights()

    def build_optim_wrapper(self, optim_wrapper: Any) -> Any:
        """Builds the optimizer; that of a sharded model saves and loads the state of the whole model."""
        is_built = isinstance(optim_wrapper, OptimWrapper)
        built = super().build_optim_wrapper(optim_wrapper)
        if not is_built:
            sharding_of(self.model).adopt(built)
        return built

    def val(self) -> dict[str, Any]:
        """Validates; ``load_from`` must fill the whole model."""
        self._needs_all_weights = True
        scores: dict[str, Any] = super().val()
        return scores

    def test(self) -> dict[str, Any]:
        """Tests; ``load_from`` must fill the whole model."""
        self._needs_all_weights = True
        scores: dict[str, Any] = super().test()
        return scores

    def load_checkpoint(
        self, filename: str, map_location: Any = 'cpu', strict: bool = False, revise_keys: Any = None
    ) -> dict[str, Any]:
        """Loads weights and logs what was loaded and what was not.

        Args:
            filename: File or address.
            map_location: As in ``torch.load``.
            strict: Whether the checkpoint must fill the model. Defaults to False; testing and resuming always
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
            check_resumable(checkpoint, filename)
        self.call_hook('after_load_checkpoint', checkpoint=checkpoint)
        model = unwrapped(self.model)
        require_all = strict or self._needs_all_weights or bool(self._resume)
        report = load_weights(model, checkpoint['state_dict'], filename, require_all)
        if self._resume:
            check_order(model, checkpoint['state_dict'], filename)
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
        """Continues a training at the same point of the schedule that the config asks for.

        The schedule of the checkpoint is continued exactly where the config asks for the same one. With another
        ``max_epochs``, learning rate, warm-up, batch size or number of ranks, it is the config's that continues.
        """
        map_location = sharding_of(self.model).resume_location or map_location
        self.optim_wrapper: Any = self.build_optim_wrapper(self.optim_wrapper)
        if self.param_schedulers is not None:
            self.param_schedulers: Any = self.build_param_scheduler(self.param_schedulers)
        configured = ConfiguredSchedule(self)
        super().resume(filename, resume_optimizer, resume_param_scheduler, map_location)
        configured.continue_after(self, filename)

    def save_checkpoint(
        self, out_dir: str, filename: str, *args: Any, meta: dict[str, Any] | None = None, **kwargs: Any
    ) -> None:
        """Saves a checkpoint that also knows how many iterations an epoch has.

        The first rank writes it; the shards of the others are sent there. In a local folder it replaces an older file
        of its name only once it is complete: a training killed in the middle of writing leaves the older one.
        """
        if not is_main_process():
            optim_wrapper = self.optim_wrapper if kwargs.get('save_optimizer', True) else None
            sharding_of(self.model).take_part_in_saving(optim_wrapper)
            return
        meta = {**(meta or {}), 'iters_per_epoch': len(self.train_dataloader)}
        backend = get_file_backend(str(out_dir), backend_args=kwargs.get('backend_args'))
        if type(backend) not in (LocalBackend, HardDiskBackend):
            super().save_checkpoint(out_dir, filename, *args, meta=meta, **kwargs)
            return
        with replaced_file(Path(out_dir) / filename) as partial:
            super().save_checkpoint(str(partial.parent), partial.name, *args, meta=meta, **kwargs)


def build_runner(cfg: Config) -> Runner:
    """Checks a config and builds its runner.

    Args:
        cfg: With ``work_dir``; ``runner_type`` chooses another registered runner.

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
