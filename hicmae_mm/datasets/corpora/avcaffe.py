"""AVCAffe (Sarkar et al., AAAI 2023): 106 people at nine tasks over video calls rate their arousal and valence."""

from __future__ import annotations

from typing import Any, ClassVar

from hicmae_mm.datasets.av_dataset import AudioVisualDataset
from hicmae_mm.registry import DATASETS

_ABOUT = dict(
    licence='AVCAffe Database License Agreement: non-commercial research, on request',
    homepage='https://pritamqu.github.io/AVCAffe',
    paper='https://doi.org/10.1609/aaai.v37i1.25078',
    speaker_independent=True,
)
AROUSAL = ('Excited', 'Wide-awake', 'Neutral', 'Dull', 'Calm')
VALENCE = ('Pleasant', 'Pleased', 'Neutral', 'Unsatisfied', 'Unpleasant')
_FROM_HIGH_TO_LOW = [(213, 94, 0), (230, 159, 0), (128, 128, 128), (86, 180, 233), (0, 114, 178)]


@DATASETS.register_module()
class AVCAFFEArousal(AudioVisualDataset):
    """Reads AVCAffe's arousal, the first label column. See :class:`AudioVisualDataset` for the arguments."""

    METAINFO: ClassVar[dict[str, Any]] = dict(
        _ABOUT, name='AVCAffe, arousal', classes=AROUSAL, palette=_FROM_HIGH_TO_LOW
    )


@DATASETS.register_module()
class AVCAFFEValence(AudioVisualDataset):
    """Reads AVCAffe's valence, the second label column. See :class:`AudioVisualDataset` for the arguments."""

    METAINFO: ClassVar[dict[str, Any]] = dict(
        _ABOUT, name='AVCAffe, valence', classes=VALENCE, palette=_FROM_HIGH_TO_LOW
    )
