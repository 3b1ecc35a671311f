"""Utterances in the context of their conversation: grouping, padding, absent streams, and fusion attention."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from hicmae_mm.models import AudioVisualRecognizer, ConversationRecognizer
from hicmae_mm.models.conversation import find_conversations
from hicmae_mm.models.fusion.conversation import ConversationFusion, FusionAttention
from hicmae_mm.structures import EmotionDataSample, Padded

STREAMS = dict(text=6, audio=5, video=4)


def model_of(**options: Any) -> ConversationRecognizer:
    torch.manual_seed(0)
    encoders = {name: dict(type='FeatureMLPEncoder', in_channels=width, widths=()) for name, width in STREAMS.items()}
    encoders['text'] = dict(type='FeatureLSTMEncoder', in_channels=6, hidden_dims=6)  # several tokens and a summary
    fusion = dict(type='ConversationFusion', embed_dims=8, num_heads=2, context_depth=1, depth=2)
    head = dict(type='ClassificationHead', num_classes=3, init_scale=1.0, ignore=-1)
    model = ConversationRecognizer(encoders, head, **dict(dict(fusion=fusion), **options))
    return model.eval()


def utterances(*members: str, speakers: str = '') -> list[EmotionDataSample]:
    """One sample for each name of a conversation."""
    samples = []
    for number, (name, speaker) in enumerate(zip(members, speakers or ['a'] * len(members))):
        columns = dict(dialogue=name, speaker=speaker)
        sample = EmotionDataSample(metainfo=dict(sample_id=f'{name}{number}', num_views=1, columns=columns))
        samples.append(sample.set_gt_label(number % 3))
    return samples


def inputs_of(count: int) -> dict[str, Any]:
    generator = torch.Generator().manual_seed(1)
    found: dict[str, Any] = {
        name: torch.randn(count, width, generator=generator) for name, width in STREAMS.items() if name != 'text'
    }
    lengths = torch.arange(count) % 3 + 1
    return found | dict(text=Padded(torch.randn(count, 3, 6, generator=generator), lengths))


def rows(inputs: dict[str, Any], chosen: list[int]) -> dict[str, Any]:
    return {name: value.index_select(0, torch.tensor(chosen)) for name, value in inputs.items()}


def features_of(model: AudioVisualRecognizer, inputs: Any, samples: Any, present: Any = None) -> Tensor:
    with torch.no_grad():
        features = model.run_pass(inputs, samples, present).features
    assert isinstance(features, Tensor)
    return features


def test_conversations_are_found_and_put_back() -> None:
    talk = find_conversations(5, utterances('a', 'b', 'a', 'a', 'b', speakers='xyzxx'), 'dialogue', 'speaker')
    assert talk.lengths.tolist() == [3, 2]
    assert talk.padding.tolist() == [[False] * 3, [False, False, True]]
    assert talk.speakers.tolist() == [0, 0, 1, 0, 1]  # by their first utterance in each conversation
    steps = talk.gather(torch.arange(5) + 1)
    assert steps.tolist() == [[1, 3, 4], [2, 5, 0]]
    assert talk.scatter(steps).tolist() == [1, 2, 3, 4, 5]


def test_conversations_of_a_batch_do_not_influence_each_other() -> None:
    model, inputs = model_of(num_speakers=2), inputs_of(7)
    torch.nn.init.normal_(model.speaker_embed['audio'])
    names = ('a', 'a', 'b', 'c', 'a', 'b', 'a')  # lengths 4, 2 and 1
    samples = utterances(*names, speakers='xyxyxyz')
    together = features_of(model, inputs, samples)
    for name in 'abc':
        chosen = [row for row, of in enumerate(names) if of == name]
        alone = features_of(model, rows(inputs, chosen), [samples[row] for row in chosen])
        torch.testing.assert_close(together[chosen], alone, rtol=1e-5, atol=1e-6)
    # within a conversation, the others count
    changed = dict(inputs, audio=inputs['audio'].clone())
    changed['audio'][0] += 1
    moved = (features_of(model, changed, samples) - together).abs().amax(dim=1) > 1e-5
    assert moved.tolist() == [name == 'a' for name in names]


def test_an_utterance_without_a_stream_reaches_no_other_by_it() -> None:
    model, inputs, samples = model_of(missing_streams='zero'), inputs_of(4), utterances('a', 'a', 'a', 'b')
    for name in STREAMS:
        present = {name: torch.tensor([True, False, True, True])}
        first = features_of(model, inputs, samples, present)
        values = inputs[name].values if name == 'text' else inputs[name]
        values[1] = 1e3
        torch.testing.assert_close(features_of(model, inputs, samples, present), first, rtol=0, atol=0)
        assert torch.isfinite(first).all()
        assert (features_of(model, inputs, samples) - first).abs().amax() > 1e-3


def test_speakers_change_the_result_only_with_their_vectors() -> None:
    model, inputs = model_of(num_speakers=2), inputs_of(3)
    one, two = utterances(*'aaa'), utterances(*'aaa', speakers='xyx')
    torch.testing.assert_close(features_of(model, inputs, one), features_of(model, inputs, two), rtol=0, atol=0)
    torch.nn.init.normal_(model.speaker_embed['video'])
    assert (features_of(model, inputs, one) - features_of(model, inputs, two)).abs().amax() > 1e-3


def test_losses_and_predictions_are_those_of_utterances() -> None:
    model, inputs, samples = model_of(), inputs_of(4), utterances('a', 'b', 'a', 'b')
    scores = model.head(features_of(model, inputs, samples))
    labels = torch.cat([sample.gt_label for sample in samples])
    expected = torch.nn.functional.cross_entropy(scores, labels)
    torch.testing.assert_close(model(inputs, samples, mode='loss')['loss'], expected)
    predicted = model(inputs, samples, mode='predict')
    torch.testing.assert_close(torch.stack([sample.pred_score for sample in predicted]), scores.softmax(dim=-1))
    # without samples, everything is one conversation
    torch.testing.assert_close(model(inputs), model.head(features_of(model, inputs, utterances(*'cccc'))))


def test_fusion_attention_is_query_and_value_of_one_stream_and_the_key_of_another() -> None:
    torch.manual_seed(0)
    layer = FusionAttention(8, ('audio',), 2, 0.0)
    text, audio = torch.randn(2, 3, 8), torch.randn(2, 3, 8)
    normed, attn = layer.norm(text), layer.attn['audio']

    def heads(x: Tensor) -> Tensor:
        return x.unflatten(-1, (2, 4)).transpose(1, 2)

    q, k, v = heads(attn.q(normed)), heads(attn.k(audio)), heads(attn.v(normed))
    gathered = ((q @ k.transpose(2, 3) / 2).softmax(-1) @ v).transpose(1, 2).flatten(2)
    expected = text + torch.relu(layer.proj(torch.cat([normed, attn.proj(gathered)], dim=-1)))
    torch.testing.assert_close(layer(text, dict(audio=audio), {}), expected)


def test_depths_for_layer_wise_rates() -> None:
    fusion = ConversationFusion(STREAMS, embed_dims=8, context_depth=2, depth=3, num_heads=2)
    names = ('proj.text.weight', 'context.audio.1.norm1.weight', 'layers.0.proj.bias', 'norms.text.weight')
    assert [fusion.layer_id(name) for name in names] == [0, 1, 2, None]
    assert fusion.depth == 5


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(aggregator=dict(type='MeanPoolAggregator')), "aggregator of level 'frame' and a head of level 'clip'"),
        (dict(fusion=dict(type='ConversationFusion', leading='words')), 'leading must be one of the streams'),
    ],
)
def test_what_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        model_of(**options)


def test_samples_that_are_refused() -> None:
    model, inputs = model_of(), inputs_of(2)
    with pytest.raises(ValueError, match="has no column 'dialogue'"):
        model(inputs, [EmotionDataSample(metainfo=dict(sample_id='x'))] * 2, mode='predict')
    with pytest.raises(ValueError, match='2 views of 1 utterances'):
        model(inputs, utterances('a'), mode='predict')
