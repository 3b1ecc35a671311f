"""Speech models of transformers as functions, from a folder alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from hicmae_mm import load_encoder
from tests.models.foreign.tiny_transformers import save

pytest.importorskip('transformers')
NOISE = np.random.default_rng(0).normal(0, 0.1, 4000).astype(np.float32)


def test_a_folder_is_an_encoder(tmp_path: Path) -> None:
    model = save('wav2vec2', tmp_path / 'speech').eval()
    found = load_encoder(tmp_path / 'speech', device='cpu')(NOISE, 16000)
    normed = torch.from_numpy((NOISE - NOISE.mean()) / np.sqrt(NOISE.var() + 1e-7))
    with torch.no_grad():
        expected = model(normed[None]).last_hidden_state[0]
    torch.testing.assert_close(found.frames, expected, atol=1e-5, rtol=0)
    torch.testing.assert_close(found.utterance, expected.mean(0), atol=1e-5, rtol=0)
    assert found.times[:2].tolist() == pytest.approx([0.0, 20 / 16000])  # strides 5 and 4
    assert len(found.layers) == 2


def test_other_kinds_need_a_config(tmp_path: Path) -> None:
    save('bert', tmp_path / 'words')
    with pytest.raises(ValueError, match="a model of the kind 'bert'; load_encoder reads folders of data2vec-audio"):
        load_encoder(tmp_path / 'words')
