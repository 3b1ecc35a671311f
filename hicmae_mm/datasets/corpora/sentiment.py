"""CMU-MOSI, CMU-MOSEI and CH-SIMS: sentiment of spoken sentences, in the form in which MMSA distributes all three."""

from __future__ import annotations

from typing import Any, ClassVar

from hicmae_mm.datasets.av_dataset import AudioVisualDataset
from hicmae_mm.registry import DATASETS

_ABOUT: dict[str, Any] = dict(
    speaker_independent=None,  # the parts are lists of clips; who speaks is not on record
    dimensions=('sentiment',),
)


@DATASETS.register_module()
class MOSI(AudioVisualDataset):
    """Reads CMU-MOSI (Zadeh et al., 2016): opinions about films in English, sentiment in -3..3.

    See :class:`AudioVisualDataset` for the arguments.
    """

    TASK = 'regression'
    METAINFO: ClassVar[dict[str, Any]] = dict(
        _ABOUT,
        name='CMU-MOSI',
        licence='none stated; the videos were published on YouTube, and their rights are with their makers',
        homepage='http://multicomp.cs.cmu.edu/resources/cmu-mosi-dataset/',
        paper='https://arxiv.org/abs/1606.06259',
    )


@DATASETS.register_module()
class MOSEI(AudioVisualDataset):
    """Reads CMU-MOSEI (Zadeh et al., 2018): monologues on 250 topics in English, sentiment in -3..3.

    See :class:`AudioVisualDataset` for the arguments.
    """

    TASK = 'regression'
    METAINFO: ClassVar[dict[str, Any]] = dict(
        _ABOUT,
        name='CMU-MOSEI',
        licence='none stated; the videos were published on YouTube, and their rights are with their makers',
        homepage='http://multicomp.cs.cmu.edu/resources/cmu-mosei-dataset/',
        paper='https://doi.org/10.18653/v1/P18-1208',
    )


@DATASETS.register_module()
class SIMS(AudioVisualDataset):
    """Reads CH-SIMS (Yu et al., 2020): clips of Chinese films and programmes, sentiment in -1..1.

    See :class:`AudioVisualDataset` for the arguments.
    """

    TASK = 'regression'
    METAINFO: ClassVar[dict[str, Any]] = dict(
        _ABOUT,
        name='CH-SIMS',
        licence='none stated; the clips are cut from films and programmes whose rights are reserved',
        homepage='https://github.com/thuiar/MMSA',
        paper='https://doi.org/10.18653/v1/2020.acl-main.343',
    )
