"""Draws reconstructions of some clips while a pre-training runs."""

from __future__ import annotations

from functools import partial
from typing import Any

from mmengine.dist import is_main_process
from mmengine.runner import EpochBasedTrainLoop, Runner

from hicmae_mm.models.pretrainer import AudioVisualPretrainer
from hicmae_mm.registry import HOOKS
from hicmae_mm.visualization.hooks.picture import PictureHook, evaluating


@HOOKS.register_module()
class ReconstructionHook(PictureHook):
    """Draws original, masked input and reconstruction of the same clips again and again, as ``reconstruction_0``, ....

    The clips are read and run by the first process alone, outside of the training's random numbers: a training with
    this hook ends with the same weights as one without. Not for models whose parameters are spread over processes.

    Args:
        interval: Epochs between pictures; iterations in runs that count those.
        num_clips: Clips drawn, evenly spaced over the training set.
        seed: Seed of masks and augmentation.
        num_frames: Frames of a strip.

    Raises:
        ValueError: If a number is below 1.
    """

    needs_whole_model = True

    def __init__(self, interval: int = 5, num_clips: int = 2, seed: int = 0, num_frames: int = 8) -> None:
        super().__init__(interval)
        if min(num_clips, num_frames) < 1:
            raise ValueError(f'num_clips and num_frames must be at least 1, got {num_clips} and {num_frames}')
        self.num_clips, self.seed, self.num_frames = num_clips, seed, num_frames

    def after_train_epoch(self, runner: Runner) -> None:
        """Draws, if an epoch's turn has come."""
        if isinstance(runner.train_loop, EpochBasedTrainLoop):
            epoch = runner.epoch + 1
            if epoch % self.interval == 0 or epoch == runner.max_epochs:
                self._draw(runner, epoch)

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,  # noqa: ARG002 (MMEngine's signature)
        data_batch: Any = None,  # noqa: ARG002
        outputs: Any = None,  # noqa: ARG002
    ) -> None:
        """Draws, if an iteration's turn has come and epochs are not counted."""
        iteration = runner.iter + 1
        is_due = iteration % self.interval == 0 or iteration == runner.max_iters
        if is_due and not isinstance(runner.train_loop, EpochBasedTrainLoop):
            self._draw(runner, iteration)

    def _draw(self, runner: Runner, step: int) -> None:
        if not is_main_process():
            return
        from hicmae_mm.visualization import draw_reconstruction  # matplotlib only where a picture is drawn
        from hicmae_mm.visualization.probe import evenly_chosen, read_clip, reconstruct_clip

        with self.guarded(runner), evaluating(runner.model) as model:
            if not isinstance(model, AudioVisualPretrainer):
                raise ValueError(f'it is for pre-training, and {type(model).__name__} reconstructs nothing')
            dataset = runner.train_dataloader.dataset
            for number, index in enumerate(evenly_chosen(len(dataset), self.num_clips)):
                with self.guarded(runner):  # a broken clip does not keep the others from being drawn
                    batch = read_clip(dataset, index, runner.train_dataloader.collate_fn, self.seed)
                    clip, streams, mean, std = reconstruct_clip(model, batch)
                    draw = partial(draw_reconstruction, streams, mean, std, f'{clip}, step {step}', self.num_frames)
                    self.publish(runner, f'reconstruction_{number}', draw, step)
