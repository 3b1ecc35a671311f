"""Lists become shards: from the command line, in parallel, across a kill."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hicmae_mm.config.paths import tools_root
from hicmae_mm.datasets import AudioVisualShards
from tests.conftest import MediaFolder
from tests.test_tools.modules import load_tool

TOOL = 'dataset_converters/make_shards.py'
TOOL_MODULE = load_tool(TOOL)
READ = [dict(type='OpenVideo'), dict(type='SampleClips', mode='train', clip_len=4), dict(type='DecodeFrames')]


def call(*arguments: object) -> int:
    return TOOL_MODULE.main([str(argument) for argument in arguments])


def results(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix in ('.tar', '.json')}


def test_options_reach_the_shards(media: MediaFolder, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    media.video('videos/a.mp4', num_frames=50, width=96)
    media.wav('videos/a.wav')
    ann_file = media.annotation('a.mp4 a.wav 2', 'none.mp4 a.wav 1', 'a.mp4 - 0', name='lists.csv')
    options = ['--crop', '0,16,64,64', '--size', '32', '--fps', '12.5', '--quality', '95', '--audio', 'pcm']
    options += ['--sample-rate', '8000', '--samples-per-shard', '2', '--keep-order', '--num-workers', '0']
    out_dir = tmp_path / 'out'
    arguments = (ann_file, '--data-root', media.root / 'videos', '--out-dir', out_dir, *options)
    assert call(*arguments) == 1
    printed = capsys.readouterr().out
    assert 'line 2: ' in printed
    assert 'none.mp4: no such file' in printed
    assert '2 of 3 clips in 2 shards' in printed
    assert call(*arguments, '--allow-failures') == 0
    shards = AudioVisualShards(str(out_dir), READ, num_classes=3)
    found = [shards[index] for index in range(2)]
    assert [results['gt_label'] for results in found] == [2, 0]
    for clip in found:
        assert (clip['total_frames'], clip['avg_fps'], clip['img_shape']) == (25, 12.5, (32, 32))
        assert clip['packed_clip'].open_audio().sample_rate_hz == 8000
    assert json.loads((out_dir / 'report.json').read_text())['num_broken'] == 1


def test_lists_lie_beside_their_media_unless_told(media: MediaFolder, tmp_path: Path) -> None:
    media.frame_folder('face', num_frames=3)
    ann_file = media.annotation(*['face - 0'] * 5)
    sized = ('--streams', 'video', '--shard-megabytes', '0.001', '--num-workers', '0')
    assert call(ann_file, '--out-dir', tmp_path / 'out', *sized) == 0
    assert len(list((tmp_path / 'out').glob('*.tar'))) == 5


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (['--crop', '1,2,3'], "--crop takes 4 numbers, got '1,2,3'"),
        (['--size', 'big'], "--size takes whole numbers separated by commas, got 'big'"),
        (['--quality', '0'], 'quality must lie in 1..100, got 0'),
        (['--samples-per-shard', '-1'], 'one of samples_per_shard and shard_megabytes must be given, and above 0'),
        (['--num-workers', '-1'], 'num_workers must be at least 0, got -1'),
    ],
)
def test_wrong_options_end_in_one_line(
    options: list[str], message: str, media: MediaFolder, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    ann_file = media.annotation('a.mp4 - 0')
    assert call(ann_file, '--out-dir', tmp_path / 'out', *options) == 1
    error = capsys.readouterr().err
    assert error.startswith('error: ')
    assert message in error
    assert len(error.splitlines()) == 1


def test_missing_list_ends_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    assert call(tmp_path / 'none.csv', '--out-dir', tmp_path / 'out') == 1
    assert 'none.csv does not exist' in capsys.readouterr().err
    assert not (tmp_path / 'out').exists()


@pytest.mark.dist
@pytest.mark.slow
def test_killed_run_is_continued_with_the_same_bytes(media: MediaFolder, tmp_path: Path) -> None:
    for number in range(3):
        media.video(f'{number}.mp4', num_frames=12 + number)
    ann_file = media.annotation(*(f'{number % 3}.mp4 - {number}' for number in range(90)), 'none.mp4 - 0')
    options = ['--samples-per-shard', '6', '--allow-failures']
    assert call(ann_file, '--out-dir', tmp_path / 'whole', '--num-workers', 0, *options) == 0

    killed = tmp_path / 'killed'
    command = [sys.executable, str(tools_root() / TOOL), str(ann_file), '--out-dir', str(killed), '--num-workers', '2']
    process = subprocess.Popen([*command, *options], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    deadline = time.monotonic() + 120
    while not (killed / 'shard-000002.tar').exists():
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < deadline
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (killed / 'index.json').exists()
    finished = {path: path.stat().st_mtime_ns for path in killed.glob('*.tar')}
    assert len(finished) < 16

    assert call(ann_file, '--out-dir', killed, '--num-workers', 0, *options) == 0
    assert results(killed) == results(tmp_path / 'whole')
    assert {path: path.stat().st_mtime_ns for path in finished} == finished
