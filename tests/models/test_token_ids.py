"""The encoder of token ids."""

from __future__ import annotations

import pytest
import torch

from hicmae_mm.models import AudioVisualRecognizer
from hicmae_mm.models.encoders import TokenIdEncoder
from hicmae_mm.structures import Padded

LONG, SHORT = torch.tensor([4, 1, 3, 2]), torch.tensor([5])


@pytest.fixture
def encoder() -> TokenIdEncoder:
    torch.manual_seed(0)
    return TokenIdEncoder(num_ids=6, embed_dims=8, depth=2, num_heads=2, max_length=4).eval()


def test_order_of_words_counts_and_padding_does_not(encoder: TokenIdEncoder) -> None:
    together = encoder(Padded.stack([LONG, SHORT]))
    assert together.tokens.shape == (2, 4, 8)
    assert together.padding.tolist() == [[False] * 4, [False, True, True, True]]
    assert len(together.hidden) == encoder.depth
    alone = encoder(SHORT.unsqueeze(0))
    assert alone.padding is None
    torch.testing.assert_close(together.tokens[1, :1], alone.tokens[0])
    backwards = encoder(LONG.flip(0).unsqueeze(0)).tokens.flip(1)
    assert not torch.allclose(together.tokens[:1], backwards, atol=1e-2)


def test_depths_of_parameters(encoder: TokenIdEncoder) -> None:
    depths = {name.split('.')[0]: encoder.layer_id(name) for name, _ in encoder.named_parameters()}
    assert depths == dict(words=0, blocks=2, norm=None)


def test_a_model_of_words_learns_which_word_is_there() -> None:
    torch.manual_seed(0)
    model = AudioVisualRecognizer(
        dict(text=dict(type='TokenIdEncoder', num_ids=6, embed_dims=16, depth=1, num_heads=2)),
        dict(type='ClassificationHead', num_classes=2),
    )
    ids = torch.randint(6, (64, 4))
    labels = (ids == 3).any(dim=1).long()
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    for _ in range(60):
        loss = torch.nn.functional.cross_entropy(model(dict(text=ids)), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert (model(dict(text=ids)).argmax(dim=1) == labels).float().mean() > 0.95


def test_wrong_input_is_refused(encoder: TokenIdEncoder) -> None:
    with pytest.raises(ValueError, match='ids of a text lie in 2..6, TokenIdEncoder knows 0..5; set num_ids'):
        encoder(torch.tensor([[2, 6]]))
    with pytest.raises(ValueError, match='a text has 5 tokens, TokenIdEncoder takes 4'):
        encoder(torch.zeros(1, 5, dtype=torch.long))
    with pytest.raises(ValueError, match=r'expected token ids \(B, T\) of integers, got torch.float32 \(1, 3, 8\)'):
        encoder(torch.zeros(1, 3, 8))
    with pytest.raises(ValueError, match='takes no mask'):
        encoder(LONG.unsqueeze(0), torch.zeros(1, 4, dtype=torch.bool))
    with pytest.raises(ValueError, match='num_ids and max_length must be at least 1, got 0 and 4'):
        TokenIdEncoder(0, max_length=4)
