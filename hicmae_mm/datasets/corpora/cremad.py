"""CREMA-D (Cao et al., 2014): 91 actors say 12 sentences in six emotions."""

from __future__ import annotations

from typing import Any, ClassVar

from hicmae_mm.datasets.av_dataset import AudioVisualDataset
from hicmae_mm.datasets.corpora.metainfo import palette
from hicmae_mm.registry import DATASETS

_ABOUT = dict(
    name='CREMA-D',
    licence='Open Database License 1.0 (data), Database Contents License 1.0 (contents)',
    homepage='https://github.com/CheyneyComputerScience/CREMA-D',
    paper='https://doi.org/10.1109/TAFFC.2014.2336244',
    speaker_independent=True,
)
_SIX = ('anger', 'disgust', 'fear', 'happiness', 'neutral', 'sadness')
_FOUR = ('anger', 'happiness', 'neutral', 'sadness')


@DATASETS.register_module()
class CREMAD(AudioVisualDataset):
    """Reads CREMA-D with its six emotions. See :class:`AudioVisualDataset` for the arguments."""

    METAINFO: ClassVar[dict[str, Any]] = dict(_ABOUT, classes=_SIX, palette=palette(_SIX))


@DATASETS.register_module()
class CREMAD4(AudioVisualDataset):
    """Reads CREMA-D with four emotions, for comparison with IEMOCAP and MSP-IMPROV."""

    METAINFO: ClassVar[dict[str, Any]] = dict(_ABOUT, classes=_FOUR, palette=palette(_FOUR))
