"""Objectives, the keys of losses, and weights of foreign modules."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from hicmae_mm.models import AudioVisualPretrainer, AudioVisualRecognizer
from hicmae_mm.models.encoders import EncoderOutput, ForeignEncoder
from hicmae_mm.models.objectives import BaseObjective, Pass
from hicmae_mm.models.objectives.base import join_losses
from hicmae_mm.structures import EmotionDataSample
from tests.models.tiny import inputs, masks, pretrainer_config, recognizer_config


class SecondView(BaseObjective):
    """Compares the features of a clip with those of its brightened view."""

    def loss(self, this: Pass) -> dict[str, Tensor]:
        other = this.run({**this.inputs, 'video': this.inputs['video'] + 1})
        distance = (this.features - other.features).square().mean()
        return {'loss': distance, 'distance': distance.detach()}


def samples() -> list[EmotionDataSample]:
    return [EmotionDataSample().set_gt_label(number) for number in (0, 2)]


def test_an_objective_looks_at_a_second_view_of_a_recognizer() -> None:
    torch.manual_seed(0)
    cfg = {**recognizer_config(), 'objectives': dict(view=SecondView(loss_weight=0.5))}
    cfg.pop('type')
    model = AudioVisualRecognizer(**cfg).eval()
    losses = model(inputs(), samples(), mode='loss')
    assert set(losses) == {'loss_head', 'loss_view', 'distance_view'}
    torch.testing.assert_close(losses['loss_view'], 0.5 * losses['distance_view'])
    assert losses['loss_view'] > 0
    total, log = model.parse_losses(losses)
    assert log['loss'] == total == losses['loss_head'] + losses['loss_view']


def test_contrast_as_objective_equals_the_slot_of_the_pretrainer() -> None:
    torch.manual_seed(0)
    loss = dict(type='InfoNCELoss', temperature=0.07, loss_weight=0.25)
    slot = pretrainer_config(contrastive=dict(type='HierarchicalContrastiveHead', layers=(0, 2), loss=loss))
    objective = dict(type='HierarchicalContrast', layers=(0, 2), loss=loss, loss_weight=1.0)
    models = []
    for cfg in (slot, {**slot, 'contrastive': None, 'objectives': dict(contrastive=objective)}):
        cfg = {key: value for key, value in cfg.items() if key != 'type'}
        models.append(AudioVisualPretrainer(**cfg).eval())
    models[1].load_state_dict(models[0].state_dict())
    first, second = (model(inputs(), masks=masks(), mode='loss') for model in models)
    assert first.keys() == second.keys() == {'loss_video', 'loss_audio', 'loss_contrastive'}
    assert all(first[key].equal(second[key]) for key in first)


def test_keys_of_losses_do_not_collide() -> None:
    one, ten = torch.tensor(1.0), torch.tensor(10.0)
    assert join_losses({'loss': one}, {}) == {'loss': one}
    assert join_losses({'loss': one}, {'loss_view': ten}) == {'loss_head': one, 'loss_view': ten}
    assert join_losses({'loss': one, 'loss_aux': ten}, {}) == {'loss_head': one, 'loss_aux': ten}
    with pytest.raises(ValueError, match=r"two losses have the key \['loss_view'\]"):
        join_losses({'loss_view': one}, {'loss_view': ten})


class Foreign(nn.Module):
    """A module of another library, with the method that MMEngine would call."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.blocks = nn.Linear(4, 16), nn.ModuleList([nn.Linear(16, 16)])

    def init_weights(self) -> None:
        for parameter in self.parameters():
            nn.init.zeros_(parameter)

    def forward(self, x: Tensor) -> Tensor:
        return self.blocks[0](self.embed(x))


class ForeignTokens(ForeignEncoder):
    embed_dims, depth = 16, 1

    def forward(self, x: Tensor, mask: Tensor | None = None) -> EncoderOutput:
        tokens = self.net(x)
        return EncoderOutput(tokens, (tokens,))


def test_foreign_modules_keep_the_weights_that_they_loaded() -> None:
    torch.manual_seed(0)
    encoder = ForeignTokens(Foreign(), layer_pattern=r'blocks\.(\d+)\.')
    head = dict(type='ClassificationHead', num_classes=3)
    model = AudioVisualRecognizer(dict(audio=encoder), head, aggregator=dict(type='MeanPoolAggregator'))
    before = {name: value.clone() for name, value in encoder.state_dict().items()}
    model.init_weights()
    assert all(value.equal(before[name]) and value.abs().sum() > 0 for name, value in encoder.state_dict().items())
    assert [encoder.layer_id(f'net.{name}') for name in ('embed.weight', 'blocks.0.bias', 'norm.weight')] == [
        0,
        1,
        None,
    ]
    assert model(dict(audio=torch.randn(2, 5, 4))).shape == (2, 3)
