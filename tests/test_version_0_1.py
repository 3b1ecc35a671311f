"""Files that version 0.1 wrote: lists, shards, a checkpoint, a config and the fusion block of its documentation.

``tests/data/version_0_1/expected.json`` has what version 0.1 predicted with them, and some of the weights after it
trained one more epoch.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.config import Config

from hicmae_mm.engine import build_runner
from hicmae_mm.registry import MODELS

OLD = Path(__file__).parent / 'data' / 'version_0_1'
EXPECTED = json.loads((OLD / 'expected.json').read_text())


@pytest.fixture
def old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy of the files, whose plug-in can be imported."""
    folder = tmp_path / 'old'
    shutil.copytree(OLD, folder)
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setenv('OLD_DATA', str(folder))
    yield folder
    sys.modules.pop('old_gated_fusion', None)
    MODELS.module_dict.pop('GatedFusion', None)


def _runner(old: Path, name: str, **overrides: Any) -> Any:
    cfg = Config.fromfile(old / 'old_config.py')
    cfg.merge_from_dict(overrides)
    cfg.work_dir, cfg.experiment_name = str(old.parent / name), f'{old.parent.name}_{name}'
    return build_runner(cfg)


SOURCES = {
    'list': {},
    'json': {'test_dataloader.dataset.ann_file': 'list.json'},
    'shards': {
        'test_dataloader.dataset.type': 'AudioVisualShards',
        'test_dataloader.dataset.ann_file': 'shards/index.json',
    },
}


@pytest.mark.parametrize('source', SOURCES)
def test_predictions_are_those_of_version_0_1(old: Path, source: str) -> None:
    runner = _runner(old, source, load_from=str(old / 'epoch_2.pth'), **SOURCES[source])
    runner.load_or_resume()
    runner.model.eval()
    predicted = {}
    for batch in runner.test_loop.dataloader:
        predicted.update({sample.sample_id: sample.pred_score for sample in runner.model.test_step(batch)})
    expected = {name: torch.tensor(score) for name, score in EXPECTED[source].items()}
    assert list(predicted) == list(expected)
    for name, score in expected.items():
        torch.testing.assert_close(predicted[name], score, rtol=0, atol=1e-4)  # decoders round differently


def test_a_training_of_version_0_1_goes_on(old: Path) -> None:
    (old.parent / 'resumed').mkdir()
    runner = _runner(old, 'resumed', load_from=str(old / 'epoch_2.pth'), resume=True)
    runner.train()
    assert runner.epoch == 3
    before = torch.load(old / 'epoch_2.pth', weights_only=False)['state_dict']
    after = runner.model.state_dict()
    for name, values in EXPECTED['epoch_3'].items():
        expected = torch.tensor(values)
        step = float((before[name].flatten() - expected).norm())
        assert float((after[name].flatten() - expected).norm()) < 0.1 * step, name
