"""Features against the model's own forward pass, and against loops over tokens."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from hicmae_mm.features import FeatureExtractor
from hicmae_mm.models import ConversationRecognizer
from hicmae_mm.registry import MODELS
from hicmae_mm.structures import Padded
from tests.models.tiny import (
    AUDIO_TOKENS,
    DEPTH,
    VIDEO_TOKENS,
    WIDTH,
    build,
    inputs,
    pretrainer_config,
    recognizer_config,
)

PREPROCESSOR = dict(type='AudioVisualDataPreprocessor')


def _batch(batch: int = 2, **changes: Any) -> dict[str, Any]:
    """Frames as they come from the data set, and the same normalised."""
    generator = torch.Generator().manual_seed(0)
    video = torch.randint(0, 256, (batch, 4, 32, 32, 3), dtype=torch.uint8, generator=generator)
    return dict(inputs=dict(video=video, audio=inputs(batch)['audio']), data_samples=None) | changes


def _recognizer(*streams: str, **options: Any) -> Any:
    return build(recognizer_config(*streams, data_preprocessor=PREPROCESSOR, **options)).eval()


def _normalised(model: Any, batch: dict[str, Any]) -> dict[str, Tensor]:
    return model.data_preprocessor(batch)['inputs']


@torch.no_grad()
def test_clip_features_are_those_of_the_model() -> None:
    model, batch = _recognizer(), _batch()
    found = FeatureExtractor(model, layers='all')(batch)
    names = [f'{stream}_layer{layer}' for stream in ('video', 'audio') for layer in range(DEPTH)]
    assert list(found) == [*names, 'fusion_video', 'fusion_audio', 'clip']
    data = _normalised(model, batch)
    assert torch.equal(found['clip'], model.extract_features(data))
    encoded = {name: encoder(data[name]) for name, encoder in model.encoders.items()}
    fused = model.fusion({name: output.tokens for name, output in encoded.items()})
    for name, output in encoded.items():
        for layer, tokens in enumerate(output.hidden):
            assert torch.equal(found[f'{name}_layer{layer}'], tokens.mean(1))
        assert torch.equal(found[f'fusion_{name}'], fused[name].mean(1))


@torch.no_grad()
def test_frames_average_the_tokens_of_a_time_step() -> None:
    model, batch = _recognizer(), _batch()
    found = FeatureExtractor(model, ['audio', 'fusion', 'video'], layers=(1,), level='frame')(batch)
    assert list(found) == ['video_layer1', 'audio_layer1', 'fusion_video', 'fusion_audio']
    data = _normalised(model, batch)
    for name, tokens_per_step in (('video', VIDEO_TOKENS // 2), ('audio', AUDIO_TOKENS // 2)):
        tokens = model.encoders[name](data[name]).hidden[1]
        for step in range(2):
            expected = sum(tokens[:, step * tokens_per_step + token] for token in range(tokens_per_step))
            torch.testing.assert_close(found[f'{name}_layer1'][:, step], expected / tokens_per_step)
        torch.testing.assert_close(found[f'fusion_{name}'].mean(1), FeatureExtractor(model)(batch)[f'fusion_{name}'])


def test_time_steps_follow_time() -> None:
    """Changing the last frames, or the end of the sound, changes the patch embedding of the last step only."""
    model, batch = _recognizer('video', fusion=None), _batch()
    model.encoders['video'].blocks = torch.nn.ModuleList([torch.nn.Identity()] * DEPTH)
    extractor = FeatureExtractor(model, level='frame', layers=(0,))
    first = extractor(batch)['video_layer0']
    batch['inputs']['video'][:, 2:] = 0
    second = extractor(batch)['video_layer0']
    assert torch.equal(first[:, 0], second[:, 0])
    assert not torch.allclose(first[:, 1], second[:, 1])


def test_only_what_is_needed_runs() -> None:
    model = _recognizer()
    calls: list[str] = []
    for name, part in (*model.encoders.items(), ('fusion', model.fusion), ('head', model.head)):
        part.register_forward_hook(lambda *_, name=name: calls.append(name))
    batch = _batch()
    batch['inputs'].pop('video')
    assert list(FeatureExtractor(model, ['audio'])(batch)) == [f'audio_layer{DEPTH - 1}']
    assert calls == ['audio']
    FeatureExtractor(model, ['clip'])(_batch())
    assert sorted(calls[1:3]) == ['audio', 'video']  # in the model's own order
    assert calls[3:] == ['fusion']
    with pytest.raises(ValueError, match=r"some clips lack the streams \['video'\].*missing_streams='zero'"):
        FeatureExtractor(model, ['clip'])(batch)


@torch.no_grad()
def test_pretrainers_encode_all_tokens() -> None:
    model = build(pretrainer_config(data_preprocessor=PREPROCESSOR)).eval()
    masks = dict(video=torch.tensor([[True] * 7 + [False]] * 2))
    extractor = FeatureExtractor(model, layers='last')
    batch = _batch()
    found = extractor(batch | dict(masks=masks))
    assert list(found) == ['video_layer2', 'audio_layer2', 'fusion_video', 'fusion_audio']
    data = _normalised(model, batch)
    assert torch.equal(found['video_layer2'], model.encoders['video'](data['video']).tokens.mean(1))
    assert list(extractor.definitions()) == list(found)


def test_clips_that_lack_a_stream() -> None:
    model, batch = _recognizer(missing_streams='zero'), _batch(3)
    present = dict(audio=torch.tensor([True, False, True]))
    found = FeatureExtractor(model)(batch | dict(present=present))
    data = _normalised(model, batch)
    with torch.no_grad():
        assert torch.equal(found['clip'], model.extract_features(data, present))
    assert not found[f'audio_layer{DEPTH - 1}'][1].any()
    assert not found['fusion_audio'][1].any()
    batch['inputs'].pop('audio')
    frames = FeatureExtractor(model, level='frame')(batch)
    assert frames[f'audio_layer{DEPTH - 1}'].shape == (3, 2, WIDTH)
    assert not frames['fusion_audio'].any()


def test_one_stream_models() -> None:
    extractor = FeatureExtractor(_recognizer('audio'))
    assert extractor.streams == ('audio', 'clip')
    assert extractor(_batch())['clip'].shape == (2, 2 * WIDTH)


def test_weights_that_the_features_need_must_be_there() -> None:
    model = _recognizer()
    state = {name: value for name, value in model.state_dict().items() if not name.startswith(('head', 'aggregator'))}
    report = FeatureExtractor(model).load(state, 'pretrained.pth')
    assert len(report.missing) == 6
    with pytest.raises(ValueError, match=r"'pretrained\.pth' does not have what the features need: .*head\.norm"):
        FeatureExtractor(model, with_scores=True).load(state, 'pretrained.pth')
    audio = {name: value for name, value in state.items() if name.startswith('encoders.audio')}
    FeatureExtractor(model, ['audio']).load(audio, 'audio.pth')
    with pytest.raises(ValueError, match='does not have what the features need'):
        FeatureExtractor(model, ['fusion']).load(audio, 'audio.pth')


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(streams=['text']), r"streams must be some of \['video', 'audio', 'fusion', 'clip'\] .*got \['text'\]"),
        (dict(streams=[]), 'streams must be some of'),
        (dict(streams=['clip'], level='frame'), r"some of \['video', 'audio', 'fusion'\] \(level 'frame'\)"),
        (dict(level='token'), "level must be one of .* got 'token'"),
        (dict(layers=(0, 3)), r'layers=\[0, 3\], but the video encoder has the layers 0\.\.2'),
        (dict(layers=()), 'layers='),
        (dict(layers='first'), "layers must be 'all', 'last' or numbers"),
    ],
)
def test_wrong_options_are_named(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        FeatureExtractor(_recognizer(), **options)


def test_other_models_are_refused() -> None:
    with pytest.raises(TypeError, match='expected an AudioVisualRecognizer or AudioVisualPretrainer, got Linear'):
        FeatureExtractor(torch.nn.Linear(1, 1))
    with pytest.raises(ValueError, match='has no head that predicts'):
        FeatureExtractor(build(pretrainer_config(data_preprocessor=PREPROCESSOR)), with_scores=True)


@torch.no_grad()
def test_sequences_give_what_they_give_alone() -> None:
    model = MODELS.build(
        dict(
            type='AudioVisualRecognizer',
            data_preprocessor=PREPROCESSOR,
            encoders={name: dict(type='FeatureLSTMEncoder', in_channels=3, hidden_dims=8) for name in ('a', 'b')},
            fusion=dict(type='ConcatFusion', depth=1, num_heads=2),
            aggregator=dict(type='MeanPoolAggregator'),
            head=dict(type='ClassificationHead', num_classes=2),
        )
    ).eval()
    rows = {name: [torch.randn(length, 3) for length in (4, 2)] for name in ('a', 'b')}
    for streams in (None, ['a', 'fusion']):
        extractor = FeatureExtractor(model, streams)
        both = extractor(dict(inputs={name: Padded.stack(parts) for name, parts in rows.items()}, data_samples=None))
        for index in range(2):
            one = {name: Padded.stack([parts[index]]) for name, parts in rows.items()}
            alone = extractor(dict(inputs=one, data_samples=None))
            assert both.keys() == alone.keys()
            for name, column in alone.items():
                torch.testing.assert_close(both[name][index], column[0], rtol=1e-5, atol=1e-6)
    batch = dict(inputs={name: Padded.stack(parts) for name, parts in rows.items()}, data_samples=None)
    steps, means = (FeatureExtractor(model, ['a', 'fusion'], level=level)(batch) for level in ('frame', 'clip'))
    assert steps.keys() == means.keys()
    for name, column in steps.items():
        assert column.lengths.tolist() == [4, 2]
        for clip, length in enumerate((4, 2)):
            torch.testing.assert_close(column.values[clip, :length].mean(dim=0), means[name][clip])
    stacked = dict(inputs={name: torch.randn(2, 4, 3) for name in ('a', 'b')}, data_samples=None)
    assert FeatureExtractor(model, ['a'], level='frame')(stacked)['a_layer0'].shape == (2, 4, 8)


@torch.no_grad()
def test_a_model_of_conversations_has_features_of_its_encoders_only() -> None:
    mlp = dict(type='FeatureMLPEncoder', in_channels=6, widths=(8,))
    model = ConversationRecognizer(
        dict(text=mlp, audio=mlp),
        dict(type='ClassificationHead', num_classes=3),
        dict(type='ConversationFusion', embed_dims=8, num_heads=2),
        data_preprocessor=PREPROCESSOR,
    )
    batch = dict(inputs=dict(text=torch.randn(2, 6), audio=torch.randn(2, 6)), data_samples=None)
    found = FeatureExtractor(model)(batch)
    assert list(found) == ['audio_layer0', 'text_layer0']
    assert torch.equal(found['text_layer0'], model.encoders['text'](batch['inputs']['text']).tokens[:, 0])
    with pytest.raises(ValueError, match=r"streams must be some of \['audio', 'text'\]"):
        FeatureExtractor(model, streams=['fusion'])
