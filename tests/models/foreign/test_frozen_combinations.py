"""Every combination of frozen encoders of pictures, sound and text trains its other parts and resumes exactly."""

from __future__ import annotations

import copy
import itertools
from typing import Any

import pytest
import torch
from torch import nn

from hicmae_mm.registry import MODELS
from hicmae_mm.structures import EmotionDataSample, Stream
from tests.models.foreign import tiny_transformers as tiny

pytest.importorskip('transformers')


def encoder(name: str, **options: Any) -> dict[str, Any]:
    return dict(type='TransformersEncoder', config=tiny.config(name), **options)


VIDEOS = {
    'clip_vision_model': encoder('clip_vision_model', tokens='frames'),
    'dinov2': encoder('dinov2'),
}
SOUNDS = {name: encoder(name) for name in ('wavlm', 'hubert', 'whisper', 'clap_audio_model')}
TEXTS = {None: None, 'bert': encoder('bert')}
CELLS = list(itertools.product(VIDEOS, SOUNDS, TEXTS))


def inputs_of(names: dict[str, str]) -> dict[str, Stream]:
    return {stream: tiny.inputs(name) for stream, name in names.items()}


def names_of(cell: tuple[str, str, str | None]) -> dict[str, str]:
    return {stream: name for stream, name in zip(('video', 'audio', 'text'), cell) if name}


def model_of(cell: tuple[str, str, str | None]) -> Any:
    torch.manual_seed(0)
    encoders = dict(video=VIDEOS[cell[0]], audio=SOUNDS[cell[1]]) | ({'text': TEXTS['bert']} if cell[2] else {})
    same_width = cell[1] != 'clap_audio_model'
    return MODELS.build(
        dict(
            type='AudioVisualRecognizer',
            encoders=encoders,
            fusion=dict(type='ConcatFusion', depth=1, num_heads=2) if same_width else None,
            aggregator=dict(type='MeanPoolAggregator'),
            head=dict(type='ClassificationHead', num_classes=3),
            frozen=('encoders',),
        )
    )


def samples() -> list[EmotionDataSample]:
    found = [EmotionDataSample(metainfo=dict(sample_id=str(number), num_views=1)) for number in range(2)]
    return [sample.set_gt_label(number) for number, sample in enumerate(found)]


def step(model: nn.Module, optimizer: torch.optim.Optimizer, inputs: dict[str, Stream]) -> None:
    losses = model(inputs, samples(), mode='loss')
    optimizer.zero_grad()
    losses['loss'].backward()
    optimizer.step()


def trained_part(model: nn.Module) -> list[nn.Parameter]:
    return [parameter for parameter in model.parameters() if parameter.requires_grad]


@pytest.mark.parametrize('cell', CELLS, ids=lambda cell: '-'.join(map(str, cell)))
def test_a_step_trains_the_rest_and_resumes_exactly(cell: tuple[str, str, str | None]) -> None:
    model, inputs = model_of(cell).train(), inputs_of(names_of(cell))
    assert not any(part.training for part in model.encoders.modules())
    before = {name: value.clone() for name, value in model.state_dict().items()}
    optimizer = torch.optim.AdamW(trained_part(model), lr=0.01)
    step(model, optimizer, inputs)
    stored = {name: value.clone() for name, value in model.state_dict().items()}
    moments = copy.deepcopy(optimizer.state_dict())  # loading does not copy
    changed = {name.partition('.')[0] for name, value in stored.items() if not torch.equal(value, before[name])}
    assert changed == ({'head'} if model.fusion is None else {'fusion', 'head'})

    other = model_of(cell).train()
    other.load_state_dict(stored)
    resumed = torch.optim.AdamW(trained_part(other), lr=0.01)
    resumed.load_state_dict(moments)
    step(model, optimizer, inputs)
    step(other, resumed, inputs)
    for name, value in model.state_dict().items():
        assert torch.equal(value, other.state_dict()[name]), name
