from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from hicmae_mm.visualization.run_log import read_run_log


def write(path: Path, lines: list[dict]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text('\n'.join(json.dumps(line) for line in lines) + '\n')
    return path


def train(epoch: int, iteration: int, loss: float) -> dict:
    return {'lr': 1e-3, 'loss': loss, 'epoch': epoch, 'iter': iteration, 'step': iteration}


def test_positions_are_epochs(tmp_path: Path):
    # 10 iterations per epoch, logged every 4: the last two of each epoch are not
    lines = [train(epoch, 10 * (epoch - 1) + i, 1 / epoch) for epoch in (1, 2) for i in (4, 8)]
    log = read_run_log(write(tmp_path / 'run' / 'time' / 'vis_data' / 'time.json', [*lines, {'UAR': 0.5, 'step': 2}]))
    assert log.name == 'run'
    assert log.iters_per_epoch() == 10
    x, y = log.series('loss')
    np.testing.assert_allclose(x, [0.4, 0.8, 1.4, 1.8])
    np.testing.assert_allclose(y, [1, 1, 0.5, 0.5])
    assert [array.tolist() for array in log.series('UAR')] == [[2], [0.5]]
    assert log.val_keys == ['UAR']


def test_positions_are_iterations_where_no_epoch_is_counted(tmp_path: Path):
    lines = [{key: value for key, value in train(1, i, 0.1).items() if key != 'epoch'} for i in (5, 10)]
    assert read_run_log(write(tmp_path / 'log.json', lines)).series('loss')[0].tolist() == [5, 10]


def test_resumed_run_replaces_what_it_repeats(tmp_path: Path):
    write(tmp_path / 'a' / 'vis_data' / 'a.json', [train(1, 2, 1.0), train(2, 4, 9.0), {'UAR': 0.1, 'step': 2}])
    write(tmp_path / 'a' / 'vis_data' / 'scalars.json', [train(1, 2, 7.0)])
    write(tmp_path / 'b' / 'vis_data' / 'b.json', [train(2, 4, 0.5), train(3, 6, 0.2), {'UAR': 0.3, 'step': 2}])
    log = read_run_log(tmp_path)
    assert log.series('loss')[1].tolist() == [1.0, 0.5, 0.2]
    assert log.series('UAR')[1].tolist() == [0.3]


def test_bad_logs_are_named(tmp_path: Path):
    with pytest.raises(FileNotFoundError, match='no log at'):
        read_run_log(tmp_path)
    broken = tmp_path / 'broken.json'
    broken.write_text('{"lr": 1, "iter": 1}\n{"lr": \n')
    with pytest.raises(ValueError, match=r'broken\.json, line 2 is not JSON'):
        read_run_log(broken)
    with pytest.raises(ValueError, match=r"log has no key 'WAR'; it has lr, iter"):
        read_run_log(write(tmp_path / 'log.json', [{'lr': 1, 'iter': 1}])).series('WAR')
