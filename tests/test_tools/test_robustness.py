"""``robustness.py`` as a command: the clips are told apart by colour and pitch, so that grey pictures must cost."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from tests.test_tools.command import last_line, run_tool

TOOL = 'analysis_tools/robustness.py'


@pytest.mark.slow
def test_degradations_are_tested_once_and_drawn(config_file: Path, tmp_path: Path) -> None:
    run_tool('train.py', config_file, '--work-dir', tmp_path / 'train')
    checkpoint, out = tmp_path / 'train' / 'epoch_2.pth', tmp_path / 'robustness'
    arguments = (
        config_file,
        checkpoint,
        '--out-dir',
        out,
        '--degradations',
        'occlusion',
        '--levels',
        0,
        1,
        '--jobs',
        2,
    )
    shown = run_tool(TOOL, *arguments, '--resamples', 200).stdout
    assert '| occlusion | 1 |' in shown
    clean, none, full = json.loads((out / 'robustness.json').read_text())
    assert (clean['degradation'], clean['level'], none['level'], full['level']) == ('clean', None, 0, 1)
    assert clean['UAR'] == none['UAR']
    assert full['UAR'][0] <= clean['UAR'][0]
    assert clean['UAR'][1] <= clean['UAR'][0] <= clean['UAR'][2]
    rows = list(csv.reader((out / 'robustness.csv').open()))
    assert rows[0] == ['degradation', 'level', 'clips', 'UAR', 'UAR low', 'UAR high']
    assert (out / 'robustness_UAR.png').stat().st_size > 5000
    again = run_tool(TOOL, *arguments, '--dry-run').stdout
    assert again.strip() == ''
    more = run_tool(TOOL, *arguments[:5], 'missing_audio', '--dry-run').stdout
    assert more.count('tools/test.py') == 5
    assert 'clean' not in more.replace(str(out), '')


@pytest.mark.slow
def test_what_a_config_cannot_get_is_named(config_file: Path, tmp_path: Path) -> None:
    (tmp_path / 'a.pth').touch()
    arguments = (config_file, tmp_path / 'a.pth', '--out-dir', tmp_path / 'out')
    result = run_tool(TOOL, *arguments, '--degradations', 'rain', check=False)
    assert result.returncode == 1
    assert "cannot be tested with ['rain']" in last_line(result)
    assert 'Traceback' not in result.stderr
    result = run_tool(TOOL, *arguments, '--levels', 1, check=False)
    assert result.returncode == 2
    assert '--levels needs exactly one name' in last_line(result)
    assert not (tmp_path / 'out').exists()
