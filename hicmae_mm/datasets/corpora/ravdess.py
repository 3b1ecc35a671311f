"""RAVDESS (Livingstone and Russo, 2018): 24 actors say two sentences in eight emotions."""

from __future__ import annotations

from typing import Any, ClassVar

from hicmae_mm.datasets.av_dataset import AudioVisualDataset
from hicmae_mm.datasets.corpora.metainfo import palette
from hicmae_mm.registry import DATASETS

_CLASSES = ('neutral', 'calm', 'happiness', 'sadness', 'anger', 'fear', 'disgust', 'surprise')


@DATASETS.register_module()
class RAVDESS(AudioVisualDataset):
    """Reads the speech of RAVDESS; classes follow its own codes 01 to 08. See :class:`AudioVisualDataset`."""

    METAINFO: ClassVar[dict[str, Any]] = dict(
        name='RAVDESS',
        classes=_CLASSES,
        palette=palette(_CLASSES),
        licence='CC BY-NC-SA 4.0; commercial licences from its authors',
        homepage='https://zenodo.org/records/1188976',
        paper='https://doi.org/10.1371/journal.pone.0196391',
        speaker_independent=True,
    )
