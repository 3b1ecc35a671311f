"""Features of another program as targets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mmcv.transforms import BaseTransform

from hicmae_mm.datasets.transforms.features import LoadFeature
from hicmae_mm.datasets.transforms.sources import path_below
from hicmae_mm.registry import TRANSFORMS


@TRANSFORMS.register_module()
class LoadFeatureTarget(BaseTransform):
    """Reads the vector of a clip as a target, such as the embedding of a text about it, for ``FeatureAlignment``.

    The sources are those of :class:`LoadFeature` at level ``'clip'``. Added key: ``targets[target]``, ``(D,)`` float32.

    Args:
        target: Name of the target, and of the column that holds the path if there is no ``source``.
        source: Folder of the features, absolute or below the data set's ``data_root``.
        column: Column of a folder by ``extract_features.py``; None takes the only one.
        is_optional: Whether clips may do without. The folder itself must exist.
    """

    def __init__(
        self, target: str, source: str | None = None, column: str | None = None, is_optional: bool = False
    ) -> None:
        self.target, self.source, self.is_optional = target, source, is_optional
        self.load = LoadFeature(target, source, column=column)

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Adds the target.

        Raises:
            FileNotFoundError: If the folder is missing, or the vector of a clip that must have one.
            MediaError: If the vector is damaged.
        """
        if self.is_optional and self.source is None and not results.get('columns', {}).get(self.target):
            return results
        try:
            loaded = self.load({**results, 'streams': (self.target,), 'num_clips': 1})
        except FileNotFoundError:
            if self.is_optional and self.source is not None and Path(path_below(results, self.source)).is_dir():
                return results
            raise
        results['targets'] = {**results.get('targets', {}), self.target: loaded[self.target][0]}
        return results
