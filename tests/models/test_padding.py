"""Sequences of different lengths through whole models: a clip does not depend on what it is batched with."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from hicmae_mm.models import AudioVisualRecognizer
from hicmae_mm.models.aggregators import BaseAggregator
from hicmae_mm.structures import EmotionDataSample, Padded
from tests.models.sequences import SequenceEncoder

FUSIONS: list[Any] = [
    None,
    dict(type='CrossModalFusion', depth=2, num_heads=2),
    dict(type='ConcatFusion', depth=2, num_heads=2),
]
AGGREGATORS = [dict(type='HierarchicalFeatureAggregator'), dict(type='MeanPoolAggregator')]


def build(fusion: Any, aggregator: Any, **options: Any) -> AudioVisualRecognizer:
    torch.manual_seed(0)
    encoders = dict(audio=SequenceEncoder(5), text=SequenceEncoder(3))
    head = dict(type='ClassificationHead', num_classes=3, init_scale=1.0)
    model = AudioVisualRecognizer(encoders, head, fusion, aggregator, **options)
    return model.eval()


def sequences(*lengths: int, width: int, seed: int) -> list[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(length, width, generator=generator) for length in lengths]


@pytest.mark.parametrize('aggregator', AGGREGATORS, ids=lambda cfg: cfg['type'])
@pytest.mark.parametrize('fusion', FUSIONS, ids=lambda cfg: str(cfg and cfg['type']))
def test_padded_equals_alone(fusion: Any, aggregator: Any) -> None:
    model = build(fusion, aggregator)
    audio, text = sequences(4, 9, 2, width=5, seed=1), sequences(7, 1, 3, width=3, seed=2)
    together = model(dict(audio=Padded.stack(audio), text=Padded.stack(text)))
    for row in range(3):
        alone = model(dict(audio=Padded.stack([audio[row]]), text=Padded.stack([text[row]])))
        torch.testing.assert_close(together[row : row + 1], alone, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize('fusion', FUSIONS, ids=lambda cfg: str(cfg and cfg['type']))
def test_an_absent_sequence_equals_a_batch_without_it(fusion: Any) -> None:
    model = build(fusion, AGGREGATORS[0], missing_streams='zero')
    audio, text = sequences(4, 9, width=5, seed=1), sequences(7, width=3, seed=2)
    rows = Padded.cat([Padded.stack(text), Padded(torch.randn(1, 2, 3), torch.tensor([0]))])
    both = model(dict(audio=Padded.stack(audio), text=rows), present=dict(text=torch.tensor([True, False])))
    alone = model(dict(audio=Padded.stack(audio[1:])))
    torch.testing.assert_close(both[1:], alone, rtol=1e-6, atol=1e-6)
    first = model(dict(audio=Padded.stack(audio[:1]), text=Padded.stack(text)))
    torch.testing.assert_close(both[:1], first, rtol=1e-6, atol=1e-6)


def test_contrast_ignores_padding() -> None:
    model = build(None, AGGREGATORS[1], objectives=dict(contrast=dict(type='HierarchicalContrast', layers=(1,))))
    audio, text = sequences(4, 9, width=5, seed=1), sequences(7, 1, width=3, seed=2)
    samples = [EmotionDataSample().set_gt_label(0), EmotionDataSample().set_gt_label(1)]
    inputs = dict(audio=Padded.stack(audio), text=Padded.stack(text))
    longer = dict(
        audio=Padded.cat([inputs['audio'], Padded.stack(sequences(20, width=5, seed=3))]), text=inputs['text']
    )
    longer['audio'] = longer['audio'].index_select(0, torch.tensor([0, 1]))
    short = model(inputs, samples, mode='loss')
    long = model(longer, samples, mode='loss')
    assert set(short) == {'loss_head', 'loss_contrast'}
    assert short['loss_contrast'] > 0
    for key, value in short.items():
        torch.testing.assert_close(value, long[key], rtol=1e-5, atol=1e-6)


class OldAggregator(BaseAggregator):
    """As plug-ins of version 0.1 were written."""

    out_channels = 32

    def forward(self, hidden: dict, fused: dict) -> Tensor:  # type: ignore[override]
        return torch.cat([tokens.mean(dim=1) for tokens in fused.values()], dim=-1)


def test_an_aggregator_without_padding_is_refused_where_there_is_some() -> None:
    model = build(None, OldAggregator())
    inputs = dict(
        audio=Padded.stack(sequences(4, 9, width=5, seed=1)), text=Padded.stack(sequences(7, 1, width=3, seed=2))
    )
    with pytest.raises(ValueError, match='OldAggregator knows no padding'):
        model(inputs)


class SummaryAggregator(OldAggregator):
    """Takes what stands for the whole clip."""

    def forward(self, hidden: dict, fused: dict, padding: Any = None, summary: Any = None) -> Tensor:  # type: ignore[override]
        return torch.cat([tokens[:, 0] for tokens in summary.values()], dim=-1)


def test_an_aggregator_gets_summaries_if_it_takes_them() -> None:
    model = build(None, SummaryAggregator(), missing_streams='zero')
    audio = Padded.stack(sequences(4, 9, width=5, seed=1))
    features = model.extract_features(dict(audio=audio))
    expected = model.encoders['audio'](audio).summary[:, 0]
    torch.testing.assert_close(features[:, :16], expected)
