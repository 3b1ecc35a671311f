from __future__ import annotations

import pytest
import torch

from hicmae_mm.models.decoders import HierarchicalDecoder, PlainDecoder
from hicmae_mm.structures import TokenMask

MASK = TokenMask.from_bool(torch.tensor([[True, False, True, False], [False, True, True, False]]))


def test_hierarchical_reads_the_deepest_skip_first() -> None:
    torch.manual_seed(0)
    decoder = HierarchicalDecoder(8, 5, 4, num_skips=2, embed_dims=12, depth=3, num_heads=2)
    visible, skips = torch.randn(2, 2, 8), [torch.randn(2, 2, 8), torch.randn(2, 2, 8)]
    table = decoder.positions[0]
    near = torch.stack([table[[1, 3]], table[[0, 3]]])
    far = torch.stack([table[[0, 2]], table[[1, 2]]])
    x = decoder.blocks[0](torch.cat([decoder.embed(visible) + near, decoder.mask_token + far], dim=1))
    x = decoder.blocks[1](x, decoder.embed(skips[1]) + near)
    x = decoder.blocks[2](x, decoder.embed(skips[0]) + near)
    expected = decoder.head(decoder.norm(x[:, 2:]))
    torch.testing.assert_close(decoder(visible, skips, MASK), expected)
    assert expected.shape == (2, 2, 5)


def test_plain_ignores_skips() -> None:
    decoder = PlainDecoder(8, 5, 4, embed_dims=12, depth=2, num_heads=2)
    visible = torch.randn(2, 2, 8)
    torch.testing.assert_close(decoder(visible, [torch.randn(2, 2, 8)], MASK), decoder(visible, [], MASK.mask))


def test_too_few_skips_are_refused() -> None:
    with pytest.raises(ValueError, match='depth 4 needs 3 skips, got 2'):
        HierarchicalDecoder(8, 5, 4, num_skips=2, embed_dims=12, depth=4, num_heads=2)
