"""A project outside the package: its own fusion block, its own config, the package's tools."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from hicmae_mm.config.paths import configs_root, tools_root
from tests.engine.tiny_run import write_corpus
from tests.test_docs import ROOT, files_written_by


@pytest.mark.slow
def test_config_outside_the_package_trains_with_a_fusion_of_its_own(tmp_path: Path) -> None:
    """The worked example of docs/components.md, in another folder."""
    corpus = write_corpus(tmp_path / 'corpus')
    for name in ('train.csv', 'test.csv'):
        (corpus / name).write_text((corpus / 'clips.txt').read_text())
    written = files_written_by(ROOT / 'docs' / 'components.md')
    assert set(written) == {'my_project/gated_fusion.py', 'my_project/gated_nano.py'}
    (tmp_path / 'my_project').mkdir()
    for name, code in written.items():
        (tmp_path / name).write_text(code.replace('../configs', str(configs_root())))

    command = [sys.executable, str(tools_root() / 'train.py'), 'my_project/gated_nano.py', '--cfg-options']
    command += ['train_cfg.max_epochs=3', 'train_dataloader.batch_size=8', 'train_dataloader.num_workers=0']
    command += ['val_dataloader.num_workers=0', 'default_hooks.checkpoint.interval=3', 'model.fusion.bias=-3.0']
    path = os.pathsep.join([str(tmp_path), str(ROOT)])
    environment = os.environ | dict(PYTHONPATH=path, SYNTHETIC_ROOT=str(corpus), CUDA_VISIBLE_DEVICES='')
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]

    weights = torch.load(tmp_path / 'work_dirs/gated_nano/epoch_3.pth', weights_only=False)['state_dict']
    assert {name for name in weights if name.startswith('fusion.')} == {
        f'fusion.gates.{stream}.{kind}' for stream in ('video', 'audio') for kind in ('weight', 'bias')
    }
    bias = weights['fusion.gates.video.bias']
    assert (bias - -3.0).abs().max() > 0  # it was trained
    assert (bias - -3.0).abs().max() < 0.5  # from the value of the command line
