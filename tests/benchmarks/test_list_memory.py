"""benchmarks/list_memory.py on a short list: every number is there, and makes sense."""

from __future__ import annotations

import json
import runpy
from collections.abc import Callable
from pathlib import Path

import pytest

PROGRAM = Path(__file__).resolve().parents[2] / 'benchmarks' / 'list_memory.py'


@pytest.fixture(scope='module')
def main() -> Callable[[list[str]], int]:
    return runpy.run_path(str(PROGRAM))['main']


def test_numbers_of_a_list(
    main: Callable[[list[str]], int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / 'numbers.json'
    assert main(['--lines', '40000', '--touch', '2000', '--json', str(out)]) == 0
    found = json.loads(out.read_text())
    assert found['clips'] == 40000
    assert 2 < found['list_mib'] < 4
    assert 0 < found['open_seconds']['cpu'] < 2
    assert found['main_peak_extra'] < 40  # the file, 16 bytes a line, and what Python takes
    assert found['main_after']['private'] <= found['main_after']['resident']
    assert len(found['workers']) == 2
    for worker in found['workers']:
        assert abs(worker['growth']) < 8
        assert worker['private'] < worker['resident']
    text = capsys.readouterr().out
    assert text.startswith('40000 clips, ')
    assert text.count('after 2000 samples') == 2


def test_given_list_and_mistakes(
    main: Callable[[list[str]], int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(tmp_path / 'none.csv')]) == 1
    assert capsys.readouterr().err.startswith('error: annotation file ')
    (tmp_path / 'list.csv').write_text('a b 0\nlonely\n')
    assert main([str(tmp_path / 'list.csv')]) == 1
    assert 'list.csv, line 2: expected' in capsys.readouterr().err
