"""Writes what the model predicts of every clip, for tools that measure it later."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmengine.dist import is_main_process

from hicmae_mm.evaluation.metrics.base import PerSampleMetric
from hicmae_mm.evaluation.predictions import as_plain, write_predictions
from hicmae_mm.registry import METRICS


@METRICS.register_module()
class DumpPredictions(PerSampleMetric):
    """Writes the predictions of all ranks into one file, every clip once, in the order of the data set.

    Takes the place of MMEngine's ``DumpResults``, whose file runs code when it is read.

    Args:
        out_file_path: ``.pkl`` or ``.pickle`` (plain values and numpy arrays), or ``.json``.
        prefix: Prefix of the measures. It has no effect, because nothing is measured.

    Raises:
        ValueError: If the name ends in none of these.
    """

    def __init__(self, out_file_path: str, prefix: str | None = None) -> None:
        super().__init__(prefix=prefix)
        self.out_file = Path(out_file_path)
        if self.out_file.suffix not in ('.pkl', '.pickle', '.json'):
            raise ValueError(f'predictions go into a .pkl, .pickle or .json file, got {out_file_path}')

    def process(self, data_batch: Any, data_samples: Sequence[dict[str, Any]]) -> None:  # noqa: ARG002 (MMEngine's signature)
        """Keeps all that is known of every clip."""
        self.results.extend(as_plain(sample) for sample in data_samples)

    def compute_metrics(self, results: list[dict[str, Any]]) -> dict[str, float]:
        """Writes the file; there is nothing to measure."""
        if is_main_process():
            write_predictions(self.out_file, results)
        return {}
