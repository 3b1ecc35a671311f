from __future__ import annotations

from typing import Any
from unittest.mock import patch

import pytest
import torch
import torch.nn.functional as F
from mmengine.config import Config
from torch import Tensor

from hicmae_mm.config.paths import configs_root
from hicmae_mm.measuring.model import ModelPlan, apply_variant
from hicmae_mm.measuring.published import STYLE, build_wrapper, synchronous_step, use_published_style
from hicmae_mm.measuring.random_batch import random_batch
from hicmae_mm.registry import MODELS

CPU = torch.device('cpu')
pytestmark = pytest.mark.usefixtures('hicmae_scope')


def build(stage: str) -> tuple[Any, Config]:
    cfg = Config.fromfile(configs_root() / f'hicmae_nano_{stage}synthetic.py')
    torch.manual_seed(0)
    return MODELS.build(cfg.model).eval(), cfg


def losses(model: Any, batch: dict[str, Any]) -> dict[str, Tensor]:
    return model(**model.data_preprocessor(batch), mode='loss')


def refuse(*_: object, **__: object) -> None:
    raise AssertionError('the kernel was called')


@pytest.mark.parametrize('stage', ['pretrain_', ''])
def test_losses_and_gradients_are_those_of_the_model(stage: str) -> None:
    plain, _ = build(stage)
    published, _ = build(stage)
    published.load_state_dict(plain.state_dict())
    use_published_style(published, STYLE)
    assert list(published.state_dict()) == list(plain.state_dict())
    batch = random_batch(plain, 2)
    gradients = []
    expected = losses(plain, batch)
    with patch.object(F, 'scaled_dot_product_attention', refuse):
        found = losses(published, batch)
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, rtol=1e-5, atol=1e-6)
    for model, values in ((plain, expected), (published, found)):
        sum(value for name, value in values.items() if 'loss' in name).backward()
        gradients.append({name: parameter.grad for name, parameter in model.named_parameters()})
    for name, gradient in gradients[0].items():
        torch.testing.assert_close(gradients[1][name], gradient, rtol=1e-3, atol=1e-5)


def test_discarded_work_is_done() -> None:
    model, _ = build('pretrain_')
    batch = random_batch(model, 1)
    rows: list[int] = []
    for encoder in model.encoders.values():
        encoder.patch_embed.proj.register_forward_hook(lambda *call: rows.append(call[2][:, 0].numel()))
    losses(model, batch)
    assert sorted(rows) == sorted(int((~mask).sum()) for mask in batch['masks'].values())  # the visible ones alone
    rows.clear()
    use_published_style(model, ['patches'])
    losses(model, batch)
    assert rows == [64, 64]


def test_a_step_reads_its_losses_and_moves_the_parameters_as_the_plain_one() -> None:
    steps = []
    for style in ((), ('sync', 'optimizer')):
        model, cfg = build('pretrain_')
        wrapper = build_wrapper(model, cfg.optim_wrapper, style, amp=False, device=CPU)
        assert bool(wrapper.optimizer.defaults['fused']) == ('optimizer' not in style)
        batch = random_batch(model, 2)
        logged = synchronous_step(model, batch, wrapper) if style else model.train_step(batch, wrapper)
        steps.append((model, logged))
    (plain, expected), (published, found) = steps
    assert all(type(value) is float for value in found.values())
    assert found.pop('grad_norm') > 0
    assert found == pytest.approx({name: float(value) for name, value in expected.items()}, rel=1e-5)
    for one, other in zip(plain.parameters(), published.parameters()):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)


def test_a_loss_that_is_not_finite_ends_the_step() -> None:
    model, cfg = build('')
    wrapper = build_wrapper(model, cfg.optim_wrapper, ('sync',), amp=False, device=CPU)
    torch.nn.init.constant_(model.head.fc.weight, torch.nan)
    with pytest.raises(FloatingPointError, match='not finite'):
        synchronous_step(model, random_batch(model, 2), wrapper)


def test_unknown_parts_and_missing_streams_are_refused() -> None:
    model, _ = build('')
    with pytest.raises(ValueError, match=r"unknown parts of the published style \['speed'\]"):
        use_published_style(model, ['speed'])
    use_published_style(model, ['attention'])
    tokens = torch.zeros(1, 2, 96)
    with pytest.raises(ValueError, match='knows no missing streams'):
        model.encoders['video'].blocks[0].attn(tokens, torch.zeros(1, 2, dtype=torch.bool))


def test_checkpointing_reaches_every_part_that_has_it() -> None:
    model, _ = build('')
    apply_variant(model, plan('checkpointing'))
    assert all(encoder.checkpoint_activations for encoder in model.encoders.values())
    with pytest.raises(ValueError, match='checkpoint_activations'):
        apply_variant(torch.nn.Linear(1, 1), plan('checkpointing'))  # type: ignore[arg-type]


def plan(variant: str) -> ModelPlan:
    return ModelPlan('train', 1, 1, 0, amp=False, device=CPU, variant=variant)


def test_style_of_a_variant() -> None:
    assert plan('plain').style == plan('compile').style == ()
    assert plan('baseline').style == tuple(STYLE)
    assert plan('patches').style == ('patches',)
