"""Fine-tuning on one stream: that encoder and nothing else."""

from __future__ import annotations

import pytest
import torch
from mmengine.config import Config

from hicmae_mm.config.paths import configs_root
from hicmae_mm.measuring.complexity import published_macs
from hicmae_mm.models import AudioVisualRecognizer
from hicmae_mm.registry import MODELS
from tests.models import tiny
from tests.models.test_models import clips

one_stream = pytest.mark.parametrize('stream', ['video', 'audio'])


def _without_weights(name: str) -> AudioVisualRecognizer:
    with torch.device('meta'):
        return MODELS.build(Config.fromfile(configs_root() / f'{name}.py').model)


def test_the_work_of_both_streams_alone_is_less_than_that_of_both_together() -> None:
    models = {name: _without_weights(f'hicmae_base{name}_cremad') for name in ('', '_video', '_audio')}
    macs = {name: published_macs(model) for name, model in models.items()}
    sizes = {name: sum(p.numel() for p in model.encoders.parameters()) for name, model in models.items()}
    assert macs['_video'] + macs['_audio'] < macs['']
    assert sizes['_video'] + sizes['_audio'] == sizes['']
    # what is left of both is the fusion's work, of pictures mostly
    assert macs['_video'] / macs[''] == pytest.approx(0.70, abs=0.01)
    assert macs['_audio'] / macs[''] == pytest.approx(0.09, abs=0.01)


@one_stream
def test_a_config_of_one_stream_has_its_encoder_and_a_classifier(stream: str) -> None:
    model = _without_weights(f'hicmae_base_{stream}_cremad')
    assert list(model.encoders) == [stream]
    assert {name.split('.')[0] for name, _ in model.named_parameters()} == {'encoders', 'aggregator', 'head'}
    assert model.head.fc.in_features == 2 * 512  # layer mix and pooled top layer


@one_stream
def test_it_is_the_model_of_that_encoder_by_hand(stream: str) -> None:
    """Starting from a checkpoint of both streams, its features and gradients are those of the encoder alone."""
    pretrained = tiny.build(tiny.pretrainer_config(), seed=1)
    model = tiny.build(tiny.recognizer_config(stream), seed=2)
    result = model.load_state_dict(pretrained.state_dict(), strict=False)
    assert {key.split('.')[0] for key in result.missing_keys} == {'aggregator', 'head'}

    encoder = pretrained.encoders[stream]
    x = tiny.inputs(3)[stream]
    hidden = torch.stack([layer.mean(1) for layer in encoder(x).hidden])
    feature = torch.cat([hidden.mean(0), hidden[-1]], dim=1)
    torch.testing.assert_close(model.extract_features({stream: x}), feature)

    model.head.loss(feature, clips(0, 1, 2))['loss'].backward()
    model.head.zero_grad()
    model({stream: x}, clips(0, 1, 2), mode='loss')['loss'].backward()
    for name, parameter in encoder.named_parameters():
        torch.testing.assert_close(model.encoders[stream].get_parameter(name).grad, parameter.grad, msg=name)
