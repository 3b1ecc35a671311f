"""Draws a picture of every tested clip (``tools/test.py --show-dir``)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmengine.hooks import Hook
from mmengine.runner import Runner

from hicmae_mm.evaluation.clip_result import ClipResult
from hicmae_mm.registry import HOOKS
from hicmae_mm.structures import EmotionDataSample


@HOOKS.register_module()
class PredictionVisualizationHook(Hook):
    """Writes ``{out_dir}/{sample_id}.png`` per clip: frames, spectrogram, scores, label and prediction.

    If a clip has several test views, the first is drawn. The scores are those of all views.

    Args:
        out_dir: Folder of the pictures. It is made if it is missing.
        interval: Number n, of which every n-th clip is drawn.

    Raises:
        ValueError: If the interval is below 1.
    """

    def __init__(self, out_dir: str, interval: int = 1) -> None:
        if interval < 1:
            raise ValueError(f'interval must be at least 1, got {interval}')
        self.out_dir = Path(out_dir)
        self.interval = interval
        self._seen = 0

    def before_test(self, runner: Runner) -> None:  # noqa: ARG002 (MMEngine's signature)
        """Starts counting anew."""
        self._seen = 0

    def after_test_iter(
        self,
        runner: Runner,
        batch_idx: int,  # noqa: ARG002 (MMEngine's signature)
        data_batch: dict[str, Any] | None = None,
        outputs: Sequence[EmotionDataSample] | None = None,
    ) -> None:
        """Draws the clips of one batch."""
        if data_batch is None or outputs is None:
            return
        metainfo = getattr(runner.test_dataloader.dataset, 'metainfo', {})
        present = data_batch.get('present') or {}
        view = 0
        for sample in outputs:
            if self._seen % self.interval == 0:
                inputs = {
                    name: tensor[view]
                    for name, tensor in data_batch['inputs'].items()
                    if name not in present or bool(present[name][view])
                }
                self._draw(inputs, sample, metainfo)
            self._seen += 1
            view += int(sample.get('num_views') or 1)

    def _draw(self, inputs: dict[str, Any], sample: EmotionDataSample, metainfo: dict[str, Any]) -> None:
        from hicmae_mm.visualization import draw_prediction, save_figure  # matplotlib only where a picture is drawn

        result = ClipResult.of(sample, metainfo).add_inputs({name: tensor[None] for name, tensor in inputs.items()})
        if 'sample_id' not in sample:
            result.sample_id = f'clip_{self._seen}'
        figure = draw_prediction(
            result.frames,
            result.spectrogram,
            result.names,
            result.predicted.tolist(),
            label=result.label,
            values=None if result.values is None else result.values.tolist(),
            title=result.title,
            regression=result.is_regression,
        )
        save_figure(figure, self.out_dir / f'{safe_file_name(result.sample_id)}.png')


def safe_file_name(name: str) -> str:
    """Turns a sample's name into a file name: ``a/b.mp4`` -> ``a_b.mp4``."""
    return re.sub(r'[^\w.-]+', '_', name).strip('._') or 'clip'
