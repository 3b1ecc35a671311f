from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import cv2
import pytest

from tests.test_tools.command import run_tool

STEPS = 13


def _quickstart(folder: Path, *arguments: str) -> str:
    places = ('--work-dir', folder / 'work', '--data-root', folder / 'media')
    result = run_tool('quickstart.sh', '--tiny', *places, *arguments, HICMAE_VENV=sys.prefix)
    return result.stdout


@pytest.mark.slow
def test_tiny_quickstart_runs_all_its_commands_and_a_rerun_none(tmp_path: Path) -> None:
    output = _quickstart(tmp_path)
    assert output.count('$ SYNTHETIC_ROOT=') == STEPS
    for tool in ('make_synthetic', 'train', 'test', 'vis_reconstruction', 'confusion_matrix', 'analyze_logs'):
        assert f'{tool}.py' in output
    work_dir = tmp_path / 'work'
    summary = json.loads((work_dir / 'summary.json').read_text())
    names = ['A+V, pre-trained', 'A, pre-trained', 'V, pre-trained', 'A+V, from scratch', 'chance']
    assert list(summary['UAR']) == names
    assert all(name in output and f'| {name} |' in (work_dir / 'summary.md').read_text() for name in names)
    assert re.search(r'^ *test_audio \| .*UAR', output, re.M)  # lines of steps side by side carry their names
    assert all(0 <= score <= 1 for score in summary['UAR'].values())
    assert len(summary['seconds']) == STEPS
    # side by side they take less than one after the other, but no less than the longest chain
    chain = sum(summary['seconds'][name] for name in ('media', 'pretrain', 'audio_video', 'test_audio_video'))
    assert chain - 1 < summary['total_seconds'] < sum(summary['seconds'].values())
    for picture in ('confusion_matrix.png', 'curves.png', 'overview.png'):
        assert cv2.imread(str(work_dir / 'pictures' / picture)).std() > 10
    assert len(list((work_dir / 'pictures' / 'reconstruction').glob('*.png'))) == 4

    rerun = _quickstart(tmp_path)
    assert rerun.count('finished before') == STEPS
    assert '$ SYNTHETIC_ROOT=' not in rerun
    assert json.loads((work_dir / 'summary.json').read_text()) == summary

    # a run that was cut short does what is missing, and nothing else
    (work_dir / 'finished' / 'test_audio.json').unlink()
    continued = _quickstart(tmp_path)
    assert continued.count('finished before') == STEPS - 1
    assert continued.count('$ SYNTHETIC_ROOT=') == 1

    # a step whose command has changed is done again, and so is what needs it
    mark = work_dir / 'finished' / 'video.json'
    mark.write_text(json.dumps(json.loads(mark.read_text()) | {'identity': {'command': 'another one'}}))
    changed = _quickstart(tmp_path, '--jobs', '1')
    again = ['train.py configs/hicmae_nano_video', 'test.py configs/hicmae_nano_video', 'analyze_logs.py']
    assert changed.count('finished before') == STEPS - len(again)
    commands = [line for line in changed.splitlines() if line.startswith('$ SYNTHETIC_ROOT=')]
    assert len(commands) == len(again)
    assert all(part in command for part, command in zip(again, commands))
