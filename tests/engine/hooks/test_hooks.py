"""Hooks within a real training of a toy model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.hooks import Hook
from mmengine.model import BaseModel
from torch import Tensor, nn
from torch.utils.data import Dataset

from hicmae_mm.engine import AudioVisualRunner
from hicmae_mm.engine.hooks.iteration_seed import iteration_seed
from hicmae_mm.structures import EmotionDataSample, SkippedSample

NUM_BATCHES = 6


class _Clips(Dataset):
    metainfo: ClassVar[dict[str, Any]] = dict(classes=('a', 'b'))

    def __len__(self) -> int:
        return 2 * NUM_BATCHES

    def __getitem__(self, index: int) -> dict[str, Any]:
        sample = EmotionDataSample(metainfo=dict(sample_id=f'clip{index}'))
        return dict(inputs=torch.full((3,), index / 10), data_samples=sample)


class _Toy(BaseModel):
    """Loss = noise + mean of a linear layer; not finite in one iteration if told so."""

    def __init__(self, bad_iteration: int | None = None) -> None:
        super().__init__()
        self.layer = nn.Linear(3, 1)
        self.bad_iteration = bad_iteration
        self.drawn: list[float] = []

    def forward(self, inputs: list[Tensor], data_samples: Any = None, skipped: Any = None, mode: str = 'loss') -> Any:
        output = self.layer(torch.stack(inputs))
        if mode == 'predict':
            return [sample.new(data=dict(pred_score=row)) for sample, row in zip(data_samples, output)]
        self.drawn.append(float(torch.rand(())))
        loss = output.square().mean()
        if len(self.drawn) - 1 == self.bad_iteration:
            loss = loss * float('nan')
        return dict(loss_a=loss, loss_b=loss.detach() * 0 + len(self.drawn), other=loss.detach())


def _collate_skipping(batch: list[dict[str, Any]]) -> dict[str, Any]:
    collated = pseudo_collate(batch)
    broken = [s for s in collated['data_samples'] if s.sample_id in ('clip3', 'clip4')]
    collated['skipped'] = [SkippedSample(s.sample_id, 'truncated') for s in broken]
    return collated


def _runner(work_dir: Path, model: nn.Module, *hooks: Any, epochs: int = 1, collate: Any = pseudo_collate) -> Any:
    defaults = dict(
        runtime_info=dict(type='DeferredRuntimeInfoHook'),
        logger=dict(type='LoggerHook', interval=4, ignore_last=False),
        checkpoint=dict(type='CheckpointHook', interval=1),
    )
    loader = torch.utils.data.DataLoader(_Clips(), batch_size=2, collate_fn=collate)
    return AudioVisualRunner(
        model=model,
        work_dir=str(work_dir),
        train_dataloader=loader,
        train_cfg=dict(type='EpochTrainLoop', max_epochs=epochs),
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.1)),
        default_hooks=defaults,
        custom_hooks=list(hooks),
        default_scope='hicmae_mm',
        experiment_name=work_dir.name,
        randomness=dict(seed=3),
        cfg=Config(dict()),
    )


def test_non_finite_loss_names_iteration_and_samples(tmp_path: Path) -> None:
    runner = _runner(tmp_path / 'nan', _Toy(bad_iteration=2), dict(type='NonFiniteLossHook'))
    with pytest.raises(FloatingPointError, match=r'iteration 3 \(loss=nan, loss_a=nan.*clip4, clip5'):
        runner.train()
    assert not list((tmp_path / 'nan').glob('*.pth'))


def test_iteration_seed_depends_on_iteration_and_rank_only(tmp_path: Path) -> None:
    straight = _Toy()
    _runner(tmp_path / 'straight', straight, dict(type='IterationSeedHook')).train()
    expected = []
    for iteration in range(NUM_BATCHES):
        torch.manual_seed(iteration_seed(3, 0, iteration))
        expected.append(float(torch.rand(())))
    assert straight.drawn == expected
    assert len({iteration_seed(3, rank, i) for rank in range(4) for i in range(100)}) == 400


def test_skipped_samples_are_counted_and_listed(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    model = _Toy()
    _runner(tmp_path / 'skip', model, dict(type='SkippedSamplesHook'), epochs=2, collate=_collate_skipping).train()
    listing = json.loads((tmp_path / 'skip' / 'skipped_samples.json').read_text())
    assert listing == [dict(sample_id=f'clip{n}', reason='truncated', count=2) for n in (3, 4)]
    captured = capfd.readouterr()
    text = captured.out + captured.err
    assert '2 samples could not be read and were skipped in epoch 2' in text
    assert '2 different samples were skipped during training' in text
    assert 'clip3 (2 times): truncated' in text


def test_skipped_samples_are_counted_once_after_resuming(tmp_path: Path) -> None:
    hook = dict(type='SkippedSamplesHook')
    _runner(tmp_path / 'uninterrupted', _Toy(), hook, epochs=2, collate=_collate_skipping).train()
    expected = (tmp_path / 'uninterrupted' / 'skipped_samples.json').read_text()
    # interrupted after the list of the second epoch was written and before its checkpoint was
    (tmp_path / 'resumed').mkdir()
    (tmp_path / 'resumed' / 'skipped_samples.json').write_text(expected)
    runner = _runner(tmp_path / 'resumed', _Toy(), hook, epochs=2, collate=_collate_skipping)
    runner._load_from, runner._resume = str(tmp_path / 'uninterrupted' / 'epoch_1.pth'), True
    runner.train()
    assert (tmp_path / 'resumed' / 'skipped_samples.json').read_text() == expected


class _CountSyncs(Hook):
    """Notes how many values the history had at the end of every iteration."""

    priority = 'LOWEST'

    def __init__(self) -> None:
        self.lengths: list[int] = []

    def after_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        scalars = runner.message_hub.log_scalars
        self.lengths.append(len(scalars['train/loss'].data[0]) if 'train/loss' in scalars else 0)


def test_losses_are_read_only_when_logged_and_none_is_lost(tmp_path: Path) -> None:
    counter = _CountSyncs()
    runner = _runner(tmp_path / 'deferred', _Toy(), counter)
    runner.train()
    assert counter.lengths == [0, 0, 0, 4, 4, 6]
    history = runner.message_hub.get_scalar('train/loss_b').data[0]
    assert history.tolist() == [1, 2, 3, 4, 5, 6]
    (log,) = (tmp_path / 'deferred').glob('*/vis_data/scalars.json')
    records = [json.loads(line) for line in log.read_text().splitlines()]
    assert [record['loss_b'] for record in records] == [2.5, 3.5]  # means of the history so far


def test_compile_hook_keeps_parameter_names(tmp_path: Path) -> None:
    model = _Toy()
    names = list(model.state_dict())
    _runner(tmp_path / 'compiled', model, dict(type='CompileHook', targets=['layer'], backend='eager')).train()
    assert list(model.state_dict()) == names
    assert model.layer._compiled_call_impl is not None
    with pytest.raises(ValueError, match=r"none of the parts \['encoder'\]"):
        _runner(tmp_path / 'wrong', _Toy(), dict(type='CompileHook', targets=['encoder'])).train()
