from __future__ import annotations

import json
import math
import os
import socket
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp

from hicmae_mm.models.losses import (
    CCCLoss,
    InfoNCELoss,
    L1Loss,
    MaskedMSELoss,
    MSELoss,
    PCCLoss,
    SmoothL1Loss,
    SoftCrossEntropyLoss,
)


def test_info_nce_equals_a_loop() -> None:
    torch.manual_seed(0)
    first, second = torch.randn(4, 6), torch.randn(4, 6)
    total = 0.0
    for i in range(4):
        similarity = lambda a, b: float(a @ b / (a.norm() * b.norm())) / 0.1  # noqa: E731
        forth = [similarity(first[i], second[j]) for j in range(4)]
        back = [similarity(second[i], first[j]) for j in range(4)]
        for row in (forth, back):
            total -= row[i] - math.log(sum(map(math.exp, row)))
    assert float(InfoNCELoss(temperature=0.1, loss_weight=0.5)(first, second)) == pytest.approx(
        0.5 * total / 8, rel=1e-5
    )


def test_info_nce_refuses_a_temperature_of_zero() -> None:
    with pytest.raises(ValueError, match='temperature must be positive, got 0'):
        InfoNCELoss(temperature=0)


def _gathered_step(rank: int, sizes: list[int], port: int, out: str) -> None:
    os.environ.update(MASTER_ADDR='127.0.0.1', MASTER_PORT=str(port))
    dist.init_process_group('gloo', rank=rank, world_size=len(sizes))
    first, second = global_batch(sum(sizes))
    rows = slice(sum(sizes[:rank]), sum(sizes[: rank + 1]))
    first, second = first[rows].requires_grad_(), second[rows].requires_grad_()
    loss = InfoNCELoss(gather=True)(first, second)
    loss.backward()
    assert first.grad is not None
    assert second.grad is not None
    Path(out, f'{rank}.json').write_text(
        json.dumps(dict(loss=loss.item(), first=first.grad.tolist(), second=second.grad.tolist()))
    )
    dist.destroy_process_group()


def global_batch(size: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(size, 5, generator=generator), torch.randn(size, 5, generator=generator)


@pytest.mark.dist
def test_two_ranks_gathered_equal_one_rank_with_all_clips(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        port = probe.getsockname()[1]
    mp.start_processes(_gathered_step, args=([3, 3], port, str(tmp_path)), nprocs=2, start_method='spawn')
    ranks = [json.loads((tmp_path / f'{rank}.json').read_text()) for rank in range(2)]
    first, second = (part.requires_grad_() for part in global_batch(6))
    loss = InfoNCELoss()(first, second)
    loss.backward()
    assert sum(rank['loss'] for rank in ranks) / 2 == pytest.approx(loss.item(), rel=1e-5)
    for name, expected in (('first', first.grad), ('second', second.grad)):
        gathered = torch.tensor(ranks[0][name] + ranks[1][name]) / 2  # DDP averages over ranks
        torch.testing.assert_close(gathered, expected, rtol=1e-4, atol=1e-6)


@pytest.mark.dist
def test_ranks_may_hold_different_numbers_of_clips(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        port = probe.getsockname()[1]
    mp.start_processes(_gathered_step, args=([3, 2], port, str(tmp_path)), nprocs=2, start_method='spawn')
    losses = [json.loads((tmp_path / f'{rank}.json').read_text())['loss'] for rank in range(2)]
    first, second = global_batch(5)
    whole = InfoNCELoss()(first, second).item()
    assert (3 * losses[0] + 2 * losses[1]) / 5 == pytest.approx(whole, rel=1e-5)


def test_masked_mse_by_hand() -> None:
    prediction, target = torch.tensor([[[1.0, 2.0]]]), torch.tensor([[[0.0, 4.0]]])
    assert float(MaskedMSELoss(loss_weight=2.0)(prediction, target)) == pytest.approx(2 * 2.5)


def test_soft_cross_entropy_smooths_hard_and_mixed_labels_alike() -> None:
    torch.manual_seed(0)
    logits, labels = torch.randn(3, 4), torch.tensor([0, 3, 1])
    loss = SoftCrossEntropyLoss(label_smoothing=0.1)
    smooth = torch.eye(4)[labels] * 0.9 + 0.1 / 4
    expected = -(smooth * logits.log_softmax(-1)).sum(-1).mean()
    torch.testing.assert_close(loss(logits, labels), expected)
    torch.testing.assert_close(loss(logits, torch.eye(4)[labels]), expected)


def test_class_weights_by_hand() -> None:
    logits = torch.log(torch.tensor([[0.5, 0.25, 0.25], [0.2, 0.2, 0.6]]))
    loss = SoftCrossEntropyLoss(class_weight=(1.0, 2.0, 4.0), loss_weight=0.5)
    expected = 0.5 * -(1 * math.log(0.5) + 4 * math.log(0.6)) / (1 + 4)
    assert float(loss(logits, torch.tensor([0, 2]))) == pytest.approx(expected)
    mixed = torch.tensor([[0.5, 0.5, 0.0], [0.0, 0.0, 1.0]])
    total = 0.5 * 1 * math.log(0.5) + 0.5 * 2 * math.log(0.25) + 4 * math.log(0.6)
    assert float(loss(logits, mixed)) == pytest.approx(-0.5 * total / (0.5 + 1.0 + 4.0))


@pytest.mark.parametrize('smoothing', [0.0, 0.1])
def test_class_weights_are_those_of_pytorch_on_hard_and_soft_labels(smoothing: float) -> None:
    torch.manual_seed(0)
    logits, labels, weights = torch.randn(5, 4), torch.tensor([0, 3, 1, 1, 2]), (0.5, 3.0, 1.0, 2.0)
    loss = SoftCrossEntropyLoss(label_smoothing=smoothing, class_weight=weights)
    expected = torch.nn.functional.cross_entropy(logits, labels, torch.tensor(weights), label_smoothing=smoothing)
    torch.testing.assert_close(loss(logits, labels), expected)
    torch.testing.assert_close(loss(logits, torch.eye(4)[labels]), expected)
    equal = SoftCrossEntropyLoss(label_smoothing=smoothing, class_weight=[2.0] * 4)
    torch.testing.assert_close(equal(logits, labels), SoftCrossEntropyLoss(smoothing)(logits, labels))
    assert loss.state_dict() == {}  # checkpoints stay as they are


def test_class_weights_are_checked() -> None:
    for weights in ((), (1.0, 0.0), (1.0, -1.0), (1.0, float('nan')), (1.0, float('inf'))):
        with pytest.raises(ValueError, match='class_weight must be numbers above 0'):
            SoftCrossEntropyLoss(class_weight=weights)
    with pytest.raises(ValueError, match='class_weight has 2 numbers, the model 3 classes'):
        SoftCrossEntropyLoss(class_weight=(1.0, 2.0))(torch.zeros(1, 3), torch.tensor([0]))


@pytest.mark.parametrize(
    ('loss', 'expected'), [(MSELoss(), 2.5), (L1Loss(), 1.5), (SmoothL1Loss(loss_weight=2.0), 2.0)]
)
def test_elementwise_regression_losses_by_hand(loss: torch.nn.Module, expected: float) -> None:
    assert float(loss(torch.tensor([[1.0, 2.0]]), torch.tensor([[0.0, 4.0]]))) == pytest.approx(expected)


def test_regression_losses_refuse_a_silent_broadcast() -> None:
    with pytest.raises(ValueError, match=r'prediction \(4, 1\) and target \(4, 3\)'):
        MSELoss()(torch.zeros(4, 1), torch.zeros(4, 3))


@pytest.mark.parametrize('loss', [CCCLoss(), PCCLoss()])
def test_agreement_losses_survive_a_constant_prediction(loss: torch.nn.Module) -> None:
    prediction = torch.full((4, 2), 0.5, requires_grad=True)
    value = loss(prediction, torch.rand(4, 2))
    value.backward()
    assert float(value) == pytest.approx(1.0)
    assert prediction.grad is not None
    assert prediction.grad.isfinite().all()
