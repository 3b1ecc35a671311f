from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import pytest
import torch
from torch import nn

from hicmae_mm.structures import EmotionDataSample
from tests.models import tiny

PLAIN = dict(type='PlainDecoder', embed_dims=12, num_heads=2)


def clips(*labels: int) -> list[EmotionDataSample]:
    samples = []
    for label in labels:
        samples.append(EmotionDataSample(metainfo=dict(num_views=1)))
        samples[-1].set_gt_label(label)
    return samples


def assert_gradients_reach_everything(model: nn.Module, losses: dict[str, torch.Tensor]) -> None:
    sum(losses.values()).backward()
    dead = [name for name, value in model.named_parameters() if value.grad is None or not value.grad.abs().sum() > 0]
    assert not dead


@pytest.mark.parametrize('streams', [('video', 'audio'), ('video',), ('audio',)])
def test_recognizer_trains_every_parameter_of_its_streams(streams: tuple[str, ...]) -> None:
    model = tiny.build(tiny.recognizer_config(*streams)).train()
    assert set(model.encoders) == set(streams)
    batch = {name: value for name, value in tiny.inputs(3).items() if name in streams}
    assert_gradients_reach_everything(model, model(batch, clips(0, 1, 2), mode='loss'))


@pytest.mark.parametrize('make', [tiny.recognizer_config, tiny.pretrainer_config])
def test_the_order_of_streams_in_a_config_changes_nothing(make) -> None:
    config = make()
    turned = {
        key: dict(reversed(part.items())) if key in ('encoders', 'decoders', 'heads') else part
        for key, part in config.items()
    }  # fmt: skip  (a dumped config has its keys sorted)
    assert list(turned['encoders']) == ['audio', 'video']
    first, second = tiny.build(config).state_dict(), tiny.build(turned).state_dict()
    assert list(first) == list(second)
    assert all(torch.equal(first[name], second[name]) for name in first)


def stored_bytes(run: Callable[[], dict[str, torch.Tensor]]) -> tuple[int, dict[str, torch.Tensor]]:
    """What a forward pass keeps for the backward pass, each storage once, and its losses."""
    stored: dict[int, int] = {}

    def note(tensor: torch.Tensor) -> torch.Tensor:
        stored[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        losses = run()
    return sum(stored.values()), losses


def test_the_largest_encoder_runs_last_and_results_keep_the_order_of_streams() -> None:
    model, ran = tiny.build(tiny.recognizer_config()), []
    sizes = {name: math.prod(encoder.grid) for name, encoder in model.encoders.items()}
    encoded = model.encode_each(lambda name: ran.append(name) or name)
    assert ran == sorted(sizes, key=sizes.get)
    assert list(encoded.items()) == [('video', 'video'), ('audio', 'audio')]


@pytest.mark.parametrize(
    ('make', 'options'),
    [
        (tiny.recognizer_config, {}),
        (tiny.recognizer_config, {'fusion': dict(type='ConcatFusion', depth=2, num_heads=2)}),
        (tiny.pretrainer_config, {}),
        (tiny.pretrainer_config, {'skip_layers': (), 'decoders': dict.fromkeys(('video', 'audio'), PLAIN)}),
    ],
)
def test_checkpointed_activations_store_less_for_the_same_gradients(make, options: dict) -> None:
    results = []
    for is_saving in (False, True):
        model = tiny.build(make(checkpoint_activations=is_saving, **options)).train()
        parts = {name for name, part in model.named_modules() if getattr(part, 'checkpoint_activations', False)}
        assert bool(parts) is is_saving
        batch = tiny.inputs()
        more = dict(masks=tiny.masks()) if make is tiny.pretrainer_config else dict(data_samples=clips(0, 1))
        size, losses = stored_bytes(partial(model, batch, mode='loss', **more))
        sum(losses.values()).backward()
        results.append((size, [value.grad for value in model.parameters()]))
    (plain_size, plain), (saving_size, saving) = results
    assert saving_size < 0.7 * plain_size
    for a, b in zip(plain, saving):
        torch.testing.assert_close(a, b)


def test_recognizer_predicts_scores() -> None:
    model = tiny.build(tiny.recognizer_config()).eval()
    with torch.no_grad():
        predicted, logits = model(tiny.inputs(), clips(0, 1), mode='predict'), model(tiny.inputs())
    torch.testing.assert_close(torch.stack([clip.pred_score for clip in predicted]), logits.softmax(-1))


@pytest.mark.parametrize(
    'options',
    [
        {},
        {'fusion': None},
        {'fusion': dict(type='ConcatFusion', depth=1, num_heads=2)},
        {'skip_layers': (), 'decoders': dict.fromkeys(('video', 'audio'), PLAIN)},
        {'contrastive': None},
    ],
)
def test_pretrainer_trains_every_parameter(options: dict) -> None:
    model = tiny.build(tiny.pretrainer_config(**options)).train()
    losses = model(tiny.inputs(), masks=tiny.masks(), mode='loss')
    expected = {'loss_video', 'loss_audio', 'loss_contrastive'}
    assert set(losses) == (expected - {'loss_contrastive'} if 'contrastive' in options else expected)
    assert_gradients_reach_everything(model, losses)


def test_reconstruction_keeps_visible_patches() -> None:
    model, inputs = tiny.build(tiny.pretrainer_config()).eval(), tiny.inputs()
    with torch.no_grad():
        pictures = model.reconstruct(inputs, tiny.masks())
    for name, parts in pictures.items():
        visible = parts['masked'] != 0
        assert 0 < float(visible.float().mean()) < 1
        torch.testing.assert_close(parts['reconstruction'][visible], inputs[name][visible], rtol=1e-4, atol=1e-5)
        assert not torch.allclose(parts['reconstruction'], inputs[name])


def test_pretrainer_predicts_errors_per_clip() -> None:
    model, inputs, masks = tiny.build(tiny.pretrainer_config()).eval(), tiny.inputs(), tiny.masks()
    with torch.no_grad():
        samples = model(inputs, clips(0, 0), masks, mode='predict')
        losses = model(inputs, masks=masks, mode='loss')
    for name in ('video', 'audio'):
        mean = sum(sample.reconstruction_error[name] for sample in samples) / 2
        assert mean == pytest.approx(float(losses[f'loss_{name}']), rel=1e-5)


def test_pretrained_weights_need_no_renaming() -> None:
    source, model = tiny.build(tiny.pretrainer_config(), seed=1), tiny.build(tiny.recognizer_config(), seed=2)
    result = model.load_state_dict(source.state_dict(), strict=False)
    assert {key.split('.')[0] for key in result.unexpected_keys} == {'decoders'}
    missing = [key for key in result.missing_keys if not key.startswith('fusion.blocks.') or '.1.' not in key]
    assert {key.split('.')[0] for key in missing} == {'aggregator', 'head'}
    for name, value in source.named_parameters():
        if name.startswith('encoders.'):
            assert torch.equal(value, model.get_parameter(name))


@pytest.mark.parametrize(
    ('name', 'layer'),
    [
        ('encoders.video.patch_embed.proj.weight', 0),
        ('encoders.audio.blocks.2.norm1.bias', 3),
        ('encoders.audio.norm.weight', 6),
        ('fusion.blocks.video.0.cross_attn.q.weight', 4),
        ('fusion.blocks.audio.1.mlp.fc1.bias', 5),
        ('fusion.norms.audio.bias', 6),
        ('aggregator.layer_weights.video', 6),
        ('head.fc.weight', 6),
    ],
)
def test_layer_depth(name: str, layer: int) -> None:
    model = tiny.build(tiny.recognizer_config())
    assert name in dict(model.named_parameters())
    assert model.layer_depth(name) == (layer, 5)


def test_errors_name_the_cause() -> None:
    recognizer, pretrainer = tiny.build(tiny.recognizer_config()), tiny.build(tiny.pretrainer_config())
    with pytest.raises(ValueError, match=r"lacks the streams \['audio'\]"):
        recognizer({'video': tiny.inputs()['video']})
    with pytest.raises(ValueError, match="mode must be 'loss', 'predict' or 'tensor', got 'train'"):
        recognizer(tiny.inputs(), mode='train')
    with pytest.raises(ValueError, match="mode='loss' needs data_samples"):
        recognizer(tiny.inputs(), mode='loss')
    with pytest.raises(ValueError, match='needs a mask for every stream'):
        pretrainer(tiny.inputs(), masks={'video': tiny.masks()['video']})
    with pytest.raises(ValueError, match='audio mask: the mask leaves no visible token'):
        pretrainer(tiny.inputs(), masks=tiny.masks() | {'audio': torch.ones(2, tiny.AUDIO_TOKENS, dtype=torch.bool)})
    with pytest.raises(ValueError, match=r'skip_layers=\(0, 3\), but the video encoder has 3 layers'):
        tiny.build(tiny.pretrainer_config(skip_layers=(0, 3)))
    with pytest.raises(ValueError, match='name different streams'):
        tiny.build(tiny.pretrainer_config(heads={}))
    with pytest.raises(TypeError, match='fusion: .*NoSuchFusion.* is not a registered model component'):
        tiny.build(tiny.recognizer_config(fusion=dict(type='NoSuchFusion')))
    with pytest.raises(TypeError, match='num_head'):
        tiny.build(tiny.recognizer_config(fusion=dict(type='ConcatFusion', num_head=2)))


def test_a_slot_takes_a_built_module() -> None:
    encoder = tiny.build(tiny.encoder_config('audio'))
    model = tiny.build(tiny.recognizer_config('audio', encoders={'audio': encoder}))
    assert model.encoders['audio'] is encoder


def test_a_third_stream_needs_only_a_config() -> None:
    streams = tiny.encoder_configs() | {'text': tiny.encoder_config('audio')}
    model = tiny.build(tiny.recognizer_config(encoders=streams, fusion=dict(type='ConcatFusion', depth=1, num_heads=2)))
    batch = tiny.inputs(3) | {'text': tiny.inputs(3, seed=1)['audio']}
    assert_gradients_reach_everything(model, model(batch, clips(0, 1, 2), mode='loss'))


def test_the_data_preprocessor_is_found_without_a_default_scope() -> None:
    model = tiny.build(tiny.recognizer_config(data_preprocessor=dict(type='AudioVisualDataPreprocessor')))
    assert type(model.data_preprocessor).__name__ == 'AudioVisualDataPreprocessor'
