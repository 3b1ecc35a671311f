"""Holds what hooks that draw during training share: when they are due, and how pictures reach the visualizer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import EpochBasedTrainLoop, Runner
from mmengine.visualization.vis_backend import MLflowVisBackend
from torch import nn

from hicmae_mm.engine.wrappers.base import unwrapped

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class PictureHook(Hook):
    """This is the base class of hooks that draw during training.

    Pictures go to every backend of the run's visualizer (MMEngine's Local, TensorBoard, W&B, MLflow, ...), from the
    first process only. Between pictures a training pays nothing.

    A picture is worth less than a training: whatever goes wrong while one is drawn or handed over is written to the log
    as a warning with its reason, once per kind of failure, and the training goes on.

    Args:
        interval: Epochs between pictures (hooks of the validation: validations). The last one is always drawn.

    Raises:
        ValueError: If the interval is below 1.
    """

    def __init__(self, interval: int = 1) -> None:
        if interval < 1:
            raise ValueError(f'interval must be at least 1, got {interval}')
        self.interval = interval
        self._reported: set[str] = set()

    def step(self, runner: Runner) -> int:
        """Returns the position of the training as MMEngine logs validations: finished epochs or iterations.

        It is 0 outside of a training.
        """
        if runner._train_loop is None or isinstance(runner._train_loop, dict):
            return 0
        step: int = runner.epoch if isinstance(runner.train_loop, EpochBasedTrainLoop) else runner.iter
        return step

    def is_due_after_validation(self, runner: Runner) -> bool:
        """Tells whether this validation is drawn. The answer is the same on every process, and after a resumption."""
        step = self.step(runner)
        if step == 0:
            return True
        counts_epochs = isinstance(runner.train_loop, EpochBasedTrainLoop)
        last: int = runner.max_epochs if counts_epochs else runner.max_iters
        number: int = -(-step // runner.val_interval)
        return step == last or number % self.interval == 0

    @contextmanager
    def guarded(self, runner: Runner) -> Iterator[None]:
        """Turns any failure of what is inside into a warning. For code of one process only: others would wait."""
        try:
            yield
        except Exception as error:
            reason = f'{type(error).__name__}: {error}'
            if reason not in self._reported:
                self._reported.add(reason)
                runner.logger.warning(f'{type(self).__name__} drew nothing, the training goes on. {reason}')

    def publish(self, runner: Runner, name: str, draw: Callable[[], Figure], step: int) -> None:
        """Draws, and hands the picture to every backend; one that fails does not keep it from the others.

        Args:
            runner: Runner with the visualizer and the logger.
            name: Name of the picture. It has no slashes, because some backends do not accept them.
            draw: Makes the figure.
            step: Position on the backend's time axis.
        """
        if not is_main_process():
            return
        image: np.ndarray | None = None
        with self.guarded(runner):
            image = to_image(draw())
        if image is None:
            return
        for backend in runner.visualizer._vis_backends.values():
            with self.guarded(runner):
                # MLflow keeps a file per name, whose suffix tells the format
                is_file = isinstance(backend, MLflowVisBackend)
                backend.add_image(f'{name}_{step:06d}.png' if is_file else name, image, step=step)


def to_image(figure: Figure) -> np.ndarray:
    """Returns a figure as RGB, ``(H, W, 3)`` uint8."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # matplotlib only where a picture is drawn

    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.ascontiguousarray(np.asarray(canvas.buffer_rgba())[..., :3])


@contextmanager
def evaluating(model: nn.Module) -> Iterator[nn.Module]:
    """Yields the unwrapped model in evaluation mode without gradients, and restores the training mode.

    Raises:
        ValueError: If the parameters are spread over processes, so that one alone cannot run the model.
    """
    if is_model_wrapper(model) and not isinstance(model, nn.parallel.DistributedDataParallel):
        raise ValueError(
            f'{type(model).__name__} spreads the parameters over processes: one alone cannot run the model'
        )
    inner: Any = unwrapped(model)
    if any(hasattr(parameter, 'to_local') for parameter in inner.parameters()):
        raise ValueError('the parameters are spread over processes: one alone cannot run the model')
    was_training = inner.training
    inner.eval()
    try:
        with torch.no_grad():
            yield inner
    finally:
        inner.train(was_training)
