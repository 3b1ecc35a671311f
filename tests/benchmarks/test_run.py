from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import run
from benchmarks.jobs import JOBS, ROOT, Job, Size, run_job
from tests.benchmarks.results import RESULTS
from tests.test_tools.modules import load_tool

GOOD = "import sys; open(sys.argv[-1], 'w').write('{\"two\": 2.5}')"


def script(name: str, code: str) -> Job:
    return Job(name, ('-c', code))


@pytest.mark.parametrize('is_quick', [False, True])
def test_commands_are_understood(is_quick: bool) -> None:
    tool = load_tool('analysis_tools/benchmark.py')
    for part, jobs in JOBS.items():
        found = list(jobs(Size(is_quick, 2)))
        assert len({job.name for job in found}) == len(found) > 0, part
        for job in found:
            assert (ROOT / job.command[0]).is_file(), job.line
            if job.command[0] == 'tools/analysis_tools/benchmark.py':
                args = tool.parse_args([*job.command[1:], '--json', 'numbers.json'])
                assert (ROOT / args.config[0]).is_file()


def test_a_job_that_fails_gives_its_last_line() -> None:
    report = run_job(script('bad', "raise SystemExit('error: no such thing')"))
    assert report['error'] == 'error: no such thing'
    assert run_job(script('silent', ''))['error'] == 'ended with 0 and without a word'
    assert run_job(script('good', GOOD))['result'] == {'two': 2.5}


def test_a_failure_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    monkeypatch.setitem(JOBS, 'ranks', lambda size: [script('bad', 'raise SystemExit(3)')])
    monkeypatch.setitem(JOBS, 'export', lambda size: [script('worse', 'raise SystemExit(4)'), script('good', GOOD)])
    (tmp_path / 'results.json').write_text(json.dumps({'quickstart': RESULTS['quickstart']}))
    assert run.main(['--only', 'ranks,export', '--out', str(tmp_path)]) == 1
    results = json.loads((tmp_path / 'results.json').read_text())
    assert list(results) == ['ranks', 'export', 'quickstart']
    assert results['quickstart'] == RESULTS['quickstart']
    assert results['ranks']['jobs']['bad']['error'] == 'ended with 3 and without a word'
    assert results['export']['jobs']['worse']['error'] == 'ended with 4 and without a word'
    assert results['export']['jobs']['good']['result'] == {'two': 2.5}
    out = capsys.readouterr().out
    assert 'FAILED: ended with 3' in out
    assert '| two | 2.5 |' in out
    assert out.splitlines()[-1].endswith('; failed: ranks, bad; export, worse')


def test_numbers_of_a_gpu_are_not_lost_on_a_machine_without_one() -> None:
    measured, absent = {'jobs': {'a': 1}}, {'jobs': {}, 'not_measured': 'no GPU'}
    assert run.keeps_older(measured, absent)
    assert not run.keeps_older(absent, absent)
    assert not run.keeps_older(None, absent)
    assert not run.keeps_older(absent, measured)


def test_what_is_wrong_is_named(tmp_path: Path, capsys) -> None:
    for arguments, message in (
        (['--only', 'model,speed'], '--only knows model,data,'),
        (['--quick'], '--quick needs --out FOLDER'),
        (['--threads', '0'], '--threads must be at least 1, got 0'),
    ):
        with pytest.raises(SystemExit):
            run.main(arguments)
        assert message in capsys.readouterr().err
    assert run.main(['--tables', '--out', str(tmp_path)]) == 1
    assert capsys.readouterr().err.startswith('error: ')


@pytest.mark.slow
def test_quick_run(tmp_path: Path) -> None:
    command = [sys.executable, 'benchmarks/run.py', '--quick', '--only', 'model,data,lists', '--out', str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    results = json.loads((tmp_path / 'results.json').read_text())
    plain, style = results['model']['jobs']['pretrain']['result']
    assert (plain['variant'], style['variant']) == ('plain', 'baseline')
    assert style['ratio']['seconds_per_iter'] == pytest.approx(style['seconds_per_iter'] / plain['seconds_per_iter'])
    assert results['data']['jobs']['finetune']['result']['megabytes_per_clip'] > 0.01
    assert results['lists']['jobs']['lists']['result']['clips'] == 2000
    assert (tmp_path / 'model.png').is_file()
    assert (tmp_path / 'data.png').is_file()
    assert '| fine-tuning, 256x256 JPEG and wav |' in done.stdout
