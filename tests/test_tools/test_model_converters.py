"""Published checkpoints become this package's, and nothing else does."""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from hicmae_mm.utils.published_keys import map_published_keys
from tests.parity.conftest import read_parity, seeded_weights

ROOT = Path(__file__).parents[2]
CONFIG = ROOT / 'configs' / 'hicmae_base_cremad.py'


def run(*args: object) -> subprocess.CompletedProcess:
    tool = ROOT / 'tools' / 'model_converters' / 'hicmae_to_mm.py'
    return subprocess.run([sys.executable, tool, *map(str, args)], capture_output=True, text=True)


@pytest.fixture(scope='module')
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint as the published trainer wrote it."""
    meta, _ = read_parity(ROOT / 'tests' / 'parity' / 'data' / 'finetune_base_seeded.safetensors')
    path = tmp_path_factory.mktemp('published') / 'checkpoint-best.pth'
    torch.save({'model': seeded_weights(meta), 'epoch': 49, 'args': argparse.Namespace(lr=1e-3)}, path)
    return path


@pytest.mark.slow
def test_a_published_checkpoint_fits_the_base_config(published: Path, tmp_path: Path) -> None:
    out = tmp_path / 'converted.pth'
    result = run(published, out, '--config', CONFIG)
    assert result.returncode == 0, result.stderr
    converted = torch.load(out, weights_only=True)
    assert len(converted['meta']['source_sha256']) == 64
    with torch.serialization.safe_globals([argparse.Namespace]):
        expected = map_published_keys(torch.load(published, weights_only=True)['model'])
    assert converted['state_dict'].keys() == expected.keys()
    assert all(torch.equal(value, expected[key]) for key, value in converted['state_dict'].items())


@pytest.mark.slow
def test_a_checkpoint_of_another_model_is_refused(tmp_path: Path) -> None:
    for content, message in (
        ({'model': {'layer4.0.conv1.weight': torch.zeros(1)}}, 'not a published HiCMAE checkpoint'),
        ({'model': {'head.bias': torch.zeros(5)}}, 'the checkpoint does not fit the model'),
    ):
        source = tmp_path / 'wrong.pth'
        torch.save(content, source)
        result = run(source, tmp_path / 'out.pth', '--config', CONFIG)
        assert result.returncode == 1
        assert message in result.stderr
        assert 'Traceback' not in result.stderr
        assert not (tmp_path / 'out.pth').exists()


@pytest.mark.slow
def test_a_missing_file_is_named(tmp_path: Path) -> None:
    result = run(tmp_path / 'nothing.pth', tmp_path / 'out.pth')
    assert result.returncode == 1
    assert 'nothing.pth' in result.stderr
