"""MER2023 (Lian et al., 2023): clips of Chinese films and series, an emotion and a valence each."""

from __future__ import annotations

from typing import Any, ClassVar

from hicmae_mm.datasets.av_dataset import AudioVisualDataset
from hicmae_mm.datasets.corpora.metainfo import palette
from hicmae_mm.registry import DATASETS

_SIX = ('neutral', 'anger', 'happiness', 'sadness', 'worry', 'surprise')


@DATASETS.register_module()
class MER2023(AudioVisualDataset):
    """Reads the MER-MULTI track: six emotions and valence. See :class:`AudioVisualDataset` for the arguments."""

    TASK = 'multitask'
    METAINFO: ClassVar[dict[str, Any]] = dict(
        name='MER2023',
        licence='on signed agreement with the organisers, academic research only',
        homepage='https://huggingface.co/datasets/MERChallenge/MER2023',
        paper='https://doi.org/10.1145/3581783.3612836',
        speaker_independent=None,  # films; who is seen is not on record
        classes=_SIX,
        dimensions=('valence',),
        palette=palette(_SIX),
    )
