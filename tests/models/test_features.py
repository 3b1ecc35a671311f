"""Encoders of feature vectors, and the aggregators over one vector per stream."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from hicmae_mm.models import AudioVisualRecognizer
from hicmae_mm.models.encoders import (
    FeatureLSTMEncoder,
    FeatureMLPEncoder,
    FeatureTCNEncoder,
    FeatureTransformerEncoder,
)
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


SEQUENCE_ENCODERS = {
    'all to all': (FeatureTransformerEncoder, dict(depth=2, num_heads=2)),
    'windows': (FeatureTransformerEncoder, dict(depth=3, num_heads=2, window=4)),
    'TCN': (FeatureTCNEncoder, dict(depth=3)),
    'causal TCN': (FeatureTCNEncoder, dict(depth=3, kernel_size=2, causal=True)),
}


def sequence_encoder(name: str) -> Any:
    torch.manual_seed(0)
    kind, options = SEQUENCE_ENCODERS[name]
    return kind(3, embed_dims=8, **options).eval()


def steps_seen(name: str, num_steps: int, step: int) -> list[int]:
    """Steps of the input that have an effect on a step of the output."""
    encoder = sequence_encoder(name)
    for value in encoder.parameters():
        value.data.abs_()  # so that ReLU stops nothing
    x = torch.rand(1, num_steps, 3, requires_grad=True)
    encoder(x).tokens[0, step].square().sum().backward()
    return x.grad[0].abs().sum(dim=-1).nonzero().flatten().tolist()


@pytest.mark.parametrize('name', SEQUENCE_ENCODERS)
def test_padding_of_a_sequence_changes_no_real_step(name: str) -> None:
    encoder = sequence_encoder(name)
    rows = [torch.randn(length, 3) for length in (7, 1, 12, 4)]
    padded = Padded.stack(rows)
    padded.values[padded.padding] = 100.0  # what stands in the padding must not matter
    together = encoder(padded)
    assert torch.equal(together.padding, padded.padding)
    for number, row in enumerate(rows):
        alone = encoder(row.unsqueeze(0))
        for both, single in zip(together.hidden, alone.hidden):
            torch.testing.assert_close(both[number, : row.shape[0]], single[0], rtol=0, atol=1e-6)


def test_which_steps_a_step_sees() -> None:
    assert steps_seen('all to all', 12, 5) == list(range(12))
    # windows of four steps, 4..7; of 2..5 in the second block, which widens them to 0..7; then 4..7 again, of which
    # the second block saw 2..9
    assert steps_seen('windows', 16, 5) == list(range(12))
    assert steps_seen('TCN', 40, 20) == list(range(6, 35))  # 2 * (1 + 2 + 4) steps on both sides
    assert steps_seen('causal TCN', 40, 20) == list(range(6, 21))


def test_positions_tell_steps_apart() -> None:
    x = torch.ones(1, 8, 3)
    tokens = sequence_encoder('all to all')(x).tokens[0]
    assert (tokens[1:] - tokens[:-1]).abs().amax(dim=1).min() > 1e-3
    tokens = sequence_encoder('windows')(x[:, :4]).tokens[0]
    assert (tokens[1:] - tokens[:-1]).abs().amax(dim=1).min() > 1e-3


def test_layers_of_sequence_encoders() -> None:
    encoder = sequence_encoder('windows')
    assert {encoder.layer_id(name) for name, _ in encoder.named_parameters()} == {0, 1, 2, 3, None}
    encoder.train()
    x = torch.randn(2, 9, 3)
    encoder(x).tokens.square().sum().backward()
    plain = {name: value.grad.clone() for name, value in encoder.named_parameters()}
    encoder.zero_grad()
    encoder.checkpoint_activations = True
    encoder(x).tokens.square().sum().backward()
    assert all(torch.equal(value.grad, plain[name]) for name, value in encoder.named_parameters())
    for kind, options in ((FeatureTransformerEncoder, dict(window=3)), (FeatureTCNEncoder, dict(kernel_size=4))):
        with pytest.raises(ValueError, match='got'):
            kind(3, **options)


def test_wrong_features_are_refused() -> None:
    with pytest.raises(ValueError, match=r'expected features \(B, 3\) or \(B, T, 3\), got \(2, 4\)'):
        FeatureMLPEncoder(3)(torch.zeros(2, 4))
    words = AudioVisualRecognizer(dict(words=FeatureMLPEncoder(3)), HEAD, aggregator=dict(type='MeanPoolAggregator'))
    with pytest.raises(ValueError, match=r'words: expected .*got \(2, 4\); set model\.encoders\.words\.in_channels'):
        words(dict(words=torch.zeros(2, 4)))
    with pytest.raises(ValueError, match='take no mask'):
        FeatureLSTMEncoder(3)(torch.zeros(2, 4, 3), mask=torch.zeros(2, 4, dtype=torch.bool))
    encoders = {name: FeatureMLPEncoder(width, widths=()) for name, width in WIDTHS.items()}
    with pytest.raises(ValueError, match='order must name each of the streams'):
        AudioVisualRecognizer(encoders, HEAD, aggregator=dict(type='StreamMLPAggregator', order=('face', 'words')))
    with pytest.raises(ValueError, match='StreamAttentionAggregator needs streams of one width'):
        AudioVisualRecognizer(encoders, HEAD, aggregator=dict(type='StreamAttentionAggregator'))
