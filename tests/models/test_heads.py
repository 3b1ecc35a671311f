from __future__ import annotations

import pytest
import torch

from hicmae_mm.models.aggregators import HierarchicalFeatureAggregator, MeanPoolAggregator
from hicmae_mm.models.heads import ClassificationHead, HierarchicalContrastiveHead, RegressionHead
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
