"""Files of MMA-DFER's training script, with an object of that script in them, through the tools and back."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from hicmae_mm.checkpoints.loading import read_checkpoint
from hicmae_mm.checkpoints.systems import rules_of
from hicmae_mm.registry import MODELS
from tests.test_tools.model_converters import run, same

TINY = """
encoder = dict(type='PromptedViTEncoder', embed_dims=16, depth=2, num_heads=2, prompt_interval=1, num_prompts=2)
model = dict(
    type='ExchangeRecognizer',
    encoders=dict(
        video=dict(encoder, patch_embed=dict(type='ImageEmbed', image_size=32)),
        audio=dict(encoder, patch_embed=dict(type='SpectrogramEmbed', num_frames=32, num_mel_bins=32)),
    ),
    exchange=dict(type='GatedExchange', bottleneck=4),
    aggregator=dict(type='TemporalTransformerAggregator', out_channels=16, num_heads=2, head_dims=8, mlp_dims=16),
    head=dict(type='ClassificationHead', num_classes=3, norm=False),
)
"""


@pytest.fixture
def model(tmp_path: Path) -> nn.Module:
    (tmp_path / 'tiny.py').write_text(TINY)
    scope: dict[str, Any] = {}
    exec(TINY, scope)
    torch.manual_seed(0)
    built: nn.Module = MODELS.build(scope['model'])
    return built


@pytest.fixture
def source(model: nn.Module, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkpoint as the training script writes it; its class is gone when the file is read."""
    recorder = type('RecorderMeter', (), {'__module__': '__main__'})
    state = {f'module.{name}': value for name, value in rules_of('mma_dfer').to_published(model.state_dict()).items()}
    with monkeypatch.context() as patch:
        patch.setattr(sys.modules['__main__'], 'RecorderMeter', recorder, raising=False)
        instance = recorder()
        instance.total_epoch = 25
        content = dict(epoch=25, state_dict=state, best_acc=77.43, optimizer={}, recorder=instance)
        torch.save(content, tmp_path / 'published.pth')
    return tmp_path / 'published.pth'


def test_a_file_with_the_recorder_needs_trust(
    model: nn.Module, source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ours, theirs = tmp_path / 'ours.pth', tmp_path / 'theirs.pth'
    arguments = ('published_to_mm', 'mma_dfer', source, ours, '--config', tmp_path / 'tiny.py')
    assert run(*arguments) == 1
    assert 'asks for __main__.RecorderMeter' in capsys.readouterr().err
    assert run(*arguments, '--trust-source') == 0
    assert same(read_checkpoint(ours)['state_dict'], model.state_dict())
    assert run('mm_to_published', 'mma_dfer', ours, theirs) == 0
    written = torch.load(theirs, weights_only=True)['model']
    assert same(rules_of('mma_dfer').to_ours(written), model.state_dict())
    assert {name for name in written if 'fn.norm2' in name} == {
        f'temporal_net.temporal_transformer.layers.0.{part}.fn.norm2.{name}'
        for part in (0, 1)
        for name in ('weight', 'bias')
    }
