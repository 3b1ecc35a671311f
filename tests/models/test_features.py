"""Encoders of feature vectors, and the aggregators over one vector per stream."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from hicmae_mm.models import AudioVisualRecognizer
from hicmae_mm.models.encoders import FeatureLSTMEncoder, FeatureMLPEncoder
from hicmae_mm.structures import Padded

WIDTHS = dict(face=5, voice=3, words=4)
HEAD = dict(type='ClassificationHead', num_classes=3, init_scale=1.0, norm=False)


def build(encoder: str = 'FeatureMLPEncoder', aggregator: str = 'StreamAttentionAggregator', **options: Any) -> Any:
    torch.manual_seed(0)
    size = dict(widths=(8, 6)) if encoder == 'FeatureMLPEncoder' else dict(hidden_dims=6)
    encoders = {name: dict(type=encoder, in_channels=width, **size) for name, width in WIDTHS.items()}
    return AudioVisualRecognizer(encoders, HEAD, aggregator=dict(type=aggregator, widths=(7,)), **options).eval()


def vectors(rows: int = 4) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(1)
    return {name: torch.randn(rows, width, generator=generator) for name, width in WIDTHS.items()}


def sequences(*lengths: int) -> dict[str, list[Tensor]]:
    generator = torch.Generator().manual_seed(2)
    return {
        name: [torch.randn(length, width, generator=generator) for length in lengths] for name, width in WIDTHS.items()
    }


@pytest.mark.parametrize('encoder', ['FeatureMLPEncoder', 'FeatureLSTMEncoder'])
@pytest.mark.parametrize('aggregator', ['StreamAttentionAggregator', 'StreamMLPAggregator'])
def test_padded_equals_alone(encoder: str, aggregator: str) -> None:
    model, rows = build(encoder, aggregator), sequences(4, 1, 6)
    together = model({name: Padded.stack(parts) for name, parts in rows.items()})
    for row in range(3):
        alone = model({name: parts[row].unsqueeze(0) for name, parts in rows.items()})
        torch.testing.assert_close(together[row : row + 1], alone, rtol=1e-5, atol=1e-6)


def test_an_absent_stream_equals_a_batch_without_it() -> None:
    model, inputs = build(missing_streams='zero'), vectors()
    some = model(inputs, present=dict(words=torch.tensor([True, False, True, True])))
    none = model({name: inputs[name] for name in ('face', 'voice')})
    torch.testing.assert_close(some[1], none[1])
    torch.testing.assert_close(some[0], model(inputs)[0])
    assert not torch.allclose(some[0], none[0], atol=1e-3)


def test_features_without_an_encoder_may_lack_a_stream() -> None:
    encoders = {name: dict(type='FeatureMLPEncoder', in_channels=width, widths=()) for name, width in WIDTHS.items()}
    aggregator = dict(type='StreamMLPAggregator', widths=(7,))
    model = AudioVisualRecognizer(encoders, HEAD, aggregator=aggregator, missing_streams='zero')
    inputs = vectors()
    expected = model(inputs | dict(words=torch.zeros(4, 4)))
    torch.testing.assert_close(model({name: inputs[name] for name in ('face', 'voice')}), expected)


def test_order_says_whose_vector_is_where() -> None:
    encoders = {name: FeatureMLPEncoder(width, widths=()) for name, width in WIDTHS.items()}
    aggregator = dict(type='StreamMLPAggregator', widths=(), order=('words', 'face', 'voice'))
    model, inputs = AudioVisualRecognizer(encoders, HEAD, aggregator=aggregator), vectors()
    expected = torch.cat([inputs[name] for name in ('words', 'face', 'voice')], dim=1)
    assert torch.equal(model.extract_features(inputs), expected)


def test_summary_is_the_state_of_the_last_real_vector() -> None:
    torch.manual_seed(0)
    encoder = FeatureLSTMEncoder(3, hidden_dims=4, out_channels=5)
    short, long = torch.randn(2, 3), torch.randn(6, 3)
    output = encoder(Padded.stack([short, long]))
    _, (state, _) = encoder.rnn(short.unsqueeze(0))
    torch.testing.assert_close(output.summary[0], encoder.proj(state[:, 0]))
    torch.testing.assert_close(output.tokens[0, 1], output.summary[0, 0])
    assert output.padding.tolist() == [[False, False, True, True, True, True], [False] * 6]


def test_wrong_features_are_refused() -> None:
    with pytest.raises(ValueError, match=r'expected features \(B, 3\) or \(B, T, 3\), got \(2, 4\)'):
        FeatureMLPEncoder(3)(torch.zeros(2, 4))
    with pytest.raises(ValueError, match='take no mask'):
        FeatureLSTMEncoder(3)(torch.zeros(2, 4, 3), mask=torch.zeros(2, 4, dtype=torch.bool))
    encoders = {name: FeatureMLPEncoder(width, widths=()) for name, width in WIDTHS.items()}
    with pytest.raises(ValueError, match='order must name each of the streams'):
        AudioVisualRecognizer(encoders, HEAD, aggregator=dict(type='StreamMLPAggregator', order=('face', 'words')))
    with pytest.raises(ValueError, match='StreamAttentionAggregator needs streams of one width'):
        AudioVisualRecognizer(encoders, HEAD, aggregator=dict(type='StreamAttentionAggregator'))
