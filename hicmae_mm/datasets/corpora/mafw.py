"""MAFW (Liu et al., ACM Multimedia 2022): 10045 clips of films and series, single and compound emotions."""

from __future__ import annotations

from typing import Any, ClassVar

from hicmae_mm.datasets.av_dataset import AudioVisualDataset
from hicmae_mm.datasets.corpora.metainfo import palette
from hicmae_mm.registry import DATASETS

_ABOUT = dict(
    licence='non-commercial research by members of universities, on signed request',
    homepage='https://mafw-database.github.io/MAFW',
    paper='https://arxiv.org/abs/2208.00847',
    speaker_independent=None,  # films; who is seen is not on record
)
SINGLE_EMOTIONS = (
    'anger',
    'disgust',
    'fear',
    'happiness',
    'neutral',
    'sadness',
    'surprise',
    'contempt',
    'anxiety',
    'helplessness',
    'disappointment',
)
_SEVERAL_EMOTIONS = (
    'anger_disgust',
    'anger_sadness',
    'anger_surprise',
    'anger_anxiety',
    'anger_helplessness',
    'disgust_sadness',
    'disgust_surprise',
    'disgust_contempt',
    'disgust_anxiety',
    'disgust_helplessness',
    'disgust_disappointment',
    'fear_sadness',
    'fear_surprise',
    'fear_anxiety',
    'happiness_surprise',
    'happiness_contempt',
    'sadness_surprise',
    'sadness_anxiety',
    'sadness_helplessness',
    'sadness_disappointment',
    'surprise_anxiety',
    'anxiety_helplessness',
    'helplessness_disappointment',
    'anger_disgust_contempt',
    'anger_disgust_anxiety',
    'disgust_anxiety_helplessness',
    'disgust_helplessness_disappointment',
    'fear_sadness_anxiety',
    'fear_surprise_anxiety',
    'sadness_anxiety_helplessness',
    'sadness_helplessness_disappointment',
    'anxiety_helplessness_disappointment',
)
COMPOUND_EMOTIONS = SINGLE_EMOTIONS + _SEVERAL_EMOTIONS


def _mixed_colour(compound: str) -> tuple[int, ...]:
    """Returns the mean colour of the emotions in a compound."""
    colours = palette(compound.split('_'))
    return tuple(round(sum(channel) / len(colours)) for channel in zip(*colours))


@DATASETS.register_module()
class MAFW(AudioVisualDataset):
    """Reads MAFW with its 11 single emotions. See :class:`AudioVisualDataset` for the arguments."""

    METAINFO: ClassVar[dict[str, Any]] = dict(
        _ABOUT, name='MAFW', classes=SINGLE_EMOTIONS, palette=palette(SINGLE_EMOTIONS)
    )


@DATASETS.register_module()
class MAFW43(AudioVisualDataset):
    """Reads MAFW with 43 compound emotions: the 11 single ones, and 32 combinations of two or three.

    The corpus does not number them; this order (single ones first, then by the single ones in them) is ours.
    """

    METAINFO: ClassVar[dict[str, Any]] = dict(
        _ABOUT,
        name='MAFW, compound emotions',
        classes=COMPOUND_EMOTIONS,
        palette=[_mixed_colour(compound) for compound in COMPOUND_EMOTIONS],
    )
