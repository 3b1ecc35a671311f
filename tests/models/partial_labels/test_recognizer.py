"""Training on candidate labels, as a whole."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import nn

from hicmae_mm.models import PartialLabelRecognizer, SampleMemory
from hicmae_mm.structures import EmotionDataSample

IMPORTANCE = dict(type='LabelImportance', noise_rate=0.1, importance_from=1, targets_from=12)
CORRECTION = dict(type='CandidateCorrection', start=1, margin=(0.5, 0.5), views=(0,), targets_from=12)
TRUE = (0, 1, 2) * 8


def build(refinement: dict[str, Any] | None = IMPORTANCE, **options: Any) -> PartialLabelRecognizer:
    torch.manual_seed(0)
    contrast = dict(type='PrototypeContrast', dims=4, queue_size=48)
    model = PartialLabelRecognizer(
        encoders=dict(voice=dict(type='FeatureMLPEncoder', in_channels=6, widths=(8,))),
        head=dict(type='ClassificationHead', num_classes=3, init_scale=1.0, loss=dict(type='PartialLabelLoss')),
        refinement=refinement,
        aggregator=dict(type='MeanPoolAggregator'),
        **dict(contrast=contrast, key_momentum=0.9) | options,
    )
    for memory in memories_of(model):
        memory.allocate(len(TRUE), 'cpu')
    if model.refinement is not None:
        model.refinement.begin_epoch(1, 20)
    return model.train()


def memories_of(model: nn.Module) -> list[SampleMemory]:
    return [part for part in model.modules() if isinstance(part, SampleMemory)]


def batch() -> tuple[dict[str, torch.Tensor], list[EmotionDataSample]]:
    """Clips near the corner of their class, each with one wrong candidate beside the true one."""
    torch.manual_seed(1)
    samples = []
    for index, label in enumerate(TRUE):
        sample = EmotionDataSample(metainfo=dict(sample_idx=index, num_views=1))
        candidates = torch.zeros(3, dtype=torch.bool)
        candidates[[label, (label + 1 + index % 2) % 3]] = True
        sample.set_target('candidates', candidates)
        samples.append(sample)
    corners = 3 * torch.eye(3)[list(TRUE)].repeat(1, 2)
    return dict(voice=corners + torch.randn(len(TRUE), 6)), samples


def steps(model: nn.Module, epochs: range) -> list[float]:
    optimizer, losses = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], 1e-2), []
    for epoch in epochs:
        if model.refinement is not None:
            model.refinement.begin_epoch(epoch, 20)
        for _ in range(3):
            loss = sum(value for name, value in model(*batch(), mode='loss').items() if 'loss' in name)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(float(loss.detach()))
        if model.refinement is not None:
            model.refinement.end_epoch()
    return losses


@pytest.mark.parametrize('refinement', [IMPORTANCE, CORRECTION], ids=['ALIM', 'ARNet'])
def test_targets_move_to_the_true_label(refinement: dict[str, Any]) -> None:
    model = build(refinement)
    steps(model, range(1, 21))
    target = model.refinement.targets.rows
    assert (target.argmax(dim=1) == torch.tensor(TRUE)).float().mean() > 0.9
    torch.testing.assert_close(target.sum(dim=1), torch.ones(len(TRUE)))
    # it began with one half for each candidate
    assert (target.max(dim=1).values > 0.6).float().mean() > 0.9


@pytest.mark.parametrize('refinement', [IMPORTANCE, CORRECTION], ids=['ALIM', 'ARNet'])
def test_a_training_goes_on_from_its_state_exactly(refinement: dict[str, Any]) -> None:
    model = build(refinement)
    steps(model, range(1, 4))
    resumed = build(refinement)
    resumed.load_state_dict(copy.deepcopy(model.state_dict()))
    for memory, other in zip(memories_of(model), memories_of(resumed)):
        other.rows, other.is_written = memory.rows.clone(), memory.is_written.clone()
    assert steps(resumed, range(4, 6)) == steps(model, range(4, 6))


def test_gradients_reach_what_is_trained_and_keys_follow() -> None:
    model = build(mixup_alpha=4.0)
    before = {name: value.clone() for name, value in model.key_network.named_parameters()}
    losses = model(*batch(), mode='loss')
    assert set(losses) == {'loss_labels', 'loss_contrast', 'loss_mixup'}
    sum(losses.values()).backward()
    for name, parameter in model.named_parameters():
        is_key = name.startswith('key_')
        assert (parameter.grad is None) == is_key, name
    # the first step copies the trained weights into the network of the keys
    assert all(torch.equal(value, model.get_parameter(name)) for name, value in model.key_network.named_parameters())
    with torch.no_grad():
        for name in before:
            model.get_parameter(name).add_(1.0)
    model(*batch(), mode='loss')
    for name, value in model.key_network.named_parameters():
        torch.testing.assert_close(value, before[name] + 0.1)  # 0.9 of the old ones


def test_prediction_is_that_of_the_classifier_alone() -> None:
    model = build().eval()
    inputs, samples = batch()
    with torch.no_grad():
        scores = model(inputs).softmax(dim=1)
        predicted = model(inputs, samples, mode='predict')
    torch.testing.assert_close(torch.stack([sample.pred_score for sample in predicted]), scores)


def test_equal_candidates_need_no_state() -> None:
    model = build(None, contrast=None)
    losses = model(*batch(), mode='loss')
    assert set(losses) == {'loss_labels'}
    assert not [name for name in model.state_dict() if 'key_' in name or 'bank' in name]


def test_what_cannot_work_is_refused_while_building() -> None:
    with pytest.raises(ValueError, match='refinement needs the prototypes of contrast'):
        build(contrast=None)
    with pytest.raises(ValueError, match='partial labels need a ClassificationHead of level "clip"'):
        PartialLabelRecognizer(
            encoders=dict(voice=dict(type='FeatureMLPEncoder', in_channels=6, widths=(8,))),
            head=dict(type='RegressionHead', num_outputs=2),
            refinement=None,
            contrast=None,
        )
    with pytest.raises(ValueError, match='noise_rate must lie in 0..1, got 1.5'):
        build(dict(IMPORTANCE, noise_rate=1.5))
    with pytest.raises(ValueError, match='views must begin with 0'):
        build(dict(CORRECTION, views=(1,)))
