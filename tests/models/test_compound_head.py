from __future__ import annotations

import pytest
import torch

from hicmae_mm.models.heads import ClassificationHead, CompoundHead
from hicmae_mm.structures import EmotionDataSample

BASIC = ('anger', 'fear', 'joy', 'surprise')
PAIRS = (('fear', 'surprise'), ('joy', 'surprise'), ('anger', 'fear'))


@pytest.mark.parametrize('rule', ['product', 'sum'])
def test_scores_are_those_of_the_basic_emotions_combined(rule: str) -> None:
    torch.manual_seed(0)
    basic = ClassificationHead(6, 4, init_scale=50.0)
    head = CompoundHead(6, BASIC, PAIRS, rule)
    head.load_state_dict(basic.state_dict())
    features = torch.randn(5, 6)
    samples = [EmotionDataSample(metainfo=dict(num_views=1)) for _ in range(5)]
    found = torch.stack([sample.pred_score for sample in head.predict(features, samples)])
    for row, p in zip(found, basic(features).softmax(dim=-1).tolist()):
        a, f, j, s = p
        scores = [f * s, j * s, a * f] if rule == 'product' else [f + s, j + s, a + f]
        torch.testing.assert_close(row, torch.tensor(scores) / sum(scores))


def test_it_learns_from_labels_of_compounds() -> None:
    torch.manual_seed(0)
    head, features = CompoundHead(6, BASIC, PAIRS, init_scale=1.0), torch.randn(3, 6)
    samples = [EmotionDataSample() for _ in range(3)]
    for sample, label in zip(samples, (2, 0, 1)):
        sample.set_gt_label(label)
    expected = torch.nn.functional.cross_entropy(head(features), torch.tensor([2, 0, 1]))
    loss = head.loss(features, samples)['loss']
    torch.testing.assert_close(loss, expected)
    loss.backward()
    assert all(parameter.grad.abs().sum() > 0 for parameter in head.parameters())


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(compounds=(('fear', 'pride'),)), r"must be two of \('anger', .*\), got \('fear', 'pride'\)"),
        (dict(compounds=(('fear', 'fear'),)), 'must be two of'),
        (dict(compounds=(('fear', 'joy'), ('joy', 'fear'))), 'must list different pairs'),
        (dict(compounds=()), 'must list different pairs'),
        (dict(compounds=PAIRS, rule='mean'), "rule must be one of .*, got 'mean'"),
    ],
)
def test_what_is_no_compound_is_refused(options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        CompoundHead(6, BASIC, **options)
