from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from hicmae_mm.models.layers import CrossAttention, SelfAttention
from hicmae_mm.registry import MODELS
from hicmae_mm.structures import Padded
from hicmae_mm.visualization.rollout import (
    AttentionRecorder,
    attend,
    roll_out,
    roll_out_model,
    roll_out_regions,
)
from tests.models.tiny import build, encoder_configs, inputs, recognizer_config


def rows_sum_to_one(shares: Tensor) -> bool:
    return bool((shares >= 0).all()) and torch.allclose(shares.sum(dim=-1), torch.ones(shares.shape[:-1]), atol=1e-5)


class Doubled(nn.Linear):
    """Stands for a layer with an adapter."""

    def forward(self, x: Tensor) -> Tensor:
        return 2 * super().forward(x)


@pytest.mark.parametrize('kind', [SelfAttention, CrossAttention])
def test_recorded_weights_are_those_that_the_layers_give(kind: type) -> None:
    torch.manual_seed(0)
    module = kind(8, 1).eval()
    for name in module.input_layers:
        setattr(module, name, Doubled(8, len(name) * 8, bias=False))
    given = [torch.randn(3, 5, 8), torch.randn(3, 4, 8)][: len(module.input_layers)]
    with torch.no_grad(), AttentionRecorder(module) as recorder:
        out = module(*given)
    values = module.heads(module.input_layers[-1], given[-1])[-1].squeeze(1)
    torch.testing.assert_close(module.proj(recorder.weights[''] @ values), out)
    assert 'attend' not in vars(module)  # the recorder leaves nothing behind


def test_two_layers_by_hand() -> None:
    first, second = torch.tensor([[0.0, 1.0], [0.0, 1.0]]), torch.tensor([[0.5, 0.5], [1.0, 0.0]])
    # half identity, half attention: [[.5, .5], [0, 1]] and [[.75, .25], [.5, .5]], multiplied
    torch.testing.assert_close(roll_out([first, second]), torch.tensor([[0.375, 0.625], [0.25, 0.75]]))


def test_region_tokens_by_hand() -> None:
    """Four tokens in two regions, {0, 2} and {1, 3}; one layer."""
    half = torch.full((2, 3, 3), 0.0)
    half[:, 0, 1] = half[:, 0, 2] = 0.5  # a region token attends to its two tokens alike
    half[:, 1, 1] = half[:, 2, 2] = 1.0  # the tokens to themselves
    layer = dict(local=half, inter=torch.tensor([[0.0, 1.0], [1.0, 0.0]]), interaction=torch.zeros(4, 2))
    layer['interaction'][:, 0] = 1.0  # everybody looks at the first region token
    shares = roll_out_regions([layer], torch.tensor([[0, 2], [1, 3]]))
    # region tokens after `local`: half learned, a quarter of each of their tokens; after `inter`: a quarter of each
    # region's learned token and an eighth of every token. A token then holds half of itself and half of that, and the
    # learned halves are taken out: (1/2 + 1/16) and three times 1/16, of 3/4
    expected = torch.full((4, 4), 1 / 12) + torch.eye(4) * 2 / 3
    torch.testing.assert_close(shares, expected)


def test_regions_are_composed_as_one_matrix_would() -> None:
    """Local, inter and interaction as matrices over all tokens and region tokens, multiplied one by one."""
    torch.manual_seed(0)
    regions, layers, shares = torch.tensor([[0, 3], [1, 4], [2, 5]]), [], torch.eye(9)
    for _ in range(3):
        local, inter, interaction = (torch.rand(shape).softmax(dim=-1) for shape in ((3, 3, 3), (3, 3), (6, 3)))
        layers.append(dict(local=local, inter=inter, interaction=interaction))
        whole = [torch.eye(9) for _ in range(3)]
        for r in range(3):
            members = torch.tensor([6 + r, *regions[r].tolist()])
            whole[0][members.unsqueeze(1), members] = local[r]
            whole[1][6 + r] = torch.cat([torch.zeros(6), inter[r]])
            for s in range(2):
                whole[2][regions[r, s]] = torch.cat([torch.zeros(6), interaction[2 * r + s]])
        halves = [0.5 * torch.eye(9) + 0.5 * step for step in whole]
        shares = halves[2] @ halves[1] @ halves[0] @ shares
    expected = shares[:6, :6] / shares[:6, :6].sum(dim=1, keepdim=True)
    found = roll_out_regions(layers, regions)
    torch.testing.assert_close(found, expected)
    assert rows_sum_to_one(found)
    batched = roll_out_regions([{k: torch.stack([v, v]) for k, v in layer.items()} for layer in layers], regions)
    torch.testing.assert_close(batched[1], expected)


def test_recording_changes_nothing_and_leaves_no_hook() -> None:
    model = build(recognizer_config()).eval()
    with torch.no_grad():
        before = model(inputs())
        with AttentionRecorder(model) as recorder:
            during = model(inputs())
    torch.testing.assert_close(before, during, rtol=0, atol=0)
    assert len(recorder.weights) == 3 + 3 + 2 * 2 * 2
    assert all(rows_sum_to_one(weights) for weights in recorder.weights.values())
    assert not any(module._forward_pre_hooks for module in model.modules())


@pytest.mark.parametrize('head_fusion', ['mean', 'max', 'min'])
def test_a_model_of_two_streams(head_fusion: str) -> None:
    model = build(recognizer_config()).eval()
    rollout = roll_out_model(model, inputs(), head_fusion)
    assert {name: tuple(shares.shape) for name, shares in rollout.encoders.items()} == {
        'video': (2, 8, 8),
        'audio': (2, 4, 4),
    }
    assert {name: tuple(shares.shape) for name, shares in rollout.crossed.items()} == {
        'video': (2, 8, 4),
        'audio': (2, 4, 8),
    }
    for shares in (*rollout.encoders.values(), *rollout.crossed.values()):
        assert rows_sum_to_one(shares)
    for parts in rollout.fused.values():
        assert rows_sum_to_one(torch.cat([parts['video'], parts['audio']], dim=-1))
    for name, size in (('video', 8), ('audio', 4)):
        maps = rollout.relevance(name)
        assert list(maps) == ['encoder', 'crossed', 'fused']
        for values in maps.values():
            assert values.shape == (2, size)
            torch.testing.assert_close(values.mean(dim=1), torch.ones(2))


def test_fusion_is_composed_layer_by_layer() -> None:
    model = build(recognizer_config()).eval()
    with torch.no_grad(), AttentionRecorder(model) as recorder:
        model(inputs())
    w, rollout = recorder.weights, roll_out_model(model, inputs())
    video = torch.cat([rollout.encoders['video'], torch.zeros(2, 8, 4)], dim=-1)
    audio = torch.cat([torch.zeros(2, 4, 8), rollout.encoders['audio']], dim=-1)
    for layer in range(2):  # both streams from the previous layer's values of the other
        new = []
        for name, own, other in (('video', video, audio), ('audio', audio, video)):
            x = attend(own, w[f'fusion.blocks.{name}.{layer}.cross_attn'], other)
            new.append(attend(x, w[f'fusion.blocks.{name}.{layer}.attn'], x))
        video, audio = new
    torch.testing.assert_close(rollout.fused['video']['audio'], video[..., 8:])
    torch.testing.assert_close(rollout.fused['audio']['video'], audio[..., :8])


def test_other_fusions() -> None:
    concat = build(recognizer_config(fusion=dict(type='ConcatFusion', depth=2, num_heads=2))).eval()
    rollout = roll_out_model(concat, inputs())
    assert rollout.crossed == {}
    for parts in rollout.fused.values():
        assert rows_sum_to_one(torch.cat([parts['video'], parts['audio']], dim=-1))
    one_way = build(recognizer_config(fusion=dict(type='CrossModalFusion', depth=2, num_heads=2, updates=['audio'])))
    rollout = roll_out_model(one_way.eval(), inputs())
    assert list(rollout.relevance('video')) == ['encoder', 'crossed', 'fused']
    assert list(rollout.relevance('audio')) == ['encoder', 'fused']
    torch.testing.assert_close(rollout.fused['video']['video'], rollout.encoders['video'])
    alone = build(recognizer_config('audio')).eval()
    assert list(roll_out_model(alone, {'audio': inputs()['audio']}).relevance('audio')) == ['encoder']


def test_what_cannot_be_rolled_out_is_named() -> None:
    model = build(recognizer_config()).eval()
    with pytest.raises(ValueError, match=r"lacks the streams \['audio'\]"):
        roll_out_model(model, {'video': inputs()['video']})
    with pytest.raises(ValueError, match="head_fusion must be one of .* got 'sum'"):
        AttentionRecorder(model, 'sum')
    model.encoders['audio'] = MODELS.build(encoder_configs()['audio']).patch_embed
    with pytest.raises(ValueError, match='attention of SpectrogramEmbed cannot be rolled out'):
        roll_out_model(model, inputs())


def test_padding_gets_no_weight() -> None:
    torch.manual_seed(0)
    module, x = SelfAttention(8, 2).eval(), torch.randn(2, 4, 8)
    padding = torch.tensor([[False, False, True, True], [True] * 4])
    with torch.no_grad(), AttentionRecorder(module) as recorder:
        module(x, padding)
        padded = recorder.weights['']
        module(x[:1, :2])
    torch.testing.assert_close(padded[:1, :2, :2], recorder.weights[''])
    assert not padded[0, :, 2:].any()
    assert rows_sum_to_one(padded)


def test_texts_are_rolled_out_one_length_at_a_time() -> None:
    words = Padded(torch.tensor([[1, 2, 3], [4, 5, 0]]), torch.tensor([3, 2]))
    text = dict(type='TokenIdEncoder', num_ids=7, embed_dims=8, num_heads=2, depth=2)
    model = build(recognizer_config('video') | dict(encoders=dict(text=text))).eval()
    with pytest.raises(ValueError, match='the clips differ in the length of text'):
        roll_out_model(model, dict(text=words))
    rollout = roll_out_model(model, dict(text=Padded(words.values[:1], words.lengths[:1])))
    assert rollout.relevance('text')['encoder'].shape == (1, 3)
    assert rows_sum_to_one(rollout.encoders['text'])
