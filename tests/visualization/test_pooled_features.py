from __future__ import annotations

import pytest
import torch

from hicmae_mm.visualization.pooled_features import pooled_features
from tests.models.tiny import build, inputs, pretrainer_config, recognizer_config


@pytest.mark.parametrize('layer', [0, 1, -1])
def test_features_are_the_layers_mean_tokens(layer: int) -> None:
    model = build(recognizer_config()).eval()
    x = inputs()
    found = pooled_features(model, x, ('audio', 'video'), layer)
    assert list(found) == ['audio', 'video']
    with torch.no_grad():
        for name, values in found.items():
            torch.testing.assert_close(values, model.encoders[name](x[name]).hidden[layer].mean(dim=1))


def test_fusion_has_layers_of_its_own() -> None:
    model = build(recognizer_config()).eval()
    x = inputs()
    with torch.no_grad():
        encoded = {name: encoder(x[name]) for name, encoder in model.encoders.items()}
        tokens = {name: output.tokens for name, output in encoded.items()}
        fused = model.fuse(encoded)
        first = {
            name: model.fusion.blocks[name][0](tokens[name], tokens[other])
            for name, other in (('video', 'audio'), ('audio', 'video'))
        }
    last = pooled_features(model, x, ('fusion',))['fusion']
    torch.testing.assert_close(last, torch.cat([fused['video'].mean(1), fused['audio'].mean(1)], dim=-1))
    second_last = pooled_features(model, x, ('fusion',), -2)['fusion']
    torch.testing.assert_close(second_last, torch.cat([first['video'].mean(1), first['audio'].mean(1)], dim=-1))
    assert not any(module._forward_hooks for module in model.modules())


def test_a_pretrainer_has_features_of_all_tokens() -> None:
    model = build(pretrainer_config()).eval()
    assert {k: tuple(v.shape) for k, v in pooled_features(model, inputs(), ('video', 'fusion')).items()} == {
        'video': (2, 16),
        'fusion': (2, 32),
    }


def test_what_is_not_there_is_named() -> None:
    model = build(recognizer_config('video')).eval()
    with pytest.raises(ValueError, match=r"the model has \['video'\], got \['fusion'\]"):
        pooled_features(model, inputs(), ('fusion',))
    with pytest.raises(ValueError, match='the video encoder has layers 0 to 2 .* got 3'):
        pooled_features(model, inputs(), ('video',), 3)
