from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tests.conftest import MediaFolder
from tests.test_demo.demos import load_demo

demo = load_demo('webcam_demo')


def test_a_file_in_place_of_the_camera(media: MediaFolder, weights: Path, capsys: pytest.CaptureFixture):
    arguments = ['--source', str(media.video(num_frames=75)), '--no-window', '--model', str(weights)]
    arguments += ['--face-cropper', 'none', '--window-seconds', '1', '--stride-seconds', '0.5']
    assert demo.main(arguments) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line['seconds'] for line in lines] == pytest.approx([1.0, 1.52, 2.04, 2.56], abs=0.05)
    assert all(line['streams'] == ['video', 'audio'] for line in lines)
    assert all(sum(line['scores'].values()) == pytest.approx(1, abs=1e-5) for line in lines)
    assert demo.main([*arguments, '--max-seconds', '1.2', '--streams', 'video', '--no-microphone']) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert json.loads(line)['streams'] == ['video']


def test_problems_end_in_one_line(
    media: MediaFolder, weights: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
):
    model = ['--model', str(weights), '--no-window']
    for arguments, message in (
        (['--camera', '77'], 'camera 77 cannot be opened'),
        (['--source', 'nowhere.mp4'], 'no such file'),
        (['--source', str(media.wav())], 'there are no pictures'),
        (['--source', str(media.video(num_frames=5)), '--window-seconds', 'inf'], 'must be a number'),
    ):
        assert demo.main([*model, *arguments]) == 1
        error = capsys.readouterr().err
        assert error.startswith('error: ')
        assert message in error


def test_a_microphone_needs_a_package(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, 'sounddevice', None)
    source = object.__new__(demo.LiveSource)
    with pytest.raises(ImportError, match='pip install sounddevice'):
        source._open_microphone()
