from __future__ import annotations

import json
from pathlib import Path

import pytest

from hicmae_mm.visualization.run_log import read_run_log
from hicmae_mm.visualization.run_summary import default_measures, find_runs, lower_is_better, summarize


def run(root: Path, name: str, scores: list[float], key: str = 'UAR', time: str = '20240102_030405') -> Path:
    """A run of 3 iterations an epoch, the last of which are logged."""
    lines: list[dict] = []
    for epoch, score in enumerate(scores, start=1):
        lines.append(dict(lr=1e-3, loss=1 / epoch, time=0.5, epoch=epoch, iter=3 * epoch, step=3 * epoch))
        if key:
            lines.append({key: score, 'step': epoch})
    log = root / name / time / 'vis_data' / f'{time}.json'
    log.parent.mkdir(parents=True)
    log.write_text(''.join(json.dumps(line) + '\n' for line in lines))
    (root / name / 'nano.py').write_text('')
    return root / name


def test_facts_and_extremes(tmp_path: Path) -> None:
    path = run(tmp_path, 'first', [0.2, 0.6, 0.5])
    row = summarize(read_run_log(path), path, ['UAR', 'loss', 'MSE'])
    assert row == {
        'run': 'first',
        'config': 'nano',
        'date': '2024-01-02 03:04',
        'epochs': 3,
        'iterations': 9,
        'train_seconds': pytest.approx(4.5),
        'UAR': {'best': 0.6, 'best_at': 2.0, 'last': 0.5},
        'loss': {'best': pytest.approx(1 / 3), 'best_at': 3.0, 'last': pytest.approx(1 / 3)},
        'MSE': None,
    }
    (log,) = path.glob('*/vis_data/*.json')
    for other in (log, log.parents[1]):  # the file, and one start
        assert summarize(read_run_log(other), other, [])['config'] == 'nano'


def test_errors_are_best_when_low(tmp_path: Path) -> None:
    path = run(tmp_path, 'values', [0.2, 0.1, 0.5], 'MSE')
    assert summarize(read_run_log(path), path, ['MSE'])['MSE']['best'] == 0.1
    assert [key for key in ('UAR', 'RMSE', 'valence/MAE', 'loss_video', 'MER') if lower_is_better(key)] == [
        'RMSE',
        'valence/MAE',
        'loss_video',
    ]


def test_runs_below_a_folder(tmp_path: Path) -> None:
    first, second = run(tmp_path, 'a', [0.1]), run(tmp_path / 'fold', 'b', [0.2])
    run(tmp_path / 'twice', 'c', [0.3])
    run(tmp_path / 'again', 'c', [0.3])
    start = next(first.glob('*'))
    assert find_runs(first) == [first]
    assert find_runs(start) == [start]
    assert find_runs(tmp_path / 'fold') == [second]
    assert [path.relative_to(tmp_path).as_posix() for path in find_runs(tmp_path)] == [
        'a',
        'again/c',
        'fold/b',
        'twice/c',
    ]
    assert find_runs(tmp_path / 'absent') == [tmp_path / 'absent']


def test_measures_shown(tmp_path: Path) -> None:
    logs = [read_run_log(run(tmp_path, name, [0.5], key)) for name, key in (('a', 'UAR'), ('b', 'CCC'), ('c', ''))]
    assert default_measures(logs[:1]) == ['UAR']
    assert default_measures(logs) == ['UAR', 'CCC', 'loss']
