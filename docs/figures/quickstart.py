"""What the figures are drawn from: the quickstart's models and clips, and the published geometry."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config
from torch import nn

from hicmae_mm.checkpoints.loading import allow_training_checkpoints, load_weights, read_checkpoint
from hicmae_mm.config.paths import configs_root
from hicmae_mm.datasets import SampleIndex, collate_audio_visual
from hicmae_mm.registry import DATASETS, MODELS

PRETRAIN = 'hicmae_nano_pretrain_synthetic'
FINETUNE = 'hicmae_nano_synthetic'
BASE_PRETRAIN = 'hicmae_base_pretrain_voxceleb2'
BASE_FINETUNE = 'hicmae_base_cremad'
SEED = 0


def load_config(name: str) -> Config:
    """Returns a shipped config by name."""
    return Config.fromfile(configs_root() / f'{name}.py')


class Quickstart:
    """Models and clips of a finished quickstart.

    Args:
        work_dir: Its work folder.
        data_root: Its corpus.

    Raises:
        FileNotFoundError: One of the two is not there.
    """

    def __init__(self, work_dir: Path, data_root: Path) -> None:
        for path in (work_dir / 'pretrain', work_dir / 'audio_video', data_root / 'test.csv'):
            if not path.exists():
                raise FileNotFoundError(f'{path} does not exist; run "bash tools/quickstart.sh" first')
        self.work_dir, self.data_root = work_dir, data_root

    def model(self, name: str, folder: str | None) -> nn.Module:
        """Builds the model of a config with the last weights of a quickstart folder; ``None`` means untrained.

        Raises:
            FileNotFoundError: The folder has no checkpoint.
        """
        model = MODELS.build(load_config(name).model)
        if folder is not None:
            found = (self.work_dir / folder).glob('epoch_*.pth')
            path = max(found, key=lambda file: int(file.stem.rpartition('_')[2]), default=None)
            if path is None:
                raise FileNotFoundError(f'{self.work_dir / folder} has no checkpoint; see docs/figures/draw.py')
            allow_training_checkpoints()
            load_weights(model, read_checkpoint(path)['state_dict'], str(path), require_all=True)
        return model.eval()

    def dataset(self, ann_file: str, task: str, pipeline: Sequence[dict]) -> Any:
        """Returns the samples of a list under a pipeline."""
        classes = load_config(FINETUNE).train_dataloader.dataset.metainfo.classes
        return DATASETS.build(
            dict(
                type='AudioVisualDataset',
                data_root=str(self.data_root),
                ann_file=ann_file,
                task=task,
                metainfo=dict(classes=classes),
                pipeline=list(pipeline),
            )
        )

    def batch(self, dataset: Any, indices: Sequence[int]) -> dict[str, Any]:
        """Returns a batch as the data loader makes it."""
        return collate_audio_visual([dataset[SampleIndex(index, SEED, 0)] for index in indices])

    def base_pretraining_batch(self, num_clips: int) -> dict[str, Any]:
        """Clips of the corpus in the published geometry, 16 frames of 160x160 and 256 frames of 128 mel bins."""
        cropped = ('FixedCrop', 'mmaction.MultiScaleCrop', 'RandomGain')
        steps = [
            step for step in load_config(BASE_PRETRAIN).train_dataloader.dataset.pipeline if step['type'] not in cropped
        ]
        dataset = self.dataset('pretrain.csv', 'unlabelled', steps)
        return self.batch(dataset, range(0, 7 * num_clips, 7))
