"""Checkpoints that a training killed at any moment can be resumed from."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmengine.dist import is_main_process
from mmengine.hooks import CheckpointHook as MMEngineCheckpointHook
from mmengine.runner import BaseLoop, Runner

from hicmae_mm.registry import HOOKS
from hicmae_mm.utils.files import write_text

VALIDATED_EPOCH = 'last_validated_epoch'  # not 'val...': those are logged as measures


@HOOKS.register_module()
class CheckpointHook(MMEngineCheckpointHook):
    """MMEngine's checkpoint hook, which leaves a training that can be resumed at every moment.

    The runner writes files whole or not at all (``AudioVisualRunner.save_checkpoint``). Besides:

    * An old checkpoint is removed after the new one has been written. The base class removes it before, so that with
      ``max_keep_ckpts=1`` a training killed while it writes has lost everything.
    * ``last_checkpoint``, the name that ``--resume`` reads, is replaced as a whole.
    * A checkpoint knows whether its epoch has been validated, see :class:`~hicmae_mm.engine.loops.EpochTrainLoop`.
    * Which of our measures are better when greater is known, so ``rule`` can be left out.

    Args:
        interval: Epochs (or iterations) between checkpoints; -1 means none.
        by_epoch: Whether ``interval`` counts epochs.
        save_optimizer: Whether to save the optimizer's state, without which a training cannot be resumed.
        save_param_scheduler: Whether to save the schedulers' state.
        out_dir: Folder of a folder with the work folder's name. Defaults to the work folder itself.
        max_keep_ckpts: Newest checkpoints to keep, -1 for all; the best are kept in any case.
        save_last: Whether to save after the last epoch whatever the interval.
        save_best: Measures of the validation whose best epoch is kept as ``best_*.pth``; ``'auto'``
            takes the first.
        rule: ``'greater'`` or ``'less'`` is better. Defaults to what the measure's name says.
        filename_tmpl: Name with ``{}`` for the number. Defaults to ``epoch_{}.pth`` or ``iter_{}.pth``.
        backend_args: Of MMEngine's file backend.
        published_keys: Also writes a copy with these keys only after training.
        save_begin: First epoch (or iteration) to save.
    """

    keep_ckpt_ids: deque[int]
    _default_greater_keys = (*MMEngineCheckpointHook._default_greater_keys, 'UAR', 'WAR', 'F1', 'PCC', 'CCC', 'MER')
    _default_less_keys = (*MMEngineCheckpointHook._default_less_keys, 'MAE', 'MSE')

    def __init__(
        self,
        interval: int = -1,
        by_epoch: bool = True,
        save_optimizer: bool = True,
        save_param_scheduler: bool = True,
        out_dir: str | Path | None = None,
        max_keep_ckpts: int = -1,
        save_last: bool = True,
        save_best: str | list[str] | None = None,
        rule: str | list[str] | None = None,
        filename_tmpl: str | None = None,
        backend_args: dict[str, Any] | None = None,
        published_keys: str | Sequence[str] | None = None,
        save_begin: int = 0,
    ) -> None:
        super().__init__(
            interval=interval,
            by_epoch=by_epoch,
            save_optimizer=save_optimizer,
            save_param_scheduler=save_param_scheduler,
            out_dir=out_dir,
            max_keep_ckpts=max_keep_ckpts,
            save_last=save_last,
            save_best=save_best,
            rule=rule,
            filename_tmpl=filename_tmpl,
            backend_args=backend_args,
            published_keys=published_keys,
            save_begin=save_begin,
        )

    def before_train(self, runner: Runner) -> None:
        """Takes over what was written before the interruption."""
        super().before_train(runner)
        if runner._resume:  # else a best checkpoint found by the repeated validation is not noted
            self.last_ckpt = runner.message_hub.runtime_info.get('last_ckpt')

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float]) -> None:
        """Saves the best checkpoint, marked as validated; outside of a training it does nothing."""
        if not isinstance(runner._train_loop, BaseLoop):
            return
        runner.message_hub.update_info(VALIDATED_EPOCH, runner.epoch)
        super().after_val_epoch(runner, metrics)

    def _save_checkpoint_with_step(self, runner: Runner, step: int, meta: dict[str, Any]) -> None:
        """Saves, then names the checkpoint as the newest, then removes what is too old."""
        outdated = self._add_to_kept(runner, step)
        filename = self.filename_tmpl.format(step)
        self.last_ckpt = self.file_backend.join_path(self.out_dir, filename)
        runner.message_hub.update_info('last_ckpt', self.last_ckpt)
        runner.save_checkpoint(
            self.out_dir,
            filename,
            save_optimizer=self.save_optimizer,
            save_param_scheduler=self.save_param_scheduler,
            meta=meta,
            by_epoch=self.by_epoch,
            backend_args=self.backend_args,
        )
        if not is_main_process():
            return
        write_text(Path(runner.work_dir) / 'last_checkpoint', str(self.last_ckpt))
        for old in outdated:
            path = self.file_backend.join_path(self.out_dir, self.filename_tmpl.format(old))
            if self.file_backend.isfile(path):
                self.file_backend.remove(path)

    def _add_to_kept(self, runner: Runner, step: int) -> list[int]:
        """Adds a checkpoint to those kept and returns the ones to be removed.

        The new checkpoint still lists these, so that a resumed training removes them if this one is killed first.
        """
        if self.max_keep_ckpts <= 0:
            return []
        steps = [kept for kept in self.keep_ckpt_ids if kept != step] + [step]
        runner.message_hub.update_info('keep_ckpt_ids', steps)
        self.keep_ckpt_ids = deque(steps, self.max_keep_ckpts)
        return steps[: -self.max_keep_ckpts]
