"""Predictions per time step: rows that count, several targets, padding, interpolation."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from hicmae_mm.models import AudioVisualRecognizer
from hicmae_mm.models.aggregators import FrameAttentionAggregator, FrameTokens
from hicmae_mm.models.heads import ClassificationHead, MultiLabelHead, MultiTaskHead, RegressionHead
from hicmae_mm.structures import EmotionDataSample, Padded
from tests.models.sequences import SequenceEncoder
from tests.models.tiny import encoder_configs


def sample(name: str, num_views: int = 1, **targets: list) -> EmotionDataSample:
    made = EmotionDataSample(metainfo=dict(sample_id=name, num_views=num_views))
    for key, value in targets.items():
        made.set_target(key, torch.tensor(value))
    return made


def features(*lengths: int) -> Padded:
    generator = torch.Generator().manual_seed(0)
    return Padded.stack([torch.randn(length, 6, generator=generator) for length in lengths])


def test_classes_of_frames_with_ignored_ones() -> None:
    head = ClassificationHead(6, 3, dict(type='SoftCrossEntropyLoss'), 1.0, 'frame', 'expression', -1)
    x = features(4, 2)
    samples = [sample('a', expression=[0, -1, 2, 1]), sample('b', expression=[-1, 2])]
    logits = head(x)
    rows = torch.stack([logits[0, 0], logits[0, 2], logits[0, 3], logits[1, 1]])
    expected = F.cross_entropy(rows, torch.tensor([0, 2, 1, 2]))
    torch.testing.assert_close(head.loss(x, samples)['loss'], expected)
    predicted = head.predict(x, samples)
    assert predicted[1].pred_expression_score.shape == (2, 3)
    torch.testing.assert_close(predicted[0].pred_expression_score, logits[0].softmax(-1))
    assert predicted[0].pred_expression.tolist() == logits[0].argmax(-1).tolist()


def test_a_batch_without_any_target_gives_a_loss_of_zero_with_gradients() -> None:
    head = ClassificationHead(6, 3, level='frame', target='expression', ignore=-1)
    loss = head.loss(features(2), [sample('a', expression=[-1, -1])])['loss']
    loss.backward()
    assert loss == 0
    assert head.fc.weight.grad is not None


def test_values_of_frames_and_views() -> None:
    head = RegressionHead(6, 2, None, dict(type='MSELoss'), 1.0, 'frame', 'va', -5.0)
    x = torch.randn(3, 2, 6)  # two views of the first clip, one of the second
    samples = [sample('a', num_views=2, va=[[0.5, 0.1], [-5.0, 0.2]]), sample('b', va=[[0.0, 0.0], [1.0, -1.0]])]
    values = head(x)
    rows = torch.stack([values[0, 0], values[1, 0], values[2, 0], values[2, 1]])
    target = torch.tensor([[0.5, 0.1], [0.5, 0.1], [0.0, 0.0], [1.0, -1.0]])
    torch.testing.assert_close(head.loss(x, samples)['loss'], F.mse_loss(rows, target))
    predicted = head.predict(x, samples)
    torch.testing.assert_close(predicted[0].pred_va, values[:2].mean(dim=0).detach(), check_stride=False)


def test_labels_that_do_not_exclude_each_other() -> None:
    head = MultiLabelHead(6, 3, level='frame', ignore=-1, pos_weight=[1.0, 2.0, 3.0], init_scale=1.0)
    x = features(2, 1)
    samples = [sample('a', action_units=[[1, -1, 0], [0, 1, 1]]), sample('b', action_units=[[-1, -1, 1]])]
    logits = head(x)
    target = torch.tensor([[1.0, -1, 0], [0, 1, 1], [-1, -1, 1]])
    rows = torch.stack([logits[0, 0], logits[0, 1], logits[1, 0]])
    weight = torch.tensor([1.0, 2.0, 3.0])
    losses = F.binary_cross_entropy_with_logits(rows, target.clamp(min=0), pos_weight=weight, reduction='none')
    torch.testing.assert_close(head.loss(x, samples)['loss'], losses[target >= 0].mean())
    assert head.predict(x, samples)[1].pred_action_units.shape == (1, 3)


def test_targets_of_another_length_are_refused() -> None:
    head = ClassificationHead(6, 3, level='frame', target='expression', ignore=-1)
    with pytest.raises(ValueError, match=r"clip: target 'expression' has 3 time steps, the features 2"):
        head.loss(torch.randn(1, 2, 6), [sample('clip', expression=[0, 1, 2])])
    with pytest.raises(KeyError, match=r"clip has no target 'expression', only \['mood'\]"):
        head.loss(torch.randn(1, 2, 6), [sample('clip', mood=[0, 1])])


def test_tasks_of_frames_share_features_and_need_one_level() -> None:
    heads = dict(
        expression=ClassificationHead(6, 3, level='frame', target='expression', ignore=-1),
        va=RegressionHead(6, 2, level='frame', target='va', ignore=-5.0),
        units=MultiLabelHead(6, 4, level='frame', ignore=-1),
    )
    head = MultiTaskHead(6, heads)
    assert head.level == 'frame'
    samples = [sample('a', expression=[0, -1], va=[[0.1, 0.2], [-5.0, -5.0]], action_units=[[1, 0, 0, -1]] * 2)]
    assert set(head.loss(features(2), samples)) == {'loss_expression', 'loss_va', 'loss_units'}
    predicted = head.predict(features(2), samples)[0]
    assert {'pred_expression', 'pred_va', 'pred_action_units'} <= set(predicted.keys())
    with pytest.raises(ValueError, match='the tasks are of different levels'):
        MultiTaskHead(6, {**heads, 'clip': ClassificationHead(6, 3)})


def test_time_steps_of_a_grid_are_averaged_over_space_and_interpolated() -> None:
    frames = FrameTokens(fused=dict(video=2), grids=dict(video=(2, 1, 2)), num_steps=4)
    tokens = torch.tensor([[[0.0, 1], [2, 3], [4, 5], [6, 7]]])  # (1, 4, 2): two time steps of two places
    out = frames({}, dict(video=tokens))
    assert isinstance(out, Tensor)
    # steps (1, 2) and (5, 6), interpolated between their centres
    torch.testing.assert_close(out[0, :, 0], torch.tensor([1.0, 2.0, 4.0, 5.0]))
    torch.testing.assert_close(out[0, :, 1], torch.tensor([2.0, 3.0, 5.0, 6.0]))


def test_streams_of_different_lengths_need_num_steps() -> None:
    frames = FrameTokens(fused=dict(audio=2, video=2), grids={})
    with pytest.raises(ValueError, match=r"different numbers of time steps, \{'audio': 3, 'video': 5\}; set num_steps"):
        frames({}, dict(audio=torch.zeros(1, 3, 2), video=torch.zeros(1, 5, 2)))


def test_attention_over_streams_takes_a_single_step_for_all_steps() -> None:
    attention = FrameAttentionAggregator(fused=dict(audio=2, video=2), widths=(4,), hidden_dims=None)
    audio, video = torch.randn(2, 3, 2), torch.randn(2, 1, 2)
    out = attention({}, dict(audio=audio, video=video))
    torch.testing.assert_close(out, attention({}, dict(audio=audio, video=video.repeat(1, 3, 1))))
    with pytest.raises(ValueError, match=r"different numbers of time steps, \{'audio': 3, 'video': 2\}"):
        attention({}, dict(audio=audio, video=torch.zeros(2, 2, 2)))


def test_a_model_refuses_a_head_of_another_level() -> None:
    head = dict(type='ClassificationHead', num_classes=3)
    with pytest.raises(ValueError, match="FrameTokens makes features of level 'frame', ClassificationHead needs"):
        AudioVisualRecognizer(encoder_configs('video'), head, aggregator=dict(type='FrameTokens'))


def test_frames_of_a_clip_do_not_depend_on_the_batch() -> None:
    torch.manual_seed(0)
    head = dict(type='RegressionHead', num_outputs=1, level='frame', target='va', init_scale=1.0)
    model = AudioVisualRecognizer(
        dict(audio=SequenceEncoder(5), text=SequenceEncoder(5)), head, aggregator=dict(type='FrameTokens')
    ).eval()
    rows = [torch.randn(length, 5) for length in (3, 6)]
    samples = [EmotionDataSample(), EmotionDataSample()]
    both = Padded.stack(rows)
    together = model(dict(audio=both, text=both), samples, mode='predict')
    for row, clip in zip(rows, together):
        one = Padded.stack([row])
        alone = model(dict(audio=one, text=one), [EmotionDataSample()], mode='predict')[0]
        assert clip.pred_va.shape == (len(row), 1)
        torch.testing.assert_close(clip.pred_va, alone.pred_va, rtol=1e-6, atol=1e-6)
