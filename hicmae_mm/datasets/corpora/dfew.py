"""DFEW (Jiang et al., ACM Multimedia 2020): 16372 clips of films, 11697 of them with one of seven emotions."""

from __future__ import annotations

from typing import Any, ClassVar

from hicmae_mm.datasets.av_dataset import AudioVisualDataset
from hicmae_mm.datasets.corpora.metainfo import palette
from hicmae_mm.registry import DATASETS

_CLASSES = ('happiness', 'sadness', 'neutral', 'anger', 'surprise', 'disgust', 'fear')


@DATASETS.register_module()
class DFEW(AudioVisualDataset):
    """Reads DFEW, in the order of its own labels 1 to 7. See :class:`AudioVisualDataset` for the arguments."""

    METAINFO: ClassVar[dict[str, Any]] = dict(
        name='DFEW',
        classes=_CLASSES,
        palette=palette(_CLASSES),
        licence='non-commercial research, on signed request',
        homepage='https://dfew-dataset.github.io',
        paper='https://doi.org/10.1145/3394171.3413620',
        speaker_independent=None,  # films; who is seen is not on record
    )
