"""Every component over one, two and three streams, of one size and of different lengths.

A component that is registered takes part by itself, with the options of its case in ``tests/test_components.py``. It
either works in a cell of the matrix, or refuses it by one clear line, and then ``REFUSALS`` lists it.
"""

from __future__ import annotations

import inspect
from typing import Any

import pytest
import torch
from torch import Tensor

from hicmae_mm.models import AudioVisualRecognizer
from hicmae_mm.models.aggregators import BaseAggregator
from hicmae_mm.models.encoders import BaseEncoder
from hicmae_mm.models.fusion import BaseFusion
from hicmae_mm.models.heads import BaseHead
from hicmae_mm.models.objectives import BaseObjective
from hicmae_mm.registry import MODELS
from hicmae_mm.structures import EmotionDataSample, Padded, Stream
from tests.component_cases import MODEL_CASES, own_components, raw_batch, with_component
from tests.models.sequences import SequenceEncoder

ROLES = {
    'encoder': BaseEncoder,
    'fusion': BaseFusion,
    'aggregator': BaseAggregator,
    'head': BaseHead,
    'objective': BaseObjective,
}
NAMES, WIDTH, LENGTHS = ('a', 'b', 'c'), 6, (5, 2, 4, 3)
HEAD = dict(type='RegressionHead', num_outputs=2, init_scale=1.0)
EMT = dict(type='EMTFusion', embed_dims=8, depth=1, num_heads=2)
# where the options of a component's case name streams, or it needs other parts beside it
OPTIONS: dict[str, dict[str, Any]] = {
    'ContextAggregator': dict(widths=(8,)),
    'ConversationFusion': dict(embed_dims=8, leading='a', num_heads=2),
    'FeatureRestoration': {},
    'FrameAttentionAggregator': dict(widths=(8,), hidden_dims=4),
    'FeatureAlignment': dict(feature_dims=2, target='values'),
    'FrameTokens': {},
    'StreamAttentionAggregator': dict(widths=(8,)),
    'TemporalTransformerAggregator': dict(num_frames=1, out_channels=6, num_heads=2, mlp_dims=8),
}
PARTS: dict[str, dict[str, Any]] = {
    'ContextAggregator': dict(fusion=EMT),
    'FeatureRestoration': dict(fusion=EMT),
    'FrameAttentionAggregator': dict(head=dict(HEAD, level='frame', target='course')),
    'FrameTokens': dict(head=dict(HEAD, level='frame', target='course')),
}
CELLS = [(count, form) for count in (1, 2, 3) for form in ('stacked', 'padded')]
_ONE, _THREE = ({(count, form) for form in ('stacked', 'padded')} for count in (1, 3))
_GRIDS = {(count, 'padded') for count in (1, 2, 3)}
REFUSALS: dict[str, tuple[set[tuple[int, str]], str]] = {
    'CrossModalFusion': (_ONE | _THREE, 'CrossModalFusion fuses exactly two streams'),
    'ExpertBalance': (set(CELLS), 'ExpertBalance needs an encoder with experts'),
    'ExpertViTEncoder': (_GRIDS, 'ExpertViTEncoder needs input of one size'),
    'HierarchicalContrast': (_ONE | _THREE, 'contrasts exactly two streams'),
    'IterativeCorrelationFusion': (_ONE | _THREE, 'IterativeCorrelationFusion fuses exactly two streams'),
    'LGIFormerEncoder': (_GRIDS, 'LGIFormerEncoder needs input of one size'),
    'MMActionEncoder': (_GRIDS, 'MMActionEncoder needs input of one size'),
    'PromptedViTEncoder': (_GRIDS, 'PromptedViTEncoder needs input of one size'),
    'TPSBTEncoder': (_GRIDS, 'TPSBTEncoder needs input of one size'),
    'TimmEncoder': (_GRIDS, 'expected frames'),
    'VisionTransformerEncoder': (_GRIDS, 'VisionTransformerEncoder needs input of one size'),
}


class AnySequenceEncoder(SequenceEncoder):
    """Takes sequences of one length, too."""

    def forward(self, x: Stream, mask: Any = None) -> Any:
        lengths = torch.full((len(x),), x.shape[1])
        return (
            super()
            .forward(x if isinstance(x, Padded) else Padded(x, lengths), mask)
            ._replace(**{} if isinstance(x, Padded) else dict(padding=None))
        )


def components(role: str) -> list[str]:
    return sorted(
        name
        for name, kind in own_components(MODELS).items()
        if isinstance(kind, type) and issubclass(kind, ROLES[role])
    )


def sequences(num_streams: int, is_padded: bool) -> dict[str, Stream]:
    generator = torch.Generator().manual_seed(0)
    values = {name: torch.randn(4, 5, WIDTH, generator=generator) for name in NAMES[:num_streams]}
    if not is_padded:
        return dict(values)
    return {name: Padded.stack([row[:length] for row, length in zip(value, LENGTHS)]) for name, value in values.items()}


def samples(lengths: tuple[int, ...]) -> list[EmotionDataSample]:
    found = []
    for number, length in enumerate(lengths):
        sample = EmotionDataSample(metainfo=dict(sample_id=str(number), num_views=1))
        sample.set_gt_label(number % 3).set_gt_values([0.1 * number, 0.5])
        sample.set_target('course', torch.full((length, 2), 0.1 * number))
        found.append(sample.set_target('units', torch.tensor([number % 2, 1])))
    return found


def run(model: AudioVisualRecognizer, inputs: dict[str, Stream]) -> None:
    """Trains a step, and compares each clip with what it is alone."""
    first = next(iter(inputs.values()))
    lengths = tuple(first.lengths.tolist()) if isinstance(first, Padded) else (first.shape[1],) * len(first)
    losses = model(inputs, samples(lengths), mode='loss')
    total = sum(value for key, value in losses.items() if 'loss' in key)
    assert torch.isfinite(total)
    total.backward()
    model.eval()
    with torch.no_grad():
        together = model.extract_features(inputs)
        for row in range(4):
            index = torch.tensor([row])
            alone = model.extract_features({name: clip(value, index) for name, value in inputs.items()})
            first, second = rows_of(together, row), rows_of(alone, 0)
            torch.testing.assert_close(first, second, rtol=1e-5, atol=1e-5)


def clip(value: Stream, index: Tensor) -> Stream:
    part = value.index_select(0, index)
    if isinstance(part, Padded):
        return Padded(part.values[:, : int(part.lengths[0])], part.lengths)
    return part


def rows_of(features: Stream, row: int) -> Tensor:
    if isinstance(features, Padded):
        return features.values[row, : int(features.lengths[row])]
    return features[row]


def build(num_streams: int, **parts: Any) -> AudioVisualRecognizer:
    torch.manual_seed(0)
    encoders = {name: AnySequenceEncoder(WIDTH) for name in NAMES[:num_streams]}
    parts = dict(head=HEAD, aggregator=dict(type='MeanPoolAggregator')) | parts
    return AudioVisualRecognizer(parts.pop('encoders', encoders), parts.pop('head'), **parts)


def encoder_of(name: str) -> tuple[dict[str, Any], Stream]:
    """Config of an encoder, and an input of its stream with sequences for encoders that take them."""
    case = MODEL_CASES[name]
    stream = case.slot.split('.')[1]
    config = with_component(case.base, case.slot, name, case.options)['encoders'][stream]
    prepare = MODELS.build(dict(type='AudioVisualDataPreprocessor'))
    inputs = prepare(raw_batch())['inputs']
    return dict(config), inputs['words' if stream == 'face' else stream]


def inputs_of(example: Stream, num_streams: int, form: str) -> dict[str, Stream]:
    values = example.values if isinstance(example, Padded) else example
    if form == 'stacked':
        return dict.fromkeys(NAMES[:num_streams], values)
    lengths = example.lengths if isinstance(example, Padded) else torch.full((len(values),), values.shape[1])
    return dict.fromkeys(NAMES[:num_streams], Padded(values, lengths))


@pytest.mark.parametrize('role', ROLES)
def test_every_component_in_every_cell(role: str) -> None:
    for name in components(role):
        refused, message = REFUSALS.get(name, (set(), ''))
        for cell in CELLS:
            if cell in refused:
                with pytest.raises(ValueError, match=message):
                    fill(role, name, *cell)
            else:
                try:
                    fill(role, name, *cell)
                except Exception as error:
                    raise AssertionError(f'{name} with {cell[0]} streams, {cell[1]}: {error!r}') from error


def fill(role: str, name: str, num_streams: int, form: str) -> None:
    parts = dict(PARTS.get(name, {}))
    if role == 'encoder':
        config, example = encoder_of(name)
        inputs = inputs_of(example, num_streams, form)
        parts['encoders'] = {stream: dict(config) for stream in inputs}
    else:
        inputs = sequences(num_streams, form == 'padded')
        config = dict(OPTIONS.get(name, MODEL_CASES[name].options), type=name)
        parts |= dict(objectives=dict(extra=config)) if role == 'objective' else {role: config}
    run(build(num_streams, **parts), inputs)


def test_components_without_a_row_see_one_stream_or_have_tests_of_their_own() -> None:
    rows = {name for role in ROLES for name in components(role)}
    others = {
        name: inspect.signature(kind).parameters for name, kind in own_components(MODELS).items() if name not in rows
    }
    with_streams = {name for name, parameters in others.items() if {'streams', 'fused', 'encoders'} & set(parameters)}
    # models and batch mixing; the contrast is a row as the objective HierarchicalContrast
    known = {'AudioVisualPretrainer', 'AudioVisualRecognizer', 'ExchangeRecognizer', 'GatedExchange', 'MixupCutmix'}
    known |= {
        'CandidateCorrection',
        'LabelImportance',
        'PartialLabelRecognizer',
        'PrototypeContrast',
    }  # .../partial_labels
    known.add('ConversationRecognizer')  # tests/models/test_conversation.py
    assert with_streams <= known | {'HierarchicalContrastiveHead'}
