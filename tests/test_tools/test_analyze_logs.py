"""``analyze_logs.py``: curves, training time and the summary of runs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.test_tools.command import last_line, run_tool
from tests.test_tools.in_process import call, failure, picture_size

pytestmark = pytest.mark.usefixtures('elsewhere')
TOOL = 'analysis_tools/analyze_logs.py'


@pytest.fixture(scope='module')
def work_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Logs of a training of 3 epochs x 4 iterations that was resumed after the second."""
    root = tmp_path_factory.mktemp('runs') / 'mine'
    for time, epochs in (('20240101_000000', (1, 2)), ('20240101_010000', (2, 3))):
        lines = []
        for epoch in epochs:
            for iteration in (4 * epoch - 2, 4 * epoch):
                loss = 1 / iteration + (0.5 if time.endswith('000000') else 0)
                numbers = {'lr': 1e-3, 'loss': loss, 'time': 0.1 * epoch, 'data_time': 0.01, 'memory': 100}
                lines.append({**numbers, 'epoch': epoch, 'iter': iteration, 'step': iteration})
            lines.append({'UAR': 0.2 * epoch, 'WAR': 0.25 * epoch, 'data_time': 0.1, 'time': 0.2, 'step': epoch})
        log = root / time / 'vis_data' / f'{time}.json'
        log.parent.mkdir(parents=True)
        text = ''.join(json.dumps(line) + '\n' for line in lines)
        log.write_text(text)
        (log.parent / 'scalars.json').write_text(text)
    return root


def test_curves_of_a_work_folder(tmp_path: Path, work_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    call(TOOL, 'plot_curve', work_dir)
    assert capsys.readouterr().out.strip() == 'wrote curves.png'
    width, height = picture_size(tmp_path / 'curves.png')
    assert width > 2 * height


def test_curves_of_several_logs(tmp_path: Path, work_dir: Path) -> None:
    logs = sorted(work_dir.glob('*/vis_data/*.json'))
    assert len(logs) == 4
    options = [
        '--keys',
        'loss',
        'UAR',
        '--legend',
        'a',
        'b',
        'c',
        'd',
        '--title',
        'two runs',
        '--smooth',
        2,
        '--window-size',
        '8*3',
    ]
    call(TOOL, 'plot_curve', *logs, *options, '--out', 'made/curves.png')
    assert picture_size(tmp_path / 'made/curves.png') == (8 * 120, 3 * 120)


def test_training_time(work_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    call(TOOL, 'cal_train_time', work_dir)
    out = capsys.readouterr().out
    assert 'slowest epoch 3, average time is 0.3000 s/iter' in out
    assert 'fastest epoch 1, average time is 0.1000 s/iter' in out
    assert 'average iter time: 0.2000 s/iter' in out


def test_analyze_logs_names_what_is_wrong(work_dir: Path) -> None:
    assert failure(TOOL, 'plot_curve', 'absent').startswith('no log at absent')
    message = failure(TOOL, 'plot_curve', work_dir, '--keys', 'UAR', 'F2')
    assert message.startswith("mine has no key 'F2'; it has lr, loss,")
    message = failure(TOOL, 'plot_curve', work_dir, '--keys', 'UAR', '--legend', 'a', 'b')
    assert message == '--legend needs 1 logs x 1 keys names, got 2'
    assert failure(TOOL, 'summary', work_dir, '--keys', 'F2').startswith(
        "no run has logged 'F2'; they have UAR, WAR, lr"
    )
    assert failure(TOOL, 'summary', work_dir, '--sort', 'F2').startswith('--sort F2: expected one of UAR, WAR, run,')
    assert failure(TOOL, 'summary', 'absent').startswith('no log at absent')


def test_summary_of_runs(tmp_path: Path, work_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = tmp_path / 'other' / '20240301_000000' / 'vis_data' / 'log.json'
    other.parent.mkdir(parents=True)
    train = {'lr': 1e-3, 'loss': 0.5, 'time': 2.0, 'epoch': 1, 'iter': 1800, 'step': 1800}
    other.write_text(json.dumps(train) + '\n' + json.dumps({'UAR': 0.7, 'step': 1}) + '\n')
    call(TOOL, 'summary', work_dir, 'other', '--sort', 'UAR')
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(
        '| run | config | date | epochs | iterations | training time | best UAR (epoch) | last UAR |'
    )
    assert lines[2] == '| other |  | 2024-03-01 00:00 | 1 | 1800 | 1:00:00 | 0.7000 (1) | 0.7000 | - | - |'
    assert lines[3] == '| mine |  | 2024-01-01 00:00 | 3 | 12 | 0:00:02 | 0.6000 (3) | 0.6000 | 0.7500 (3) | 0.7500 |'
    call(TOOL, 'summary', work_dir.parent, '--format', 'csv', '--keys', 'UAR', '--out', 'made/runs.csv')
    head, row = (tmp_path / 'made/runs.csv').read_text().splitlines()
    assert head == 'run,config,date,epochs,iterations,train_seconds,best_UAR,best_at_UAR,last_UAR'
    assert row.startswith('mine,,2024-01-01 00:00,3,12,2.4')
    capsys.readouterr()
    call(TOOL, 'summary', work_dir, 'other', '--format', 'json', '--sort', 'date', '--keys', 'WAR')
    first, second = json.loads(capsys.readouterr().out)
    assert (first['run'], first['WAR']['best_at'], second['WAR']) == ('mine', 3.0, None)


@pytest.mark.parametrize('size', ['12', '0*3', 'a*b'])
def test_a_picture_has_width_and_height(work_dir: Path, size: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        call(TOOL, 'plot_curve', work_dir, '--window-size', size)
    assert f"expected width*height in inches, such as 12*7, got '{size}'" in capsys.readouterr().err


@pytest.mark.slow
def test_process_ends_with_one_line_and_an_error_code() -> None:
    result = run_tool(TOOL, 'plot_curve', 'absent', check=False)
    assert result.returncode == 1
    assert last_line(result).startswith('error: no log at absent')
    assert 'Traceback' not in result.stderr
