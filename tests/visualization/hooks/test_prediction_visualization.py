from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from mmengine.model import BaseModel
from mmengine.runner import Runner
from torch.utils.data import Dataset

from hicmae_mm.evaluation.clip_result import names_for
from hicmae_mm.structures import EmotionDataSample
from hicmae_mm.visualization.hooks.prediction_visualization import PredictionVisualizationHook, safe_file_name


class TwoViewClips(Dataset):
    metainfo = {'classes': ('anger', 'joy')}  # noqa: RUF012

    def __len__(self) -> int:
        return 4

    def __getitem__(self, index: int) -> EmotionDataSample:
        sample = EmotionDataSample(metainfo={'sample_id': f'actor/clip {index}.mp4', 'num_views': 2})
        return sample.set_gt_label(index % 2)


def collate(samples: list[EmotionDataSample]) -> dict:
    views = 2 * len(samples)
    video = torch.randint(0, 256, (views, 4, 16, 16, 3), dtype=torch.uint8)
    return {'inputs': {'video': video, 'audio': torch.rand(views, 1, 32, 16)}, 'data_samples': samples}


class AlwaysJoy(BaseModel):
    def forward(self, inputs, data_samples, mode):
        return [sample.set_pred_score([0.25, 0.75]) for sample in data_samples]


def test_a_picture_for_every_second_clip(tmp_path: Path):
    runner = Runner(
        AlwaysJoy(),
        work_dir=str(tmp_path / 'work_dir'),
        test_dataloader={'batch_size': 3, 'dataset': TwoViewClips(), 'sampler': None, 'collate_fn': collate},
        test_cfg={},
        test_evaluator={'type': 'hicmae_mm.ClassificationMetric'},
        custom_hooks=[PredictionVisualizationHook(str(tmp_path / 'shown'), interval=2)],
        default_scope='hicmae_mm',
        log_level='ERROR',
        experiment_name='prediction_visualization',
    )
    assert runner.test()['WAR'] == 0.5
    pictures = sorted((tmp_path / 'shown').iterdir())
    assert [path.name for path in pictures] == ['actor_clip_0.mp4.png', 'actor_clip_2.mp4.png']
    assert all(path.stat().st_size > 10_000 for path in pictures)


def test_streams_that_a_clip_lacks_are_not_drawn(tmp_path: Path):
    drawn = []

    class Recorder(PredictionVisualizationHook):
        def _draw(self, inputs, sample, metainfo):
            drawn.append(sorted(inputs))
            super()._draw(inputs, sample, metainfo)

    batch = collate([TwoViewClips()[index] for index in range(3)])
    batch['present'] = {'audio': torch.tensor([True, True, False, False, True, True])}
    runner = SimpleNamespace(test_dataloader=SimpleNamespace(dataset=TwoViewClips()))
    samples = AlwaysJoy()(batch['inputs'], batch['data_samples'], 'predict')
    Recorder(str(tmp_path)).after_test_iter(runner, 0, batch, samples)
    assert drawn == [['audio', 'video'], ['video'], ['audio', 'video']]
    assert len(list(tmp_path.iterdir())) == 3


def test_names():
    assert names_for(('a', 'b'), 2) == ['a', 'b']
    assert names_for(None, 2) == names_for(('a',), 2) == ['0', '1']
    assert safe_file_name('../a b/c.mp4') == 'a_b_c.mp4'
    with pytest.raises(ValueError, match='interval must be at least 1, got 0'):
        PredictionVisualizationHook('out', interval=0)
