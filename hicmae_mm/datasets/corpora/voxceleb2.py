"""VoxCeleb2 (Chung et al., Interspeech 2018): a million utterances of 6112 celebrities, without emotions."""

from __future__ import annotations

from typing import Any, ClassVar

from hicmae_mm.datasets.av_dataset import AudioVisualDataset
from hicmae_mm.registry import DATASETS


@DATASETS.register_module()
class VoxCeleb2(AudioVisualDataset):
    """Reads VoxCeleb2 for pre-training. See :class:`AudioVisualDataset` for the arguments."""

    TASK = 'unlabelled'
    METAINFO: ClassVar[dict[str, Any]] = dict(
        name='VoxCeleb2',
        licence='CC BY 4.0 (metadata; the rights in the videos stay with their owners)',
        homepage='https://www.robots.ox.ac.uk/~vgg/data/voxceleb/vox2.html',
        paper='https://arxiv.org/abs/1806.05622',
        speaker_independent=None,  # one list, nothing is tested
    )
