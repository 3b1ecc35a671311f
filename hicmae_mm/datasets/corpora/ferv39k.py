"""FERV39k (Wang et al., CVPR 2022): 38935 clips of seven emotions in 22 scenes, cut from films, shows and streams."""

from __future__ import annotations

from typing import Any, ClassVar

from hicmae_mm.datasets.av_dataset import AudioVisualDataset
from hicmae_mm.datasets.corpora.metainfo import palette
from hicmae_mm.registry import DATASETS

LABELS = ('Happy', 'Sad', 'Neutral', 'Angry', 'Surprise', 'Disgust', 'Fear')
SCENES = (
    'Action',
    'Argue',
    'Business',
    'Conflict',
    'Contest',
    'Crime',
    'Crisis',
    'DailyLife',
    'ElegantArt',
    'Experiment',
    'History',
    'Interview',
    'Liveshow',
    'Medicine',
    'OfficialEvent',
    'ScholarReport',
    'School',
    'Social',
    'Speech',
    'Talkshow',
    'Terror',
    'War',
)
_CLASSES = ('happiness', 'sadness', 'neutral', 'anger', 'surprise', 'disgust', 'fear')


@DATASETS.register_module()
class FERV39k(AudioVisualDataset):
    """Reads FERV39k, in the order of DFEW's labels. See :class:`AudioVisualDataset` for the arguments.

    Published models use this order too. ``LABELS`` has the corpus's own words for the emotions, in the same order.
    """

    METAINFO: ClassVar[dict[str, Any]] = dict(
        name='FERV39k',
        classes=_CLASSES,
        palette=palette(_CLASSES),
        licence='non-commercial research by members of universities, on request',
        homepage='https://github.com/wangyanckxx/FERV39k',
        paper='https://doi.org/10.1109/CVPR52688.2022.02025',
        speaker_independent=None,  # clips of several thousand videos; who is seen is not on record
    )
