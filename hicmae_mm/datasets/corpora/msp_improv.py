"""MSP-IMPROV (Busso et al., 2017): pairs of actors improvise scenes around fixed sentences, in six sessions."""

from __future__ import annotations

from typing import Any, ClassVar

from hicmae_mm.datasets.av_dataset import AudioVisualDataset
from hicmae_mm.datasets.corpora.metainfo import palette
from hicmae_mm.registry import DATASETS

_FOUR = ('anger', 'happiness', 'neutral', 'sadness')


@DATASETS.register_module()
class MSPIMPROV(AudioVisualDataset):
    """Reads MSP-IMPROV with its four emotions. See :class:`AudioVisualDataset` for the arguments."""

    METAINFO: ClassVar[dict[str, Any]] = dict(
        name='MSP-IMPROV',
        licence='on signed agreement with the University of Texas at Dallas, academic research only',
        homepage='https://www.lab-msp.com/MSP/MSP-Improv.html',
        paper='https://doi.org/10.1109/TAFFC.2016.2515617',
        speaker_independent=True,
        classes=_FOUR,
        palette=palette(_FOUR),
    )
