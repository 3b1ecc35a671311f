"""Pictures during real trainings, read back from TensorBoard's files and from a backend of our own."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import cv2
import numpy as np
import pytest
import torch
import torch.distributed
import torch.multiprocessing
from mmengine.registry import VISBACKENDS
from mmengine.runner import EpochBasedTrainLoop, IterBasedTrainLoop
from mmengine.visualization import BaseVisBackend
from mmengine.visualization.vis_backend import MLflowVisBackend
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from hicmae_mm.structures import EmotionDataSample
from hicmae_mm.visualization.hooks import ConfusionMatrixHook, ReconstructionHook, WorstClipsHook
from hicmae_mm.visualization.hooks.picture import PictureHook
from tests.engine.tiny_run import finetune_config, pretrain_config, train


@VISBACKENDS.register_module()
class KeepingVisBackend(BaseVisBackend):
    """Stands for a service: keeps the pictures, and fails where it is told to."""

    kept: ClassVar[list[tuple[str, int, tuple[int, ...]]]] = []

    def __init__(self, save_dir: str, fails: bool = False) -> None:
        super().__init__(save_dir)
        self.fails = fails

    def _init_env(self) -> None:
        pass

    @property
    def experiment(self) -> KeepingVisBackend:
        return self

    def add_image(self, name: str, image: np.ndarray, step: int = 0, **_: Any) -> None:
        if self.fails:
            raise ConnectionError('the service is away')
        self.kept.append((name, step, image.shape))


@VISBACKENDS.register_module()
class KeepingMLflowVisBackend(MLflowVisBackend):
    """MLflow's backend without MLflow: what its ``log_image`` would be given."""

    kept: ClassVar[list[str]] = []

    def __init__(self, save_dir: str) -> None:
        BaseVisBackend.__init__(self, save_dir)

    def _init_env(self) -> None:
        pass

    def add_image(self, name: str, image: np.ndarray, step: int = 0, **_: Any) -> None:
        self.kept.append(name)

    def add_config(self, *_: Any, **__: Any) -> None: ...

    def add_scalars(self, *_: Any, **__: Any) -> None: ...

    def close(self) -> None: ...


def backends(*more: dict[str, Any]) -> dict[str, Any]:
    kinds = [dict(type='LocalVisBackend'), dict(type='TensorboardVisBackend'), *more]
    return dict(type='Visualizer', vis_backends=kinds)


def pictures_of_tensorboard(work_dir: Path) -> dict[str, list[tuple[int, tuple[int, ...]]]]:
    """Tag -> (step, shape of the decoded picture)."""
    (events,) = work_dir.glob('*/vis_data/events.*')
    reader = EventAccumulator(str(events), size_guidance={'images': 0})
    reader.Reload()
    found = {}
    for tag in reader.Tags()['images']:
        images = [(event.step, np.frombuffer(event.encoded_image_string, np.uint8)) for event in reader.Images(tag)]
        found[tag] = [(step, cv2.imdecode(data, cv2.IMREAD_COLOR).shape) for step, data in images]
    return found


@pytest.mark.slow
def test_reconstructions_do_not_change_the_training(corpus: Path, tmp_path: Path) -> None:
    plain = train(pretrain_config(corpus, tmp_path / 'plain'))
    KeepingVisBackend.kept.clear()
    KeepingMLflowVisBackend.kept.clear()
    more = dict(type='KeepingVisBackend'), dict(type='KeepingMLflowVisBackend')
    hook = dict(type='ReconstructionHook', interval=1, num_clips=2, num_frames=3)
    watched = train(pretrain_config(corpus, tmp_path / 'watched', custom_hooks=[hook], visualizer=backends(*more)))
    assert all(torch.equal(a, b) for a, b in zip(plain.model.parameters(), watched.model.parameters()))
    assert watched.model.training
    found = pictures_of_tensorboard(tmp_path / 'watched')
    assert {tag: [step for step, _ in images] for tag, images in found.items()} == {
        'reconstruction_0': [1, 2],
        'reconstruction_1': [1, 2],
    }
    height, width, channels = found['reconstruction_0'][0][1]
    assert (width, channels) == (1200, 3)
    assert [kept[:2] for kept in KeepingVisBackend.kept] == [
        (f'reconstruction_{i}', step) for step in (1, 2) for i in (0, 1)
    ]
    assert KeepingVisBackend.kept[0][2] == (height, width, 3)
    assert KeepingMLflowVisBackend.kept[:2] == ['reconstruction_0_000001.png', 'reconstruction_1_000001.png']
    files = sorted(path.name for path in (tmp_path / 'watched').glob('*/vis_data/vis_image/*'))
    assert files == [
        'reconstruction_0_1.png',
        'reconstruction_0_2.png',
        'reconstruction_1_1.png',
        'reconstruction_1_2.png',
    ]


@pytest.mark.slow
def test_validation_pictures_reach_the_backends_that_work(
    corpus: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    hooks = [dict(type='ConfusionMatrixHook'), dict(type='WorstClipsHook', interval=2, num_clips=3)]
    cfg = finetune_config(
        corpus,
        tmp_path,
        custom_hooks=hooks,
        visualizer=backends(dict(type='KeepingVisBackend', fails=True)),
    )
    with caplog.at_level(logging.WARNING):
        train(cfg)
    found = pictures_of_tensorboard(tmp_path)
    assert {tag: [step for step, _ in images] for tag, images in found.items()} == {
        'confusion_matrix': [1, 2],
        'worst_clips': [2],
    }
    assert min(found['worst_clips'][0][1][:2]) > 400
    log = next(tmp_path.glob('*/*.log')).read_text()
    for name in ('ConfusionMatrixHook', 'WorstClipsHook'):
        assert log.count(f'{name} drew nothing, the training goes on. ConnectionError: the service is away') == 1


def test_the_worst_clips_are_the_worst() -> None:
    published = []

    class Recorder(WorstClipsHook):
        def publish(self, runner, name, draw, step):
            published.append((name, draw(), step))

    hook = Recorder(num_clips=2)
    runner: Any = SimpleNamespace(
        _train_loop=None, val_dataloader=SimpleNamespace(dataset=SimpleNamespace(metainfo={}))
    )
    hook.before_val_epoch(runner)
    scores = [0.9, 0.2, 0.6, 0.1, 0.7]
    for start in (0, 2, 4):
        numbers = range(start, min(start + 2, 5))
        video = torch.stack([torch.full((4, 8, 8, 3), 10 * n + v, dtype=torch.uint8) for n in numbers for v in (0, 1)])
        samples = [
            EmotionDataSample(metainfo={'sample_id': str(n), 'num_views': 2})
            .set_gt_label(1)
            .set_pred_score([1 - scores[n], scores[n]])
            for n in numbers
        ]
        batch = {'inputs': {'video': video}, 'data_samples': samples}
        hook.after_val_iter(runner, 0, batch, samples)
        hook.after_val_iter(runner, 0, batch, samples[:1])  # padded duplicates do not count twice
    assert [(clip.sample_id, clip.goodness) for clip in hook._worst] == [
        ('3', pytest.approx(0.1)),
        ('1', pytest.approx(0.2)),
    ]
    assert [int(clip.frames[0, 0, 0, 0]) for clip in hook._worst if clip.frames is not None] == [30, 10]  # first view
    hook.after_val_epoch(runner)
    ((name, figure, step),) = published
    assert (name, step) == ('worst_clips', 0)
    assert [part.get_suptitle() for part in figure.subfigs] == ['1. 3: 0 (true: 1)', '2. 1: 0 (true: 1)']


@pytest.mark.parametrize(
    ('loop', 'step', 'expected'),
    [
        (EpochBasedTrainLoop, 6, True),
        (EpochBasedTrainLoop, 3, False),
        (EpochBasedTrainLoop, 7, True),
        (IterBasedTrainLoop, 3, False),
        (IterBasedTrainLoop, 12, True),
        (IterBasedTrainLoop, 7, True),
    ],
)
def test_every_second_validation_and_the_last(loop: type, step: int, expected: bool) -> None:
    train_loop = object.__new__(loop)
    position = dict(epoch=step, max_epochs=7) if loop is EpochBasedTrainLoop else dict(iter=step, max_iters=7)
    runner: Any = SimpleNamespace(_train_loop=train_loop, train_loop=train_loop, val_interval=3, **position)
    assert PictureHook(interval=2).is_due_after_validation(runner) is expected


def test_options_are_checked() -> None:
    for kind, options in ((ConfusionMatrixHook, dict(interval=0)), (WorstClipsHook, dict(num_clips=0))):
        with pytest.raises(ValueError, match='must be at least 1, got 0'):
            kind(**options)
    with pytest.raises(ValueError, match='num_clips and num_frames must be at least 1, got 0 and 8'):
        ReconstructionHook(num_clips=0)


def test_a_failure_is_a_warning_once(caplog: pytest.LogCaptureFixture) -> None:
    loop = object.__new__(EpochBasedTrainLoop)
    model = torch.nn.Linear(1, 1)
    runner: Any = SimpleNamespace(
        model=model, train_loop=loop, _train_loop=loop, epoch=0, max_epochs=3, logger=logging.getLogger('pictures')
    )
    hook = ReconstructionHook(interval=1)
    for runner.epoch in range(3):
        hook.after_train_epoch(runner)
    reason = 'ValueError: it is for pre-training, and Linear reconstructs nothing'
    assert [record.message for record in caplog.records] == [
        f'ReconstructionHook drew nothing, the training goes on. {reason}'
    ]
    assert model.training


def validate_on_rank(rank: int, folder: str) -> None:
    """Five clips on two ranks, with one that pads the last round; writes what the rank handed to a backend."""
    store = torch.distributed.FileStore(f'{folder}/store', 2)
    torch.distributed.init_process_group('gloo', store=store, rank=rank, world_size=2)
    drawn = []

    class Backend:
        def add_image(self, name: str, image: np.ndarray, step: int = 0) -> None:
            drawn.append([name, step, list(image.shape)])

    dataset = SimpleNamespace(metainfo={'classes': ('a', 'b')})
    runner: Any = SimpleNamespace(
        _train_loop=None,
        val_dataloader=SimpleNamespace(dataset=dataset),
        visualizer=SimpleNamespace(_vis_backends={'kept': Backend()}),
        logger=logging.getLogger('pictures'),
    )
    seen: dict[str, Any] = {}

    class Worst(WorstClipsHook):
        def publish(self, runner, name, draw, step):
            seen['worst'] = [part.get_suptitle() for part in draw().subfigs]
            super().publish(runner, name, draw, step)

    hooks: list[Any] = [ConfusionMatrixHook(), Worst(num_clips=3)]
    for hook in hooks:
        hook.before_val_epoch(runner)
        for number in ([0, 2, 4], [1, 3, 0])[rank]:
            sample = EmotionDataSample(metainfo={'sample_id': str(number), 'sample_idx': number})
            sample.set_gt_label(0).set_pred_score([number / 5, 1 - number / 5])
            video = torch.full((1, 4, 8, 8, 3), number, dtype=torch.uint8)
            hook.after_val_iter(runner, 0, {'inputs': {'video': video}}, [sample])
        hook.after_val_epoch(runner)
    Path(folder, f'rank_{rank}.json').write_text(json.dumps({'drawn': drawn, **seen}))
    torch.distributed.destroy_process_group()


@pytest.mark.dist
def test_the_first_rank_draws_for_both(tmp_path: Path) -> None:
    torch.multiprocessing.spawn(validate_on_rank, (str(tmp_path),), nprocs=2)
    first, second = (json.loads((tmp_path / f'rank_{rank}.json').read_text()) for rank in range(2))
    assert [entry[:2] for entry in first['drawn']] == [['confusion_matrix', 0], ['worst_clips', 0]]
    assert second['drawn'] == []
    assert first['worst'] == second['worst'] == ['1. 0: b (true: a)', '2. 1: b (true: a)', '3. 2: b (true: a)']
