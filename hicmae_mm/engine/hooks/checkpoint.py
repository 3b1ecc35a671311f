"""Write checkpoints so that a training can be resumed after it was killed at any moment."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmengine.dist import is_main_process
from mmengine.hooks import CheckpointHook as MMEngineCheckpointHook
from mmengine.logging import print_log
from mmengine.runner import BaseLoop, Runner
from torch import Tensor

from hicmae_mm.checkpoints.files import write_checkpoint
from hicmae_mm.checkpoints.trained_parts import LoadedWeights, describe_base, keep_trained, trained_names
from hicmae_mm.engine.wrappers.base import unwrapped
from hicmae_mm.registry import HOOKS
from hicmae_mm.utils.files import write_text

VALIDATED_EPOCH = 'last_validated_epoch'  # not 'val...': those are logged as measures


@HOOKS.register_module()
class CheckpointHook(MMEngineCheckpointHook):
    """Extends MMEngine's checkpoint hook so that a training can be resumed at any moment.

    The runner writes every file completely or not at all (``AudioVisualRunner.save_checkpoint``). This hook adds:

    * It removes an old checkpoint after the new one has been written. The base class removes it before, so that with
      ``max_keep_ckpts=1`` all checkpoints are lost if the training is killed while it writes.
    * It replaces ``last_checkpoint``, which ``--resume`` reads, in one step.
    * A checkpoint stores whether its epoch has been validated; see :class:`~hicmae_mm.engine.loops.EpochTrainLoop`.
    * With ``save_trainable_only=True`` it saves trained parts without the weights that they belong to.
    * It knows for the measures of this package whether greater or smaller is better, so ``rule`` can be omitted.

    Args:
        interval: Epochs (or iterations) between checkpoints. -1 writes none.
        by_epoch: Whether ``interval`` counts epochs.
        save_optimizer: Whether to save the state of the optimizer. Resuming needs it.
        save_param_scheduler: Whether to save the state of the schedulers.
        out_dir: Folder in which checkpoints are stored, in a folder with the name of the work folder. None stores them
            in the work folder itself.
        max_keep_ckpts: Number of newest checkpoints to keep. -1 keeps all. The best checkpoints are always kept.
        save_last: Whether to save after the last epoch, independently of ``interval``.
        save_best: Measures of the validation. The best epoch of each is kept as ``best_*.pth``. ``'auto'`` uses the
            first measure.
        rule: Which values are better, ``'greater'`` or ``'less'`` ones. None means that the name of the measure
            decides.
        filename_tmpl: File name with ``{}`` for the number. None means ``epoch_{}.pth`` or ``iter_{}.pth``.
        backend_args: Options of MMEngine's file backend.
        published_keys: Keys of a copy that is written after the training. None writes no copy.
        save_begin: First epoch (or iteration) to save.
        save_trainable_only: Whether checkpoints hold the trained parameters only, and the hash of the others. These
            come from ``load_from``. If they do not, they are written once to ``base_HASH.pth``.
    """

    keep_ckpt_ids: deque[int]
    # MMEngine has no public way to add measures to save_best
    _default_greater_keys = (*MMEngineCheckpointHook._default_greater_keys, 'UAR', 'WAR', 'F1', 'PCC', 'CCC', 'MER')
    # see above: MMEngine asks these two attributes
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
        save_trainable_only: bool = False,
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
        self.save_trainable_only = save_trainable_only
        self._base: dict[str, Any] = {'entries': {}}

    def before_train(self, runner: Runner) -> None:
        """Restores the names of the checkpoints that were written before an interruption.

        Args:
            runner: The runner.
        """
        super().before_train(runner)
        if self.save_trainable_only and all(value.requires_grad for value in unwrapped(runner.model).parameters()):
            raise ValueError(
                'save_trainable_only=True, but the model trains all of its parameters: leave it out, or keep parts as '
                'they are by model.frozen or model.adapters'
            )
        if runner._resume:  # otherwise a best checkpoint that the repeated validation finds would not be recorded
            self.last_ckpt = runner.message_hub.runtime_info.get('last_ckpt')

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float]) -> None:
        """Marks the epoch as validated and saves the best checkpoint. Outside of a training it does nothing.

        Args:
            runner: The runner.
            metrics: Measures of the validation.
        """
        if not isinstance(runner._train_loop, BaseLoop):
            return
        runner.message_hub.update_info(VALIDATED_EPOCH, runner.epoch)
        super().after_val_epoch(runner, metrics)

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Removes the weights that are not trained, if the checkpoint shall not hold them.

        Args:
            runner: The runner.
            checkpoint: The checkpoint, in which the moving average has taken its place already.
        """
        if self.save_trainable_only:
            keep_trained(checkpoint, self._record_base(runner, checkpoint['state_dict']))

    def _record_base(self, runner: Runner, state: dict[str, Tensor]) -> dict[str, Any]:
        """Describes the weights that are not trained, once per training, and writes those that came from no file."""
        trained = trained_names(unwrapped(runner.model), state)
        known = self._base['entries']
        if known and trained == {name for name, value in known.items() if not value}:
            return self._base
        loaded: LoadedWeights = getattr(runner, 'loaded_weights', LoadedWeights())
        self._base = describe_base(state, trained, loaded.sources)
        base = {name: value for name, value in state.items() if name not in trained}
        if not set(base) <= loaded.names:
            path = Path(runner.work_dir) / f'base_{self._base["sha256"][:8]}.pth'
            write_checkpoint(path, base, {})
            self._base['sources'] = [str(path)]
        files = ' and '.join(self._base['sources'])
        print_log(f'Checkpoints hold {len(trained)} trained entries; keep {files} with them', 'current')
        return self._base

    # MMEngine removes old checkpoints before the new one is complete
    def _save_checkpoint_with_step(self, runner: Runner, step: int, meta: dict[str, Any]) -> None:
        """Saves a checkpoint, writes its name to ``last_checkpoint``, and then removes old checkpoints."""
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
        """Adds a checkpoint to the list of kept ones, and returns those that must be removed.

        The new checkpoint still lists the removed ones. So a resumed training removes them if this one was killed
        before.
        """
        if self.max_keep_ckpts <= 0:
            return []
        steps = [kept for kept in self.keep_ckpt_ids if kept != step] + [step]
        runner.message_hub.update_info('keep_ckpt_ids', steps)
        self.keep_ckpt_ids = deque(steps, self.max_keep_ckpts)
        return steps[: -self.max_keep_ckpts]
