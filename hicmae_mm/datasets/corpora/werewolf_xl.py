"""Werewolf-XL (Zhang et al., 2021): spontaneous affect of nine players around a table, in 30 games."""

from __future__ import annotations

from typing import Any, ClassVar

from hicmae_mm.datasets.av_dataset import AudioVisualDataset
from hicmae_mm.registry import DATASETS


@DATASETS.register_module()
class WerewolfXL(AudioVisualDataset):
    """Reads the speakers' clips with the raters' mean scores. See :class:`AudioVisualDataset` for the arguments."""

    TASK = 'regression'
    METAINFO: ClassVar[dict[str, Any]] = dict(
        name='Werewolf-XL',
        licence='none stated; public download, the authors ask for citation',
        homepage='https://github.com/Xinda-Wu/Werewolf-XL-Baseline',
        paper='https://doi.org/10.1109/TAFFC.2021.3101563',
        speaker_independent=False,  # groups are new in the test, not all of their players
        dimensions=('valence', 'arousal', 'dominance'),
    )
