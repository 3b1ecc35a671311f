"""EMT-DLFR's fusion and objective: sharing, padding, absent streams, incomplete views."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from hicmae_mm.models import AudioVisualRecognizer
from hicmae_mm.models.encoders import FeatureMLPEncoder
from hicmae_mm.models.fusion import EMTFusion
from hicmae_mm.models.losses.restoration import attraction_loss, restoration_loss
from hicmae_mm.structures import EmotionDataSample, Padded

WIDTHS = dict(face=5, voice=3, words=4)


def build(objective: dict[str, Any] | None = None, **options: Any) -> AudioVisualRecognizer:
    torch.manual_seed(0)
    encoders: dict[str, Any] = {
        name: dict(type='FeatureLSTMEncoder', in_channels=WIDTHS[name], hidden_dims=6) for name in ('face', 'voice')
    }
    encoders['words'] = dict(type='FeatureMLPEncoder', in_channels=4, widths=(), has_special_tokens=True)
    restoration = dict(type='FeatureRestoration', inputs=dict(face=5, voice=3), keep_ends=('words',)) | (
        objective or {}
    )
    return AudioVisualRecognizer(
        encoders,
        dict(type='RegressionHead', num_outputs=1, norm=False, init_scale=1.0, loss=dict(type='L1Loss')),
        dict(type='EMTFusion', embed_dims=8, depth=2, num_heads=2),
        dict(type='ContextAggregator', widths=(7,)),
        objectives=dict(dlfr=restoration),
        **options,
    )


def sequences(*lengths: int) -> dict[str, list[Tensor]]:
    generator = torch.Generator().manual_seed(1)
    return {
        name: [torch.randn(length, width, generator=generator) for length in lengths] for name, width in WIDTHS.items()
    }


def padded(*lengths: int) -> dict[str, Padded]:
    return {name: Padded.stack(parts) for name, parts in sequences(*lengths).items()}


def samples(count: int) -> list[EmotionDataSample]:
    return [EmotionDataSample().set_gt_values([float(number)]) for number in range(count)]


def test_padded_equals_alone() -> None:
    model, rows = build().eval(), sequences(4, 3, 9)
    together = model(padded(4, 3, 9))
    for row in range(3):
        alone = model({name: Padded.stack([parts[row]]) for name, parts in rows.items()})
        torch.testing.assert_close(together[row : row + 1], alone, rtol=1e-5, atol=1e-6)


def test_an_absent_stream_equals_a_batch_without_it() -> None:
    model, inputs = build(missing_streams='zero').eval(), padded(4, 6)
    some = model(inputs, present=dict(voice=torch.tensor([True, False])))
    none = model({name: inputs[name] for name in ('face', 'words')})
    torch.testing.assert_close(some[1], none[1], rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(some[0], model(inputs)[0], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ('shared', 'units', 'pools'), [((True,) * 3, 1, 1), ((False,) * 3, 12, 2), ((False, True, False), 4, 2)]
)
def test_sharing(shared: tuple[bool, bool, bool], units: int, pools: int) -> None:
    names = ('share_directions', 'share_streams', 'share_layers')
    fusion = EMTFusion(WIDTHS, 8, depth=2, num_heads=2, **dict(zip(names, shared)))
    assert len({id(unit) for layer in fusion.units for stream in layer for unit in stream}) == units
    assert len({id(pool) for pool in fusion.pools}) == pools
    again = EMTFusion(WIDTHS, 8, depth=2, num_heads=2, **dict(zip(names, shared)))
    again.load_state_dict(fusion.state_dict())
    tokens = {name: torch.randn(2, 3, width) for name, width in WIDTHS.items()}
    assert torch.equal(again(tokens)['context'], fusion(tokens)['context'])


def test_special_tokens_are_set_apart() -> None:
    encoder = FeatureMLPEncoder(4, widths=(), has_special_tokens=True)
    clips = sequences(5, 3)['words']
    output = encoder(Padded.stack(clips))
    assert torch.equal(output.summary[:, 0], torch.stack([clip[0] for clip in clips]))
    assert output.padding.tolist() == [[False, False, False, True], [False, True, True, True]]
    assert torch.equal(output.tokens[0, :3], clips[0][1:4])
    assert encoder(clips[0].unsqueeze(0)).padding.tolist() == [[False, False, False, True]]


def test_vectors_are_dropped_at_the_rate() -> None:
    torch.manual_seed(0)
    objective = build(dict(missing_rate=dict(face=0.25, words=1.0))).objectives['dlfr']
    inputs = padded(400, 100)
    incomplete, dropped = objective.drop(inputs)
    assert set(dropped) == {'face', 'words'}
    assert torch.equal(incomplete['voice'].values, inputs['voice'].values)
    face, real = incomplete['face'].values, ~inputs['face'].padding
    assert torch.equal((face == 0).all(dim=-1), dropped['face'] | ~real)
    assert float(dropped['face'].sum() / real.sum()) == pytest.approx(0.25, abs=0.05)
    # the first and the last vector of the words stay
    assert dropped['words'].sum(dim=1).tolist() == [398, 98]
    assert not dropped['words'][:, 0].any()
    assert torch.equal(incomplete['words'].values[1, 99], inputs['words'].values[1, 99])


def test_dropped_words_become_the_unknown_one() -> None:
    objective = build(dict(missing_rate=1.0, unknown_id=7)).objectives['dlfr']
    ids = Padded.stack([torch.tensor([1, 20, 30, 2]), torch.tensor([1, 40, 2])])
    incomplete, _ = objective.drop(dict(words=ids))
    assert incomplete['words'].values.tolist() == [[1, 7, 7, 2], [1, 7, 2, 0]]


def test_losses_of_both_views() -> None:
    torch.manual_seed(0)
    model = build(dict(prediction_weight=2.0, attraction_weight=0.5))
    losses = model(padded(6, 5, 7), samples(3), mode='loss')
    names = {'loss_incomplete_dlfr', 'loss_attraction_dlfr', 'loss_reconstruction_dlfr'}
    assert set(losses) == names | {'loss_head'}
    assert -2 <= losses['loss_attraction_dlfr'] <= 2
    assert losses['loss_reconstruction_dlfr'] > 0
    sum(losses.values()).backward()
    assert [name for name, value in model.named_parameters() if value.grad is None] == []


def test_nothing_dropped_is_nothing_to_restore() -> None:
    model = build(dict(missing_rate=0.0)).eval()
    losses = model(padded(6, 5), samples(2), mode='loss')
    assert set(losses) == {'loss_head', 'loss_incomplete_dlfr', 'loss_attraction_dlfr'}
    assert losses['loss_incomplete_dlfr'] == losses['loss_head']
    prediction, target = torch.randn(2, 3, 4, requires_grad=True), torch.full((2, 3, 4), torch.nan)
    loss = restoration_loss(prediction, target, torch.zeros(2, 3, dtype=torch.bool))
    loss.backward()
    assert loss == 0
    assert torch.equal(prediction.grad, torch.zeros(2, 3, 4))


def test_attraction_is_least_for_equal_directions() -> None:
    x = torch.randn(4, 5)
    assert attraction_loss((x, 2 * x), (3 * x, x)) == pytest.approx(-1)
    assert attraction_loss((x, -x), (x, x)) == pytest.approx(0, abs=1e-6)


def test_wrong_options_are_refused() -> None:
    with pytest.raises(ValueError, match='needs two clips per batch; set drop_last=True'):
        build()(padded(4), samples(1), mode='loss')
    with pytest.raises(ValueError, match='missing_rate must be from 0 to 1, of the streams'):
        build(dict(missing_rate=dict(sound=0.5)))
    with pytest.raises(ValueError, match='element_loss must be one of'):
        build(dict(element_loss='huber'))
    with pytest.raises(ValueError, match='order must name each of the streams'):
        EMTFusion(WIDTHS, order=('face', 'voice'))
    encoders = {name: dict(type='FeatureMLPEncoder', in_channels=width, widths=(8,)) for name, width in WIDTHS.items()}
    head = dict(type='RegressionHead', num_outputs=1)
    with pytest.raises(ValueError, match='ContextAggregator needs a fusion with a context'):
        AudioVisualRecognizer(encoders, head, aggregator=dict(type='ContextAggregator'))
    with pytest.raises(ValueError, match='FeatureRestoration needs a fusion with a context'):
        AudioVisualRecognizer(
            encoders,
            head,
            aggregator=dict(type='StreamMLPAggregator'),
            objectives=dict(dlfr=dict(type='FeatureRestoration')),
        )
