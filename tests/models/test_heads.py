from __future__ import annotations

import pytest
import torch

from hicmae_mm.models.aggregators import HierarchicalFeatureAggregator, MeanPoolAggregator
from hicmae_mm.models.heads import ClassificationHead, HierarchicalContrastiveHead, MultiTaskHead, RegressionHead
from hicmae_mm.registry import MODELS
from hicmae_mm.structures import EmotionDataSample


def sample(label: int | None = None, values: list[float] | None = None, views: int = 1) -> EmotionDataSample:
    clip = EmotionDataSample(metainfo=dict(num_views=views))
    if label is not None:
        clip.set_gt_label(label)
    if values is not None:
        clip.set_gt_values(values)
    return clip


def test_scores_are_softmax_averaged_over_each_clips_views() -> None:
    torch.manual_seed(0)
    head, features = ClassificationHead(8, 3, init_scale=1.0), torch.randn(5, 8)
    clips = head.predict(features, [sample(0, views=2), sample(1, views=3)])
    scores = head(features).softmax(-1).detach()
    torch.testing.assert_close(clips[0].pred_score, scores[:2].mean(0))
    torch.testing.assert_close(clips[1].pred_score, scores[2:].mean(0))
    assert int(clips[1].pred_label) == int(scores[2:].mean(0).argmax())


def test_classification_loss_repeats_labels_for_views_and_prefers_mixed_labels() -> None:
    torch.manual_seed(0)
    head, features = ClassificationHead(8, 3, init_scale=1.0), torch.randn(3, 8)
    clips = [sample(2, views=2), sample(0)]
    expected = torch.nn.functional.cross_entropy(head(features), torch.tensor([2, 2, 0]))
    torch.testing.assert_close(head.loss(features, clips)['loss'], expected)
    for clip in clips:
        clip.set_gt_score(torch.tensor([0.2, 0.3, 0.5]))
    mixed = -(head(features).log_softmax(-1) @ torch.tensor([0.2, 0.3, 0.5])).mean()
    torch.testing.assert_close(head.loss(features, clips)['loss'], mixed)


@pytest.mark.parametrize(('activation', 'low', 'high'), [('sigmoid', 0, 1), ('tanh', -1, 1), ('relu', 0, 1e9)])
def test_regression_activations(activation: str, low: float, high: float) -> None:
    torch.manual_seed(0)
    head, features = RegressionHead(8, 2, activation=activation, init_scale=100.0), torch.randn(50, 8)
    values = head(features)
    assert values.min() >= low
    assert values.max() <= high
    raw = head.fc(head.norm(features))
    torch.testing.assert_close(values, {'relu': torch.relu}.get(activation, getattr(torch, activation))(raw))


def test_regression_averages_outputs_over_views() -> None:
    torch.manual_seed(0)
    head, features = RegressionHead(8, 2, init_scale=1.0), torch.randn(4, 8)
    clips = head.predict(features, [sample(values=[0, 1], views=2), sample(values=[1, 0], views=2)])
    torch.testing.assert_close(clips[0].pred_values, head(features)[:2].mean(0).detach())
    losses = head.loss(features, clips)
    target = torch.tensor([[0.0, 1], [0, 1], [1, 0], [1, 0]])
    torch.testing.assert_close(losses['loss'], (head(features) - target).square().mean())


def test_an_unknown_activation_is_refused() -> None:
    with pytest.raises(ValueError, match="activation must be one of .*got 'softplus'"):
        RegressionHead(8, 2, activation='softplus')


def test_contrast_names_missing_layers_and_streams() -> None:
    head, hidden = HierarchicalContrastiveHead(layers=(0, 5)), [torch.randn(2, 3, 4)] * 3
    with pytest.raises(ValueError, match=r'contrastive.layers=\(0, 5\), but the video encoder has 3 layers'):
        head.loss({'video': hidden, 'audio': hidden})
    with pytest.raises(ValueError, match='exactly two streams'):
        head.loss({'video': hidden})


def test_hierarchical_aggregation_by_hand() -> None:
    aggregator = HierarchicalFeatureAggregator(
        {'video': 1, 'audio': 1}, {'video': 2, 'audio': 2}, {'video': 1, 'audio': 1}
    )
    assert aggregator.out_channels == 4
    aggregator.layer_weights['video'].data = torch.tensor([0.0, 3.0]).log().nan_to_num(neginf=-1e9)  # all on layer 1
    hidden = {
        'video': [torch.zeros(1, 2, 1), torch.tensor([[[1.0], [3.0]]])],
        'audio': [torch.full((1, 2, 1), 4.0), torch.full((1, 2, 1), 6.0)],
    }
    fused = {'video': torch.full((1, 2, 1), 7.0), 'audio': torch.full((1, 3, 1), 9.0)}
    assert aggregator(hidden, fused).tolist() == [[2.0, 5.0, 7.0, 9.0]]
    assert MeanPoolAggregator({'video': 1, 'audio': 1})(hidden, fused).tolist() == [[7.0, 9.0]]


MER_MULTI = dict(
    emotion=dict(type='ClassificationHead', num_classes=3, init_scale=1.0),
    valence=dict(type='RegressionHead', num_outputs=1, init_scale=1.0),
)


def test_several_tasks_sum_their_weighted_losses_and_predict_into_the_same_samples() -> None:
    torch.manual_seed(0)
    head, features = MultiTaskHead(8, MER_MULTI, loss_weights=dict(valence=0.25)), torch.randn(3, 8)
    clips = [sample(2, [0.5], views=2), sample(0, [-1.0])]
    emotion, valence = head.heads['emotion'], head.heads['valence']
    losses = head.loss(features, clips)
    assert set(losses) == {'loss_emotion', 'loss_valence'}
    torch.testing.assert_close(losses['loss_emotion'], emotion.loss(features, clips)['loss'])
    torch.testing.assert_close(losses['loss_valence'], 0.25 * valence.loss(features, clips)['loss'])
    assert {name: tuple(part.shape) for name, part in head(features).items()} == {'emotion': (3, 3), 'valence': (3, 1)}

    predicted = head.predict(features, clips)
    scores, values = emotion(features).softmax(-1).detach(), valence(features).detach()
    torch.testing.assert_close(predicted[0].pred_score, scores[:2].mean(0))
    torch.testing.assert_close(predicted[0].pred_values, values[:2].mean(0))
    torch.testing.assert_close(predicted[1].pred_values, values[2])


def test_tasks_are_checked() -> None:
    with pytest.raises(ValueError, match='heads is empty'):
        MultiTaskHead(8, {})
    with pytest.raises(ValueError, match=r"loss_weights names \['mood'\], but the tasks are \['emotion', 'valence'\]"):
        MultiTaskHead(8, MER_MULTI, loss_weights=dict(mood=1.0))
    with pytest.raises(ValueError, match='would overwrite each other'):
        MultiTaskHead(8, dict(a=MER_MULTI['valence'], b=MER_MULTI['valence']))


def test_one_stream_may_leave_its_pooled_top_layer_out() -> None:
    hidden = {'video': [torch.full((1, 2, 1), 4.0), torch.full((1, 2, 1), 6.0)]}
    whole = HierarchicalFeatureAggregator({'video': 1}, {'video': 2}, {'video': 1})
    mix = HierarchicalFeatureAggregator({'video': 1}, {'video': 2}, {'video': 1}, pool_fused=False)
    fused = {'video': hidden['video'][-1]}
    assert (whole(hidden, fused).tolist(), whole.out_channels) == ([[5.0, 6.0]], 2)
    assert (mix(hidden, fused).tolist(), mix.out_channels) == ([[5.0]], 1)
    with pytest.raises(ValueError, match='pool_fused=False is for one stream'):
        HierarchicalFeatureAggregator(*[dict(video=1, audio=1)] * 3, pool_fused=False)


@pytest.mark.parametrize('kind', ['ClassificationHead', 'RegressionHead', 'MultiLabelHead'])
def test_a_head_without_norm_is_one_linear_layer(kind: str) -> None:
    size = dict(ClassificationHead='num_classes', RegressionHead='num_outputs', MultiLabelHead='num_labels')[kind]
    head = MODELS.build({'type': kind, 'in_channels': 4, size: 3, 'norm': False, 'init_scale': 1.0})
    features = torch.randn(2, 4)
    torch.testing.assert_close(head(features), features @ head.fc.weight.T + head.fc.bias)
    assert [name for name, _ in head.named_parameters()] == ['fc.weight', 'fc.bias']
