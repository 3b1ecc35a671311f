"""MMEngine's Runner, adapted to one CPU or many GPU nodes, which reports exactly what it loads from checkpoints."""

from __future__ import annotations

import logging
import os
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from mmengine.dist import is_main_process
from mmengine.fileio import HardDiskBackend, LocalBackend, get_file_backend
from mmengine.logging import MMLogger, print_log
from mmengine.model import is_model_wrapper
from mmengine.optim import OptimWrapper
from mmengine.runner import Runner
from torch import nn
from torch.utils.data import DataLoader

from hicmae_mm.checkpoints.addresses import weights_only
from hicmae_mm.checkpoints.loading import load_weights, read_checkpoint
from hicmae_mm.checkpoints.trained_parts import LoadedWeights
from hicmae_mm.datasets.sharing import report_full_shared_memory
from hicmae_mm.engine.batch_size import learning_rate_factor, total_batch_size
from hicmae_mm.engine.data_loaders import applicable_options, check_every_rank_has_samples
from hicmae_mm.engine.distributed import leave_cores_to_workers, prepare_rank
from hicmae_mm.engine.hooks.model_epoch import ModelEpochHook, epoch_parts
from hicmae_mm.engine.hooks.sample_memory import SampleMemoryHook, sample_memories
from hicmae_mm.engine.hooks.thread_competition import ThreadCompetitionHook
from hicmae_mm.engine.logging import raise_log_errors, shorten_console
from hicmae_mm.engine.resume import check_order, check_resumable
from hicmae_mm.engine.schedule import ConfiguredSchedule
from hicmae_mm.engine.wrappers.base import sharding_of, unwrapped
from hicmae_mm.engine.wrappers.options import wrapper_options
from hicmae_mm.kernels import use_cpu_kernels
from hicmae_mm.registry import RUNNERS
from hicmae_mm.utils.files import replaced_file


@RUNNERS.register_module()
class AudioVisualRunner(Runner):
    """Differs from MMEngine's Runner only in these points.

    * It supports distributed training without a GPU (a gloo group without device ids). Training on a CPU leaves cores
      free for the workers of the data loader, and uses the CPU kernels of this package.
    * Several processes train a ``DataParallelModel``, or a ``FullyShardedModel`` if the config says so.
    * The learning rate is scaled by the batch of all ranks *and of accumulated iterations*.
    * ``load_from`` reports which weights were loaded and which were not, and refuses a checkpoint without fitting
      weights. Testing and resuming refuse a checkpoint that does not set every parameter.
    * A checkpoint is written completely or not at all.
    * A resumed training uses the schedule and the optimizer options of the config if the checkpoint has other ones.
    * What a model remembers of every sample (``SampleMemory``) is a part of the training state.
    * More ranks than samples is an error. Options of the data loader that need workers or a GPU are ignored without.
    * Lists of hundreds of lines are in the log file alone. Training on a CPU warns if other programs use its cores.
    """

    _needs_all_weights = False

    @cached_property
    def loaded_weights(self) -> LoadedWeights:
        """Returns the record of the weights that the model got from files."""
        return LoadedWeights()

    def setup_env(self, env_cfg: dict[str, Any]) -> None:
        """Starts the process group if MMEngine cannot do it, and then sets up the rest of the environment.

        Args:
            env_cfg: ``env_cfg`` of the config.

        Raises:
            ValueError: If the node has too few GPUs, or the launcher is not available.
        """
        if self.distributed:
            prepare_rank(self.launcher, env_cfg.get('dist_cfg', {}).get('timeout', 1800))
        elif not torch.cuda.is_available() and 'OMP_NUM_THREADS' not in os.environ:
            loaders = [self.cfg.get(f'{stage}_dataloader') or {} for stage in ('train', 'val', 'test')]
            leave_cores_to_workers(max(loader.get('num_workers', 0) for loader in loaders))
        super().setup_env(env_cfg)

    def build_logger(self, log_level: int | str = 'INFO', log_file: str | None = None, **kwargs: Any) -> MMLogger:
        """Builds MMEngine's logger, shortens its output on the console, and makes errors of its file end the run.

        Args:
            log_level: Lowest level that is logged.
            log_file: Path of the log file. None means a file in the log folder.
            **kwargs: Further options of the logger.
        """
        logger = super().build_logger(log_level, log_file, **kwargs)
        shorten_console(logger)
        raise_log_errors(logger)
        print_log(f'Environment, config and hooks are listed in {self._log_dir}/{self.timestamp}.log', logger)
        return logger

    def wrap_model(self, model_wrapper_cfg: dict[str, Any] | None, model: nn.Module) -> nn.Module:
        """Switches CPU kernels on, and wraps the model for several processes.

        Args:
            model_wrapper_cfg: Config of the wrapper. None means a ``DataParallelModel``.
            model: The model.

        Returns:
            The model, wrapped if there are several processes.

        Raises:
            ValueError: If the wrapper does not have an option.
        """
        if self.cfg.get('cpu_kernels', True):
            use_cpu_kernels(model)
        if not self.distributed or is_model_wrapper(model):
            unchanged: nn.Module = super().wrap_model(model_wrapper_cfg if self.distributed else None, model)
            return unchanged
        wrapper_cfg = wrapper_options(model_wrapper_cfg, self.cfg.get('find_unused_parameters', False))
        wrapped: nn.Module = super().wrap_model(wrapper_cfg, model)
        return wrapped

    @staticmethod
    def build_dataloader(
        dataloader: DataLoader[Any] | dict[str, Any], seed: int | None = None, diff_rank_seed: bool = False
    ) -> DataLoader[Any]:
        """Builds a data loader, and checks that every rank gets samples.

        Args:
            dataloader: Config of the data loader, or a built one.
            seed: Seed of the sampler and the workers.
            diff_rank_seed: Whether every rank uses another seed.

        Returns:
            The data loader.

        Raises:
            ValueError: If there are fewer samples than ranks, or not one full batch with ``drop_last=True``.
        """
        if isinstance(dataloader, dict):
            dataloader = applicable_options(dataloader)
        loader: DataLoader[Any] = Runner.build_dataloader(dataloader, seed, diff_rank_seed)
        check_every_rank_has_samples(loader)
        return report_full_shared_memory(loader)

    def scale_lr(self, optim_wrapper: OptimWrapper, auto_scale_lr: dict[str, Any] | None = None) -> None:
        """Multiplies the learning rate by (total batch size) / ``base_batch_size``.

        The total batch size includes all ranks and accumulated iterations. The logged ``base_lr`` is scaled, too.

        Args:
            optim_wrapper: The optimizer wrapper.
            auto_scale_lr: ``enable`` and ``base_batch_size``. None does nothing.

        Raises:
            ValueError: If it is enabled without ``base_batch_size``.
        """
        if not auto_scale_lr or not auto_scale_lr.get('enable', False):
            return
        total = total_batch_size(self.train_dataloader, self.world_size, optim_wrapper)
        factor = learning_rate_factor(total, auto_scale_lr)
        for group in optim_wrapper.param_groups:
            group['lr'] *= factor
        base = auto_scale_lr['base_batch_size']
        self.logger.info(f'Learning rate times {factor:g}: total batch size {total}, base batch size {base}')

    def train(self) -> nn.Module:
        """Trains and returns the model. The log states it if the training starts from initial weights."""
        if not self._load_from and not self._resume:
            self.logger.info('No load_from and nothing to resume: the weights start from their initial values')
        if not torch.cuda.is_available():
            self.register_hook(ThreadCompetitionHook())
        if sample_memories(self.model) and not any(isinstance(hook, SampleMemoryHook) for hook in self.hooks):
            self.register_hook(SampleMemoryHook())
        if epoch_parts(self.model) and not any(isinstance(hook, ModelEpochHook) for hook in self.hooks):
            self.register_hook(ModelEpochHook())
        sharding_of(self.model).prepare_training(self.hooks, self._init_model_weights)
        model: nn.Module = super().train()
        return model

    # MMEngine's train() calls this method, and has no public one in its place
    def _init_model_weights(self) -> None:
        """Sets initial weights; loading checkpoints of ``init_cfg`` cannot run code."""
        if sharding_of(self.model).is_sharded:
            return  # they were set before the model was sharded
        with weights_only():
            super()._init_model_weights()

    def build_optim_wrapper(self, optim_wrapper: Any) -> Any:
        """Builds the optimizer. For a sharded model it saves and loads the state of the whole model.

        Args:
            optim_wrapper: Config of the optimizer wrapper, or a built one.

        Returns:
            The optimizer wrapper.
        """
        is_built = isinstance(optim_wrapper, OptimWrapper)
        built = super().build_optim_wrapper(optim_wrapper)
        if not is_built:
            sharding_of(self.model).adopt(built)
        return built

    def val(self) -> dict[str, Any]:
        """Validates the model and returns measures by name. ``load_from`` must set every parameter."""
        self._needs_all_weights = True
        scores: dict[str, Any] = super().val()
        return scores

    def test(self) -> dict[str, Any]:
        """Tests the model and returns measures by name. ``load_from`` must set every parameter."""
        self._needs_all_weights = True
        scores: dict[str, Any] = super().test()
        return scores

    def load_checkpoint(
        self, filename: str, map_location: Any = 'cpu', strict: bool = False, revise_keys: Any = None
    ) -> dict[str, Any]:
        """Loads weights, and logs which were loaded and which were not.

        Args:
            filename: Path or address of the checkpoint.
            map_location: See ``torch.load``.
            strict: Whether the checkpoint must set every parameter. Testing and resuming always require it.
            revise_keys: Not supported. A prefix ``module.`` is always removed.

        Returns:
            The checkpoint.

        Raises:
            FileNotFoundError: If the file does not exist.
            ValueError: If it is not a checkpoint or does not fit the model.
        """
        if revise_keys is not None:
            raise ValueError('revise_keys is not supported: convert the checkpoint with tools/model_converters')
        model = unwrapped(self.model)
        checkpoint = read_checkpoint(filename, map_location, model=model)
        if self._resume:
            check_resumable(checkpoint, filename)
        self.call_hook('after_load_checkpoint', checkpoint=checkpoint)
        require_all = strict or self._needs_all_weights or bool(self._resume)
        report = load_weights(model, checkpoint['state_dict'], filename, require_all)
        if self._resume:
            check_order(model, checkpoint['state_dict'], filename)
        self._has_loaded = True
        self.loaded_weights.add(filename, checkpoint, report.loaded, bool(self._resume))
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
        """Continues a training at its position in the schedule of the config.

        If the config has the same schedule as the checkpoint, the training continues exactly. If ``max_epochs``,
        learning rate, warm-up, batch size or number of ranks differ, the schedule of the config is used.

        Args:
            filename: Path or address of the checkpoint.
            resume_optimizer: Whether to load the state of the optimizer.
            resume_param_scheduler: Whether to load the state of the schedulers.
            map_location: See ``torch.load``.

        Raises:
            FileNotFoundError: If the file does not exist.
            ValueError: If it is not a checkpoint of this training.
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
        """Saves a checkpoint, which also stores the number of iterations of an epoch.

        The first rank writes it; the other ranks send their shards to it. In a local folder a file of the same name is
        replaced only when the new file is complete. So the old file stays if the training is killed while it writes.

        Args:
            out_dir: Folder of the checkpoints.
            filename: Name of the file.
            *args: Further arguments of MMEngine's method.
            meta: Entries for the meta data of the checkpoint.
            **kwargs: Further arguments of MMEngine's method.
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
