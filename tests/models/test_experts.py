"""Experts beside an MLP: capacity, noise, use in a model. Their numbers are compared in tests/parity/test_s4d.py."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from hicmae_mm.models.encoders.experts import ExpertMixture, NoisyTopKRouter
from tests.models import tiny
from tests.models.test_encoder_abilities import ENCODERS
from tests.models.test_models import clips


def mixture(**options: Any) -> ExpertMixture:
    torch.manual_seed(0)
    built = ExpertMixture(8, num_experts=4, top_k=2, **options)
    nn.init.normal_(built.router.logits.weight)
    return built


def test_an_expert_takes_the_first_tokens_only_while_training() -> None:
    module, x = mixture(capacity_factor=0.5, noise='never'), torch.randn(2, 6, 8)
    whole = module.eval()(x)[0]
    capacity = int(12 * 2 / 4 * 0.5)
    chosen = module.router(x).chosen.flatten(0, 1)  # (B * N, k)
    taken = torch.zeros(12, 4, dtype=torch.bool)
    for expert in range(4):
        taken[(chosen == expert).any(dim=1).nonzero().flatten()[:capacity], expert] = True
    scores = module.router(x).scores.flatten(0, 1) * taken
    expected = sum(scores[:, i : i + 1] * expert(x.flatten(0, 1)) for i, expert in enumerate(module.experts))
    cut = module.train()(x)[0].flatten(0, 1)
    torch.testing.assert_close(cut, expected, atol=1e-6, rtol=1e-5)
    assert not torch.allclose(cut, whole.flatten(0, 1))
    torch.testing.assert_close(module.eval()(x[1:])[0], whole[1:])  # independent of the rest of the batch


@pytest.mark.parametrize(('noise', 'training', 'evaluation'), [('training', 1, 0), ('always', 1, 1), ('never', 0, 0)])
def test_when_noise_is_added(noise: str, training: bool, evaluation: bool) -> None:
    router, x = mixture(noise=noise).router, torch.randn(1, 50, 8)
    for mode, is_noisy in ((True, training), (False, evaluation)):
        router.train(mode)
        assert torch.equal(router(x).scores, router(x).scores) is not bool(is_noisy)


def test_wrong_options_are_refused() -> None:
    with pytest.raises(ValueError, match='top_k=5 must lie in 1..4'):
        NoisyTopKRouter(8, 4, 5)
    with pytest.raises(ValueError, match="noise must be one of .*, got 'sometimes'"):
        NoisyTopKRouter(8, 4, 2, 'sometimes')
    with pytest.raises(ValueError, match='expert_layers=.3,., but the encoder has the blocks 0..1'):
        tiny.build(dict(ENCODERS['ExpertViTEncoder'], expert_layers=(3,)))


def recognizer(**options: Any) -> nn.Module:
    config = tiny.recognizer_config('video', **options)
    config['encoders'] = dict(video=dict(ENCODERS['ExpertViTEncoder']))
    return tiny.build(config)


def test_the_balance_is_an_objective() -> None:
    model = recognizer(objectives=dict(balance=dict(type='ExpertBalance', loss_weight=2.0)))
    torch.manual_seed(0)
    losses = model({'video': tiny.inputs()['video']}, clips(0, 1), mode='loss')
    torch.manual_seed(0)
    balance = model.encoders['video'](tiny.inputs()['video']).auxiliary['balance']
    torch.testing.assert_close(losses['loss_balance'], 2 * balance)
    plain = tiny.build(tiny.recognizer_config(objectives=dict(balance=dict(type='ExpertBalance'))))
    with pytest.raises(ValueError, match='ExpertBalance needs an encoder with experts'):
        plain(tiny.inputs(), clips(0, 1), mode='loss')


def test_a_head_with_ignore_leaves_out_clips_that_lack_its_target() -> None:
    head = tiny.build(dict(type='ClassificationHead', in_channels=4, num_classes=3, target='expression', ignore=-1))
    features, samples = torch.randn(3, 4), clips(0, 1, 2)
    for number in (0, 2):
        samples[number].set_metainfo(dict(left_out=('expression',)))
    samples[1].set_target('expression', 2)
    expected = nn.functional.cross_entropy(head(features[1:2]), torch.tensor([2]))
    torch.testing.assert_close(head.loss(features, samples)['loss'], expected)
    assert head.loss(features[:1], samples[:1])['loss'] == 0
    labelled = tiny.build(dict(type='ClassificationHead', in_channels=4, num_classes=3, ignore=-1, init_scale=1.0))
    expected = nn.functional.cross_entropy(labelled(features), torch.arange(3))
    torch.testing.assert_close(labelled.loss(features, samples)['loss'], expected)
