"""IEMOCAP (Busso et al., 2008): ten actors in five sessions of two, scripted and improvised dialogues."""

from __future__ import annotations

from typing import Any, ClassVar

from hicmae_mm.datasets.av_dataset import AudioVisualDataset
from hicmae_mm.datasets.corpora.metainfo import palette
from hicmae_mm.registry import DATASETS

_FOUR = ('anger', 'happiness', 'neutral', 'sadness')


@DATASETS.register_module()
class IEMOCAP(AudioVisualDataset):
    """Reads IEMOCAP with four emotions; excitement counts as happiness. See :class:`AudioVisualDataset`."""

    METAINFO: ClassVar[dict[str, Any]] = dict(
        name='IEMOCAP',
        licence='on signed release form of the University of Southern California, academic research only',
        homepage='https://sail.usc.edu/iemocap/',
        paper='https://doi.org/10.1007/s10579-008-9076-6',
        speaker_independent=True,
        classes=_FOUR,
        palette=palette(_FOUR),
    )
