"""Every encoder with every fusion, aggregator and head: it works, or building it says why not.

The components are those of the matrix (``test_matrix.py``), two streams each. A combination that works trains a step
and gives the same outputs after saving and loading. One that does not is refused while it is built, by ``ValueError``.
"""

from __future__ import annotations

import functools
import io
import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
import torch
from torch import nn

from hicmae_mm.registry import MODELS
from hicmae_mm.structures import Padded, Stream
from tests.component_cases import MODEL_CASES
from tests.models.test_matrix import OPTIONS, PARTS, components, encoder_of, inputs_of, samples

NAMES = ('a', 'b')
HEADS: dict[str, dict[str, Any]] = {
    'ClassificationHead': dict(num_classes=3, init_scale=1.0),
    'CompoundHead': dict(basic='abc', compounds=('ab', 'bc', 'ac'), init_scale=1.0),
    'MultiLabelHead': dict(num_labels=2, target='units'),
    'MultiTaskHead': dict(
        heads=dict(
            emotion=dict(type='ClassificationHead', num_classes=3), mood=dict(type='RegressionHead', num_outputs=2)
        )
    ),
    'RegressionHead': dict(num_outputs=2),
}
Combination = tuple[str, ...]


def pairwise(axes: Sequence[Sequence[str]]) -> Iterator[Combination]:
    """Few combinations in which every two components of two roles meet at least once."""
    missing = {
        (first, one, second, other)
        for (first, ones), (second, others) in itertools.combinations(enumerate(axes), 2)
        for one in ones
        for other in others
    }
    while missing:
        first, one, second, other = min(missing)
        chosen: dict[int, str] = {first: one, second: other}
        for place, names in enumerate(axes):
            if place not in chosen:
                chosen[place] = max(names, key=lambda name: len(missing & pairs_of(chosen | {place: name})))
        missing -= pairs_of(chosen)
        yield tuple(chosen[place] for place in range(len(axes)))


def pairs_of(chosen: dict[int, str]) -> set[tuple[int, str, int, str]]:
    """Pairs of components in a combination, the first role first."""
    return {(i, chosen[i], j, chosen[j]) for i, j in itertools.combinations(sorted(chosen), 2)}


def options_of(name: str) -> dict[str, Any]:
    return dict(OPTIONS.get(name, MODEL_CASES[name].options), type=name)


@functools.cache
def num_summaries(encoder: str) -> int:
    """Summary tokens of a clip, which an aggregator over frames is told; 1 where there are none."""
    config, example = encoder_of(encoder)
    summary = MODELS.build(config).eval()(inputs_of(example, 1, form_of(example))['a']).summary
    return 1 if summary is None else int(summary.shape[1])


def form_of(example: Stream) -> str:
    return 'padded' if isinstance(example, Padded) else 'stacked'


def recognizer(encoder: str, fusion: str, aggregator: str, head: str) -> nn.Module:
    config, _ = encoder_of(encoder)
    frames_of = dict(num_frames=num_summaries(encoder)) if aggregator == 'TemporalTransformerAggregator' else {}
    frames = PARTS.get(aggregator, {}).get('head', {}).get('level')
    level = dict(level='frame', target='course') if frames and head == 'RegressionHead' else {}
    return MODELS.build(
        dict(
            type='AudioVisualRecognizer',
            encoders={name: dict(config) for name in NAMES},
            fusion=None if fusion == 'none' else options_of(fusion),
            aggregator=options_of(aggregator) | frames_of,
            head=dict(HEADS[head], type=head, **level),
        )
    )


def length_of(inputs: dict[str, Stream], model: nn.Module) -> tuple[int, ...]:
    """Time steps of each clip's course: those of the features, where the head has one output for each."""
    with torch.no_grad():
        features = model.eval().extract_features(inputs)
    model.train()
    if isinstance(features, Padded):
        return tuple(features.lengths.tolist())
    return (features.shape[1] if features.ndim > 2 else 5,) * len(features)


def check_recognizer(combination: Combination) -> None:
    torch.manual_seed(0)
    model = recognizer(*combination)  # a ValueError here is a refusal
    try:
        _, example = encoder_of(combination[0])
        inputs = inputs_of(example, 2, form_of(example))
        losses = model(inputs, samples(length_of(inputs, model)), mode='loss')
        total = sum(value for key, value in losses.items() if 'loss' in key)
        total.backward()
        assert torch.isfinite(total)
        torch.optim.SGD(model.parameters(), lr=1e-3).step()
        check_saved(model, recognizer(*combination), inputs)
    except Exception as error:
        raise AssertionError(f'{" + ".join(combination)}: {type(error).__name__}: {error}') from error


def check_saved(model: nn.Module, other: nn.Module, inputs: dict[str, Stream]) -> None:
    """The outputs of a model are those of another one that loads its weights."""
    file = io.BytesIO()
    torch.save(model.state_dict(), file)
    file.seek(0)
    other.load_state_dict(torch.load(file, weights_only=True))
    with torch.no_grad():
        first, second = model.eval().extract_features(inputs), other.eval().extract_features(inputs)
    if isinstance(first, Padded):
        first, second = first.values, second.values
    torch.testing.assert_close(first, second, rtol=0, atol=0, equal_nan=True)


def attempt(combination: Combination) -> str | None:
    """Why a combination is refused; None if it works."""
    try:
        check_recognizer(combination)
    except ValueError as error:
        return str(error)
    return None


AXES = (components('encoder'), ['none', *components('fusion')], components('aggregator'), sorted(HEADS))


def check_all(combinations: Iterator[Combination]) -> None:
    late, refused, working = [], 0, 0
    for combination in combinations:
        try:
            reason = attempt(combination)
        except Exception as error:
            late.append(str(error) if isinstance(error, AssertionError) else f'{combination}: {error!r}')
            continue
        refused, working = refused + (reason is not None), working + (reason is None)
        assert reason is None or len(reason) > 20
    assert not late, f'{len(late)} fail late ({working} work, {refused} are refused):\n' + '\n'.join(late)
    assert working > refused / 4


def test_every_two_components_meet() -> None:
    check_all(pairwise(AXES))


@pytest.mark.slow
def test_every_combination() -> None:
    """Every encoder, fusion and aggregator; the heads take turns, because they only see what an aggregator gives."""
    check_all((*parts, head) for parts, head in zip(itertools.product(*AXES[:3]), itertools.cycle(AXES[3])))
