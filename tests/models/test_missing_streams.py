"""Clips that lack a stream: alone, in batches of their kind, and mixed."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from hicmae_mm.models.fusion import ConcatFusion, CrossModalFusion
from hicmae_mm.models.layers import CrossAttention, SelfAttention
from hicmae_mm.structures import Presence
from tests.models import tiny
from tests.models.test_models import clips

# clips 0 and 4 have both streams, 1 and 2 only the video, 3 only the audio
PRESENT = dict(video=torch.tensor([1, 1, 1, 0, 1]).bool(), audio=torch.tensor([1, 0, 0, 1, 1]).bool())
FUSIONS = dict(
    cross=dict(type='CrossModalFusion', depth=2, num_heads=2),
    concat=dict(type='ConcatFusion', depth=2, num_heads=2),
    none=None,
)
AGGREGATORS = ('HierarchicalFeatureAggregator', 'MeanPoolAggregator')

every_fusion = pytest.mark.parametrize('fusion', FUSIONS)


def model(fusion: str = 'cross', aggregator: str = AGGREGATORS[0], **options: Any) -> nn.Module:
    """Biases are not 0, so that they show where they must not."""
    built = tiny.build(
        tiny.recognizer_config(
            fusion=FUSIONS[fusion], aggregator=dict(type=aggregator), missing_streams='zero', **options
        )
    )
    for name, parameter in built.named_parameters():
        if 'bias' in name or 'embed' in name:
            nn.init.normal_(parameter)
    return built.eval()


def rows(inputs: dict[str, Tensor], index: list[int], *streams: str) -> dict[str, Tensor]:
    return {name: inputs[name][index] for name in streams}


@every_fusion
@pytest.mark.parametrize('aggregator', AGGREGATORS)
@torch.no_grad()
def test_a_mixed_batch_gives_what_batches_of_one_kind_give(fusion: str, aggregator: str) -> None:
    recognizer, inputs = model(fusion, aggregator), tiny.inputs(5)
    mixed = recognizer.extract_features(inputs, PRESENT)
    both = recognizer.extract_features(rows(inputs, [0, 4], 'video', 'audio'))
    unheard = recognizer.extract_features(rows(inputs, [1, 2], 'video'))
    unseen = recognizer.extract_features(rows(inputs, [3], 'audio'))
    torch.testing.assert_close(mixed[[0, 4]], both, atol=1e-6, rtol=1e-6)
    torch.testing.assert_close(mixed[[1, 2]], unheard, atol=1e-6, rtol=1e-6)
    torch.testing.assert_close(mixed[[3]], unseen, atol=1e-6, rtol=1e-6)
    # one clip alone gives the same again
    torch.testing.assert_close(recognizer.extract_features(rows(inputs, [2], 'video')), unheard[1:])


@every_fusion
@torch.no_grad()
def test_what_stands_in_for_an_absent_stream_does_not_matter(fusion: str) -> None:
    recognizer, inputs = model(fusion), tiny.inputs(5)
    expected = recognizer(inputs, present=PRESENT)
    for value in (0.0, 1e6, float('nan')):
        changed = {name: tensor.clone() for name, tensor in inputs.items()}
        changed['audio'][[1, 2]] = value
        changed['video'][3] = value
        assert torch.equal(recognizer(changed, present=PRESENT), expected)


@torch.no_grad()
def test_absent_features_are_zero_and_the_rest_is_the_streams_own() -> None:
    """Without the audio: no cross-attention, biases included, so the blocks are plain self-attention blocks."""
    recognizer, inputs = model(), tiny.inputs(2)
    feature = recognizer.extract_features(rows(inputs, [0, 1], 'video'))
    video_mix, audio_mix, fused_video, fused_audio = feature.split(tiny.WIDTH, dim=1)
    assert not audio_mix.any()
    assert not fused_audio.any()
    encoded = recognizer.encoders['video'](inputs['video'])
    torch.testing.assert_close(video_mix, torch.stack([h.mean(1) for h in encoded.hidden]).mean(0))
    x = encoded.tokens
    for block in recognizer.fusion.blocks['video']:
        x = x + block.attn(block.norm1(x))
        x = x + block.mlp(block.norm2(x))
    torch.testing.assert_close(fused_video, recognizer.fusion.norms['video'](x).mean(1))


@every_fusion
def test_complete_batches_are_not_touched(fusion: str) -> None:
    recognizer, inputs = model(fusion), tiny.inputs(3)
    strict = model(fusion)
    strict.missing_streams = 'error'
    whole = dict(video=torch.ones(3, dtype=torch.bool))
    assert torch.equal(recognizer(inputs), strict(inputs))
    assert torch.equal(recognizer(inputs, present=whole), strict(inputs))


def test_encoders_see_only_the_clips_that_have_their_stream() -> None:
    recognizer, inputs = model(), tiny.inputs(5)
    seen: dict[str, list[int]] = dict(video=[], audio=[])
    for name, encoder in recognizer.encoders.items():
        encoder.register_forward_pre_hook(lambda _, args, name=name: seen[name].append(len(args[0])))
    recognizer(inputs, present=PRESENT)
    recognizer(rows(inputs, [0, 1], 'audio'))
    recognizer(inputs, present=dict(video=torch.zeros(5, dtype=torch.bool)))
    assert seen == dict(video=[4], audio=[3, 2, 5])


@every_fusion
def test_training_on_mixed_batches_sums_the_gradients_of_its_parts(fusion: str) -> None:
    recognizer, inputs, labels = model(fusion), tiny.inputs(5), [0, 1, 2, 0, 1]
    recognizer(inputs, clips(*labels), PRESENT, mode='loss')['loss'].backward()
    mixed = {name: parameter.grad.clone() for name, parameter in recognizer.named_parameters()}
    recognizer.zero_grad()
    for index, streams in (([0, 4], ('video', 'audio')), ([1, 2], ('video',)), ([3], ('audio',))):
        part = recognizer(rows(inputs, index, *streams), clips(*[labels[i] for i in index]), mode='loss')['loss']
        (part * len(index) / 5).backward()
    for name, parameter in recognizer.named_parameters():
        torch.testing.assert_close(parameter.grad, mixed[name], atol=1e-5, rtol=1e-4, msg=name)
        assert mixed[name].abs().sum() > 0, name


def test_an_absent_stream_trains_nothing_of_its_own() -> None:
    recognizer = model().train()
    recognizer(rows(tiny.inputs(2), [0, 1], 'video'), clips(0, 1), mode='loss')['loss'].backward()
    assert all(parameter.grad is None for parameter in recognizer.encoders['audio'].parameters())
    assert all(parameter.grad is not None for parameter in recognizer.encoders['video'].parameters())
    cross = recognizer.fusion.blocks['video'][0].cross_attn
    assert not cross.proj.weight.grad.any()
    assert not cross.proj.bias.grad.any()
    assert recognizer.fusion.blocks['video'][0].attn.proj.weight.grad.any()


def test_views_follow_their_clip() -> None:
    recognizer, inputs, samples = model(), tiny.inputs(5), clips(0, 1)
    samples[0].set_metainfo(dict(num_views=3))
    samples[1].set_metainfo(dict(num_views=2))
    present = dict(audio=torch.tensor([False, False, False, True, True]))
    with torch.no_grad():
        mixed = recognizer(inputs, samples, present, mode='predict')
        alone = recognizer(rows(inputs, [0, 1, 2], 'video'))
    torch.testing.assert_close(mixed[0].pred_score, alone.softmax(-1).mean(0))


@pytest.mark.parametrize('cls', [CrossModalFusion, ConcatFusion])
def test_a_clip_of_padding_adds_exactly_nothing_to_the_other_stream(cls: type) -> None:
    torch.manual_seed(0)
    fusion = cls(dict(video=8, audio=8), depth=2, num_heads=2).double()
    tokens = dict(video=torch.randn(2, 5, 8).double(), audio=torch.randn(2, 3, 8).double())
    padding = torch.tensor([[False] * 3, [True] * 3])
    fused = fusion(tokens, dict(audio=padding))
    assert all(part.isfinite().all() for part in fused.values())
    tokens['audio'] = torch.cat([tokens['audio'][:1], torch.randn(1, 3, 8).double()])
    again = fusion(tokens, dict(audio=padding))
    assert torch.equal(fused['video'], again['video'])
    assert torch.equal(fused['audio'][0], again['audio'][0])


def test_attention_to_nothing_is_zero_and_its_gradient_finite() -> None:
    torch.manual_seed(0)
    x, context = torch.randn(2, 3, 8, requires_grad=True), torch.randn(2, 4, 8, requires_grad=True)
    attention = CrossAttention(8, 2)
    nn.init.ones_(attention.proj.bias)
    nothing = torch.tensor([[True] * 4, [False, False, True, True]])
    out = attention(x, context, nothing)
    assert not out[0].any()
    torch.testing.assert_close(out[1:], attention(x[1:], context[1:, :2]))
    out.square().sum().backward()
    assert context.grad.isfinite().all()
    assert not context.grad[0].any()
    assert not SelfAttention(8, 2)(x, torch.ones(2, 3, dtype=torch.bool)).any()


def test_presence_indices() -> None:
    presence = Presence.from_bool(torch.tensor([False, True, True]))
    x = torch.arange(3.0)[:, None]
    assert presence.rows.tolist() == [1, 2]
    assert presence.spread(presence.select(x) + 1).tolist() == [[0], [2], [3]]
    assert presence.padding(2).tolist() == [[True, True], [False, False], [False, False]]
    assert not presence.is_missing
    assert Presence.nowhere(3, torch.device('cpu')).padding(1).all()
    with pytest.raises(ValueError, match=r'audio: expected a boolean tensor \(B,\), got torch.int64'):
        Presence.from_bool(torch.tensor([1, 0]), 'audio')


def test_accidents_are_errors() -> None:
    recognizer, inputs = model(), tiny.inputs(5)
    strict = model()
    strict.missing_streams = 'error'
    with pytest.raises(ValueError, match=r"lacks the streams \['audio'\].*missing_streams='zero'"):
        strict(rows(inputs, [0], 'video'))
    with pytest.raises(ValueError, match=r"some clips lack the streams \['audio', 'video'\]"):
        strict(inputs, present=PRESENT)
    with pytest.raises(ValueError, match=r"none of the streams \['video', 'audio'\], only \['text'\]"):
        recognizer(dict(text=torch.zeros(2, 3)))
    with pytest.raises(ValueError, match=r"present\['audio'\] is for 4 rows, the batch has 5"):
        recognizer(inputs, present=dict(audio=torch.tensor([True, False, True, True])))
    with pytest.raises(ValueError, match="missing_streams must be 'error' or 'zero', got 'mean'"):
        tiny.build(tiny.recognizer_config(missing_streams='mean'))
