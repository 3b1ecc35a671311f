"""merge_adapters writes whole checkpoints of plain layers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.config import Config
from torch import nn

from hicmae_mm.apis.backends import build_torch_model
from hicmae_mm.checkpoints.loading import read_checkpoint
from hicmae_mm.checkpoints.trained_parts import describe_base, keep_trained, trained_names
from hicmae_mm.config.plain_text import read_config_text
from hicmae_mm.registry import MODELS
from tests.export.conftest import tiny_config
from tests.models.tiny import build, inputs
from tests.test_tools.model_converters import run

pytest.importorskip('peft')
BOTTLENECK = dict(type='BottleneckAdapter', target='fusion', modules='proj', hidden_dims=2)


@pytest.fixture
def trained(tmp_path: Path) -> tuple[Config, Path, Path, nn.Module]:
    """A config, its file, trained parts, and the model that they are of."""
    lora = dict(type='LoRA', target='encoders', modules=r'attn\.(qkv|proj)', r=2)
    cfg = tiny_config(adapters=[lora, BOTTLENECK])
    cfg.dump(tmp_path / 'lora.py')
    model = build(cfg.model)
    torch.save(model.state_dict(), tmp_path / 'base.pth')
    for value in model.parameters():
        if value.requires_grad:
            nn.init.normal_(value, std=0.3)
    checkpoint: dict[str, Any] = dict(meta=dict(epoch=3), state_dict=model.state_dict())
    names = trained_names(model, model.state_dict())
    keep_trained(checkpoint, describe_base(model.state_dict(), names, [str(tmp_path / 'base.pth')]))
    torch.save(checkpoint, tmp_path / 'parts.pth')
    return cfg, tmp_path / 'lora.py', tmp_path / 'parts.pth', model.eval()


def test_a_merged_checkpoint_is_whole_and_computes_the_same(trained: Any, tmp_path: Path) -> None:
    cfg, config, parts, model = trained
    out = tmp_path / 'merged.safetensors'
    assert run('merge_adapters', config, parts, out) == 0
    merged = read_checkpoint(out, with_base=False)
    assert not [name for name in merged['state_dict'] if 'lora_' in name]
    assert merged['meta']['epoch'] == 3
    plain = read_config_text(merged['meta']['config'], str(out))
    assert [adapter['type'] for adapter in plain.model.adapters] == ['BottleneckAdapter']
    other = MODELS.build(plain.model).eval()
    other.load_state_dict(merged['state_dict'])
    expected = model(inputs())
    torch.testing.assert_close(other(inputs()), expected, atol=1e-5, rtol=1e-5)
    inferred = build_torch_model(cfg, str(parts), 'cpu')
    torch.testing.assert_close(inferred(inputs(), mode='tensor'), expected, atol=1e-5, rtol=1e-5)
    assert 'encoders.video.blocks.0.attn.qkv.lora_A.weight' not in inferred.state_dict()


def test_converters_to_other_names_ask_for_a_merged_one(
    trained: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    parts = trained[2]
    for arguments in (['mm_to_hicmae'], ['mm_to_published', 'svfap']):
        assert run(*arguments, parts, tmp_path / 'out.pth') == 1
        assert 'merge LoRA by tools/model_converters/merge_adapters.py first' in capsys.readouterr().err
    assert not (tmp_path / 'out.pth').exists()


def test_published_parts_stay_parts(trained: Any, tmp_path: Path) -> None:
    parts = trained[2]
    assert run('publish_model', parts, tmp_path / 'published.safetensors') == 0
    (published,) = tmp_path.glob('published-*.safetensors')
    assert published.stat().st_size < 0.5 * (tmp_path / 'base.pth').stat().st_size
    found, expected = read_checkpoint(published)['state_dict'], read_checkpoint(parts)['state_dict']
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], value) for name, value in expected.items())
