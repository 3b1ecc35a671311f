"""Defines the options of an extraction of features."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hicmae_mm.features.storage import FORMATS


@dataclass(frozen=True)
class ExtractionOptions:
    """Options of an extraction: the features, the clips, and the files.

    Attributes:
        streams: See :class:`FeatureExtractor`.
        layers: See :class:`FeatureExtractor`.
        level: ``'clip'`` or ``'frame'``; see :class:`FeatureExtractor`.
        with_scores: Whether predictions are stored, too.
        keeps_views: Whether the views of a clip are stored separately instead of being averaged.
        split: See :func:`dataset_configs`.
        ann_file: See :func:`dataset_configs`.
        data_root: See :func:`dataset_configs`.
        shards: See :func:`dataset_configs`.
        is_unlabelled: See :func:`dataset_configs`.
        file_format: ``'parquet'``, ``'npy'``, or ``'per-clip'`` (``FEATURE-UTT/CLIP.npy``).
        float_type: Type of the stored features, ``'float32'`` or ``'float16'``.
        part_size: Number of clips in a part, which is a row group of the Parquet file. If a run is killed, each rank
            loses at most one part.

    Raises:
        ValueError: If an option is unknown or out of range.

    Example:
        >>> from hicmae_mm.features import ExtractionOptions
        >>> ExtractionOptions(layers='all', level='frame').file_format
        'parquet'
    """

    streams: Sequence[str] | None = None
    layers: str | Sequence[int] = 'last'
    level: str = 'clip'
    with_scores: bool = False
    keeps_views: bool = False
    split: str | None = None
    ann_file: str | None = None
    data_root: str | None = None
    shards: str | None = None
    is_unlabelled: bool = False
    file_format: str = 'parquet'
    float_type: str = 'float32'
    part_size: int = 256

    def __post_init__(self) -> None:
        if self.file_format not in FORMATS:
            raise ValueError(f'file_format must be one of {FORMATS}, got {self.file_format!r}')
        if self.float_type not in ('float32', 'float16'):
            raise ValueError(f"float_type must be 'float32' or 'float16', got {self.float_type!r}")
        if self.part_size < 1:
            raise ValueError(f'part_size must be at least 1, got {self.part_size}')
