"""MELD (Poria et al., 2019): conversations of several people in a television series."""

from __future__ import annotations

from typing import Any, ClassVar

from hicmae_mm.datasets.av_dataset import AudioVisualDataset
from hicmae_mm.datasets.corpora.metainfo import palette
from hicmae_mm.registry import DATASETS

LABELS = ('neutral', 'surprise', 'fear', 'sadness', 'joy', 'disgust', 'anger')  # as the corpus spells them
_CLASSES = tuple('happiness' if label == 'joy' else label for label in LABELS)


@DATASETS.register_module()
class MELD(AudioVisualDataset):
    """Reads MELD with seven emotions; joy has the name happiness. See :class:`AudioVisualDataset`."""

    METAINFO: ClassVar[dict[str, Any]] = dict(
        name='MELD',
        licence='GNU GPL 3.0 (annotations); the clips are cut from a television series whose rights are reserved',
        homepage='https://affective-meld.github.io',
        paper='https://doi.org/10.18653/v1/P19-1050',
        speaker_independent=False,
        classes=_CLASSES,
        palette=palette(_CLASSES),
    )
