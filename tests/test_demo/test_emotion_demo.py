from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import av
import pytest

from tests.conftest import MediaFolder
from tests.test_demo.demos import DEMO, load_demo

demo = load_demo('emotion_demo')


def test_a_folder_of_clips(media: MediaFolder, weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture):
    (media.root / 'clips').mkdir()
    media.video('clips/talk.mp4', num_frames=60)
    media.truncated(media.video('clips/other.mp4', num_frames=60))
    media.wav('clips/voice.wav')
    out = tmp_path / 'out'
    code = demo.main(
        [str(media.root / 'clips'), '--out', str(out), '--model', str(weights), '--face-cropper', 'none',
         '--window-seconds', '1', '--missing-streams', 'zero']
    )  # fmt: skip
    printed = capsys.readouterr()
    assert code == 1  # one of the clips is broken
    assert printed.err.startswith('error: ')
    assert 'truncated' in printed.err
    assert {path.name for path in out.iterdir()} == {
        *(f'{name}.{kind}' for name in ('talk', 'other') for kind in ('csv', 'json', 'mp4', 'png')),
        *(f'voice.{kind}' for kind in ('csv', 'json', 'png')),
        'truncated_other.json',
    }
    result = json.loads((out / 'talk.json').read_text())
    assert f'talk.mp4: {result["label"]} {result["scores"][result["label"]]:.0%}' in printed.out
    with (out / 'talk.csv').open() as file:
        rows = list(csv.DictReader(file))
    assert [float(row['start_seconds']) for row in rows] == [w['start_seconds'] for w in result['windows']]
    assert [float(row['high']) for row in rows] == [w['scores']['high'] for w in result['windows']]
    with av.open(str(out / 'talk.mp4')) as container:
        assert container.streams.video[0].frames == 60


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['nowhere.mp4'], 'nowhere.mp4: no such file or folder'),
        (['{clip}', '--model', 'nowhere.pth'], 'nowhere.pth: no such file or folder'),
        (['{clip}', '--model', 'hicmae_base_cremad'], 'no weights of hicmae_base_cremad are published'),
        (['{clip}', '--model', '{weights}', '--window-seconds', '-1'], 'window_seconds must be above 0, got -1.0'),
        (['{clip}', '--model', '{weights}', '--backend', 'onnxruntime'], 'model.json does not exist'),
        (['{clip}', '--model', '{weights}', '--face-cropper', 'none', '--out', '{folder}'], 'itself'),
        (['{clip}', '--model', '{weights}', '--face-cropper', 'Haar'], "or one of ['HaarCascade'"),
        (
            ['{clip}', '--model', '{weights}', '--face-cropper-options', 'model=absent.onnx'],
            'absent.onnx does not',
        ),
        (
            ['{clip}', '--model', '{weights}', '--face-cropper', 'none', '--several', 'track'],
            'leave --face-cropper-opt',
        ),
    ],
)
def test_problems_end_in_one_line(
    arguments: list[str], message: str, media: MediaFolder, weights: Path, capsys: pytest.CaptureFixture
):
    known = dict(clip=media.video(num_frames=8), weights=weights, folder=media.root)
    before = Path(known['clip']).read_bytes()
    assert demo.main([argument.format(**known) for argument in arguments]) == 1
    error = capsys.readouterr().err
    assert error.startswith('error: ')
    assert error.count('\n') == 1
    assert message in error
    assert Path(known['clip']).read_bytes() == before


def test_the_quickstart_is_the_default(
    monkeypatch: pytest.MonkeyPatch, media: MediaFolder, capsys: pytest.CaptureFixture
):
    monkeypatch.chdir(media.root)
    assert demo.main([str(media.wav())]) == 1
    assert 'work_dirs/quickstart/audio_video is not there: run tools/quickstart.sh' in capsys.readouterr().err


@pytest.mark.slow
def test_as_a_command(media: MediaFolder, weights: Path, tmp_path: Path):
    command = [
        sys.executable,
        DEMO / 'emotion_demo.py',
        media.video(num_frames=8),
        '--model',
        weights,
        '--out',
        tmp_path / 'out',
    ]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == f'results are in {tmp_path / "out"}'
