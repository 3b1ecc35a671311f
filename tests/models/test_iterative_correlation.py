"""The fusion of AVF-MAE++: absent streams, padding, recomputation, layers, and inputs that it refuses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import onnxruntime
import pytest
import torch
from torch import Tensor, nn

from hicmae_mm.models.fusion import IterativeCorrelationFusion

WIDTHS = dict(face=8, voice=8)


def tokens() -> dict[str, Tensor]:
    torch.manual_seed(0)
    return dict(face=torch.randn(2, 3, 8), voice=torch.randn(2, 4, 8))


@torch.no_grad()
@pytest.mark.parametrize('start', [0, 2])
def test_padding_and_absent_streams_reach_nothing(start: int) -> None:
    fusion = IterativeCorrelationFusion(WIDTHS, depth=2, num_heads=2).eval()
    first, padding = tokens(), torch.zeros(2, 4, dtype=torch.bool)
    padding[1, start:] = True  # all of the voice, or its end
    second = first | {'voice': first['voice'].masked_fill(padding.unsqueeze(-1), 7.0)}
    one, other = (fusion(values, {'voice': padding}) for values in (first, second))
    torch.testing.assert_close(one['face'], other['face'], rtol=0, atol=0)
    torch.testing.assert_close(one['voice'][~padding], other['voice'][~padding])
    assert not torch.equal(one['face'][1], fusion(first)['face'][1])
    assert all(value.isfinite().all() for value in one.values())


@torch.no_grad()
def test_padded_clip_equals_the_clip_without_padding() -> None:
    fusion = IterativeCorrelationFusion(WIDTHS, depth=2, num_heads=2).eval()
    whole, padding = tokens(), torch.zeros(2, 4, dtype=torch.bool)
    padding[:, 3:] = True
    padded, cut = fusion(whole, {'voice': padding}), fusion(whole | {'voice': whole['voice'][:, :3]})
    torch.testing.assert_close(padded['face'], cut['face'])
    torch.testing.assert_close(padded['voice'][:, :3], cut['voice'])


def test_recomputation_changes_nothing() -> None:
    gradients = []
    for recompute in (False, True):
        torch.manual_seed(1)
        fusion = IterativeCorrelationFusion(WIDTHS, 2, 2, checkpoint_activations=recompute)
        sum(value.square().mean() for value in fusion(tokens()).values()).backward()
        gradients.append({name: parameter.grad for name, parameter in fusion.named_parameters()})
    for name, gradient in gradients[0].items():
        assert torch.equal(gradient, gradients[1][name]), name


class _Positional(nn.Module):
    """What ONNX can export: tensors in, tensors out."""

    def __init__(self, fusion: IterativeCorrelationFusion) -> None:
        super().__init__()
        self.fusion = fusion

    def forward(self, face: Tensor, voice: Tensor) -> tuple[Tensor, ...]:
        return tuple(self.fusion(dict(face=face, voice=voice)).values())


@pytest.mark.slow
@torch.no_grad()
def test_onnx_gives_the_same(tmp_path: Path) -> None:
    model = _Positional(IterativeCorrelationFusion(WIDTHS, depth=1, num_heads=2)).eval()
    given = tuple(tokens().values())
    torch.onnx.export(model, given, tmp_path / 'fusion.onnx', dynamo=True, verbose=False)
    session = onnxruntime.InferenceSession(tmp_path / 'fusion.onnx', providers=['CPUExecutionProvider'])
    fed = {entry.name: value.numpy() for entry, value in zip(session.get_inputs(), given)}
    for found, value in zip(session.run(None, fed), model(*given)):
        torch.testing.assert_close(torch.from_numpy(found), value, rtol=1e-4, atol=1e-5)


def test_layer_ids() -> None:
    fusion = IterativeCorrelationFusion(WIDTHS, 3, 2)
    assert fusion.layer_id('blocks.voice.2.mlp.fc1.weight') == 2
    assert fusion.layer_id('refinement.norm.weight') is None


def test_what_cannot_work_is_refused() -> None:
    with pytest.raises(ValueError, match='exactly two streams'):
        IterativeCorrelationFusion(dict(face=8), 1, 2)
    with pytest.raises(ValueError, match='streams of one width'):
        IterativeCorrelationFusion(dict(face=8, voice=4), 1, 2)
    one = {name: value[:1] for name, value in tokens().items()}
    with pytest.raises(ValueError, match='at least 2 clips'):
        IterativeCorrelationFusion(WIDTHS, 1, 2)(one)


def mixing(**options: Any) -> IterativeCorrelationFusion:
    torch.manual_seed(0)
    facts = dict(num_layers=dict(face=3, voice=2), grids=dict(face=(2, 2), voice=(4,)))
    return IterativeCorrelationFusion(WIDTHS, 1, 2, overall='layers', **(facts | options))


@torch.no_grad()
def test_overall_tokens_are_a_mix_of_layers_at_each_place() -> None:
    fusion = mixing().eval()
    hidden = {name: tuple(torch.randn(count, 2, 4, 8)) for name, count in dict(face=3, voice=2).items()}
    fusion.layer_weights['face'].copy_(torch.tensor([0.0, 1.0, 50.0]))
    found = fusion._mixed_layers(hidden)
    torch.testing.assert_close(found[..., :8], hidden['face'][2])
    torch.testing.assert_close(found[..., 8:], torch.stack(hidden['voice']).mean(dim=0))
    last = {name: layers[-1] for name, layers in hidden.items()}
    torch.testing.assert_close(fusion(last, hidden=hidden)['face'], fusion.fuse(last, found, {})[0]['face'])
    assert fusion.layer_id('layer_weights.face') is None


def test_layers_of_other_numbers_of_tokens_are_refused() -> None:
    with pytest.raises(ValueError, match=r"equally many tokens, got \{'face': 4, 'voice': 3\}"):
        mixing(grids=dict(face=(2, 2), voice=(3,)))
    with pytest.raises(ValueError, match=r"equally many tokens, got \{'face': 4\}"):
        mixing(grids=dict(face=(2, 2)))
    with pytest.raises(ValueError, match='overall must be one of'):
        IterativeCorrelationFusion(WIDTHS, 1, 2, overall='means of layers')
