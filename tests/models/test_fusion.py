from __future__ import annotations

import pytest
import torch

from hicmae_mm.models.fusion import ConcatFusion, CrossModalFusion


@pytest.fixture
def tokens() -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    return {'video': torch.randn(2, 5, 8), 'audio': torch.randn(2, 3, 8)}


def test_cross_modal_updates_both_streams_from_the_previous_layer(tokens: dict[str, torch.Tensor]) -> None:
    fusion = CrossModalFusion(dict(video=8, audio=8), depth=2, num_heads=2)
    video, audio = tokens['video'], tokens['audio']
    for i in range(2):
        old = video
        video = fusion.blocks['video'][i](video, audio)
        audio = fusion.blocks['audio'][i](audio, old)
    fused = fusion(tokens)
    torch.testing.assert_close(fused['video'], fusion.norms['video'](video))
    torch.testing.assert_close(fused['audio'], fusion.norms['audio'](audio))


@pytest.mark.parametrize('cls', [CrossModalFusion, ConcatFusion])
def test_padding_changes_nothing(cls: type, tokens: dict[str, torch.Tensor]) -> None:
    fusion = cls(dict(video=8, audio=8), depth=2, num_heads=2)
    padded = {'video': tokens['video'], 'audio': torch.cat([tokens['audio'], torch.randn(2, 4, 8)], dim=1)}
    fused = fusion(padded, {'audio': torch.arange(7)[None].expand(2, -1) >= 3})
    expected = fusion(tokens)
    torch.testing.assert_close(fused['video'], expected['video'])
    torch.testing.assert_close(fused['audio'][:, :3], expected['audio'])


def test_concat_takes_any_number_of_streams(tokens: dict[str, torch.Tensor]) -> None:
    tokens['text'] = torch.randn(2, 4, 8)
    fused = ConcatFusion(dict.fromkeys(tokens, 8), depth=1, num_heads=2)(tokens)
    assert {name: tuple(part.shape) for name, part in fused.items()} == {
        'video': (2, 5, 8),
        'audio': (2, 3, 8),
        'text': (2, 4, 8),
    }


def test_cross_modal_needs_two_streams_of_one_width() -> None:
    with pytest.raises(ValueError, match=r"exactly two streams, got \['video'\]"):
        CrossModalFusion(dict(video=8))
    with pytest.raises(ValueError, match='streams of one width'):
        CrossModalFusion(dict(video=8, audio=16))


@pytest.mark.parametrize(('updated', 'other'), [('audio', 'video'), ('video', 'audio')])
def test_one_direction_updates_one_stream_and_passes_the_other(
    updated: str, other: str, tokens: dict[str, torch.Tensor]
) -> None:
    fusion = CrossModalFusion(dict(video=8, audio=8), depth=2, num_heads=2, updates=(updated,))
    x = tokens[updated]
    for block in fusion.blocks[updated]:
        x = block(x, tokens[other])
    fused = fusion(tokens)
    assert list(fused) == ['video', 'audio']
    torch.testing.assert_close(fused[updated], fusion.norms[updated](x))
    assert torch.equal(fused[other], tokens[other])
    assert {name.split('.')[1] for name, _ in fusion.named_parameters()} == {updated}
    padded = fusion(tokens, {other: torch.ones(2, tokens[other].shape[1], dtype=torch.bool)})
    alone = tokens[updated]
    for block in fusion.blocks[updated]:
        alone = super(type(block), block).forward(alone)  # the block without its cross-attention
    torch.testing.assert_close(padded[updated], fusion.norms[updated](alone))


def test_directions_are_checked() -> None:
    for updates in ((), ('text',)):
        with pytest.raises(ValueError, match=r"updates must be some of the streams \['video', 'audio'\]"):
            CrossModalFusion(dict(video=8, audio=8), updates=updates)
