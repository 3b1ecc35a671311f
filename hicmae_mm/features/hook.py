"""Save the features of all tested clips in one file (``tools/test.py --save-features``).

:mod:`hicmae_mm.features` extracts features of other layers, of time steps, or of very many clips.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.dist import all_gather_object, is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from hicmae_mm.engine.wrappers.base import unwrapped
from hicmae_mm.evaluation.metrics.base import unique_samples
from hicmae_mm.features.rows import SAMPLE_FIELDS, sample_fields
from hicmae_mm.models.heads.base import average_views
from hicmae_mm.registry import HOOKS
from hicmae_mm.structures import EmotionDataSample
from hicmae_mm.utils.files import replaced_file


@HOOKS.register_module()
class SaveFeaturesHook(Hook):
    """Writes the output of the aggregator for every tested clip, averaged over its views, and the predictions.

    The ``.npz`` file has these arrays in the order of the data set: ``sample_id (N,)`` text, ``features (N, D)``
    float32, and those of ``gt_label (N,)``, ``gt_values (N, V)``, ``pred_label (N,)``, ``pred_score (N, C)`` and
    ``pred_values (N, V)`` that the clips have. ``np.load`` reads it without ``allow_pickle``. Several ranks write one
    file with every clip once. The file appears when it is complete.

    Args:
        out_file: Name of the file, which must end with ``.npz``. Its folder is created if it does not exist.

    Raises:
        ValueError: If the name has another ending.
    """

    def __init__(self, out_file: str) -> None:
        self.out_file = Path(out_file)
        if self.out_file.suffix != '.npz':
            raise ValueError(f'features go into a .npz file, got {out_file!r}')
        self._views: Tensor | None = None
        self._results: list[dict[str, Any]] = []
        self._handle: RemovableHandle | None = None

    def before_test_epoch(self, runner: Runner) -> None:
        """Registers a hook that receives the output of the model's aggregator.

        Args:
            runner: The runner.

        Raises:
            ValueError: If the model has no aggregator.
        """
        model = unwrapped(runner.model)
        aggregator = getattr(model, 'aggregator', None)
        if aggregator is None:
            raise ValueError(f'{type(model).__name__} has no aggregator: only a recognizer has features of clips')
        self._results = []
        self._handle = aggregator.register_forward_hook(self._keep)

    def _keep(self, module: nn.Module, args: Any, output: Tensor) -> None:  # noqa: ARG002 (torch's signature)
        self._views = output.detach()

    def after_test_iter(
        self,
        runner: Runner,  # noqa: ARG002 (MMEngine's signature)
        batch_idx: int,  # noqa: ARG002
        data_batch: dict[str, Any] | None = None,  # noqa: ARG002
        outputs: Sequence[EmotionDataSample] | None = None,
    ) -> None:
        """Stores the features of a batch.

        Args:
            runner: The runner.
            batch_idx: Number of the batch.
            data_batch: The batch.
            outputs: Samples with predictions.
        """
        if outputs is None or self._views is None:
            return
        features = average_views(self._views.float(), list(outputs)).cpu().numpy()
        for sample, feature in zip(outputs, features):
            about = dict(sample_id=sample.get('sample_id', ''), sample_idx=sample.get('sample_idx'))
            self._results.append(about | dict(features=feature) | sample_fields(sample))
        self._views = None

    def after_test_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:  # noqa: ARG002
        """Gathers the clips of all ranks, and writes the file.

        Args:
            runner: The runner.
            metrics: Measures of the test.
        """
        if self._handle is not None:
            self._handle.remove()
        results = unique_samples([result for part in all_gather_object(self._results) for result in part])
        self._results = []
        if not is_main_process():
            return
        arrays: dict[str, Any] = {'sample_id': np.array([str(result['sample_id']) for result in results])}
        for name in ('features', *SAMPLE_FIELDS):
            if all(name in result for result in results):
                arrays[name] = np.stack([result[name] for result in results])
        self.out_file.parent.mkdir(parents=True, exist_ok=True)
        with replaced_file(self.out_file) as partial, partial.open('wb') as file:
            np.savez(file, **arrays)
        runner.logger.info(f'Features of {len(results)} clips are in {self.out_file}')
