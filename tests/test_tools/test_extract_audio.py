"""``extract_audio.py``: raw video becomes sound files, whatever happens on the way."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from hicmae_mm.datasets.writers import write_wav
from tests.test_tools.media_preparation import IN_PROCESS, call, media_files, start_and_kill
from tests.test_tools.modules import load_tool

EXTRACT_AUDIO = load_tool('dataset_converters/extract_audio.py').main


def test_extract_audio_reports_what_it_did(raw: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    out_dir = tmp_path / 'audio'
    assert call(EXTRACT_AUDIO, raw, '--out-dir', out_dir, *IN_PROCESS) == 1
    assert sorted(media_files(out_dir)) == ['actor 1/happy.wav', 'silent.wav']
    assert soundfile.info(out_dir / 'actor 1' / 'happy.wav').samplerate == 16000
    report = json.loads((out_dir / 'report.json').read_text())
    summary = report['summary']
    assert {key: summary[key] for key in ('clips', 'done', 'existing', 'failed', 'silent')} == dict(
        clips=5, done=2, existing=0, failed=3, silent=1
    )
    clips = {clip['name']: clip for clip in report['clips']}
    assert summary['seconds'] == pytest.approx(clips['actor 1/happy.mp4']['seconds'] + clips['silent.mp4']['seconds'])
    assert 'no sound track' in clips['mute.mp4']['reason']
    assert 'truncated' in clips['actor 1/truncated_happy.mp4']['reason']
    assert clips['silent.mp4']['silent'] is True
    with (out_dir / 'report.csv').open() as file:
        rows = list(csv.DictReader(file))
    assert [row['status'] for row in rows] == ['done', 'failed', 'failed', 'failed', 'done']
    printed = capsys.readouterr().out
    assert 'clips 5, done 2, existing 0, failed 3' in printed
    assert 'sad.avi: the file has no sound track' in printed

    # again: what is there stays, what failed is tried again
    written = {path: path.stat().st_mtime_ns for path in out_dir.rglob('*.wav')}
    assert call(EXTRACT_AUDIO, raw, '--out-dir', out_dir, '--allow-failures', *IN_PROCESS) == 0
    assert {path: path.stat().st_mtime_ns for path in out_dir.rglob('*.wav')} == written
    again = json.loads((out_dir / 'report.json').read_text())
    assert [again['summary'][key] for key in ('done', 'existing', 'failed', 'silent')] == [0, 2, 3, 1]
    assert again['summary']['seconds'] == summary['seconds']


def test_extract_audio_options(raw: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    out_dir = tmp_path / 'audio'
    options = ('--format', 'flac', '--sample-rate', 8000, '--extensions', 'mp4', '--allow-failures', *IN_PROCESS)
    assert call(EXTRACT_AUDIO, raw / 'actor 1', '--out-dir', out_dir, *options) == 0
    assert soundfile.info(out_dir / 'happy.flac').samplerate == 8000
    capsys.readouterr()
    for arguments, message in (
        ((raw, '--out-dir', out_dir), 'was made with other settings'),
        ((raw, '--out-dir', tmp_path / 'x', '--extensions', 'mov'), 'no files ending in'),
        ((raw / 'nowhere', '--out-dir', tmp_path / 'x'), 'nowhere: no such folder'),
    ):
        assert call(EXTRACT_AUDIO, *arguments, *IN_PROCESS) == 1
        error = capsys.readouterr().err
        assert error.startswith('error: ')
        assert message in error
        assert error.count('\n') == 1


@pytest.mark.slow
@pytest.mark.dist
def test_audio_extraction_survives_kill_9(tmp_path: Path) -> None:
    raw = tmp_path / 'raw'
    write_wav(raw / '00.wav', np.random.default_rng(0).uniform(-0.5, 0.5, 100 * 44100), 44100)
    for copy in range(1, 6):
        (raw / f'{copy:02d}.wav').hardlink_to(raw / '00.wav')
    killed, undisturbed = tmp_path / 'killed', tmp_path / 'undisturbed'
    options = ('--extensions', 'wav', '--format', 'flac')

    def is_time() -> bool:
        return len(list(killed.glob('*.flac'))) >= 2 and any(killed.glob('.*.part'))

    arguments = [raw, '--out-dir', killed, *options, *IN_PROCESS]
    start_and_kill('dataset_converters/extract_audio.py', arguments, is_time)
    survived = {path: path.stat().st_mtime_ns for path in killed.glob('*.flac')}
    assert 2 <= len(survived) < 6
    assert call(EXTRACT_AUDIO, raw, '--out-dir', killed, *options, *IN_PROCESS) == 0
    assert {path: path.stat().st_mtime_ns for path in survived} == survived
    assert call(EXTRACT_AUDIO, raw, '--out-dir', undisturbed, *options, *IN_PROCESS) == 0
    assert media_files(killed) == media_files(undisturbed)
    assert len(media_files(killed)) == 6
