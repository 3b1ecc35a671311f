"""Raw video becomes sound files and face folders, whatever happens on the way; bad clips of a list are found."""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import soundfile

from hicmae_mm.config.paths import configs_root, tools_root
from hicmae_mm.datasets.synthetic.clips import make_clip, sample_actor
from hicmae_mm.datasets.writers import write_video, write_wav
from tests.conftest import MediaFolder
from tests.test_tools.modules import load_tool

EXTRACT_AUDIO = load_tool('dataset_converters/extract_audio.py').main
EXTRACT_FACES = load_tool('dataset_converters/extract_faces.py').main
VERIFY = load_tool('misc/verify_dataset.py').main
IN_PROCESS = ('--num-workers', '0')


def call(main: Callable[[list[str]], int], *arguments: object) -> int:
    return main([str(argument) for argument in arguments])


def media_files(folder: Path) -> dict[str, bytes]:
    """The results: every file but those that tell of the run."""
    own = {'.lock', 'journal.jsonl', 'settings.json', 'report.json', 'report.csv'}
    files = [path for path in sorted(folder.rglob('*')) if path.is_file() and path.name not in own]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@pytest.fixture
def raw(media: MediaFolder) -> Path:
    """Videos in two folders: two good ones, one without sound, one silent, one cut short."""
    (media.root / 'raw' / 'actor 1').mkdir(parents=True)
    media.video('raw/actor 1/happy.mp4', num_frames=10)
    media.video('raw/mute.mp4', num_frames=10, has_sound=False)
    media.video('raw/sad.avi', num_frames=10)
    write_video(media.root / 'raw' / 'silent.mp4', media.frames(10), 25, np.zeros(6400))
    media.truncated(media.root / 'raw' / 'actor 1' / 'happy.mp4')
    return media.root / 'raw'


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


def test_extract_faces_keeps_the_rest_when_a_video_is_broken(raw: Path, tmp_path: Path) -> None:
    out_dir = tmp_path / 'faces'
    options = ('--cropper', 'WholeFrame', '--size', 64, '--sheet', *IN_PROCESS)
    assert call(EXTRACT_FACES, raw, '--out-dir', out_dir, *options) == 1
    sheets = tmp_path / 'faces_sheets'
    assert sorted(str(path.relative_to(sheets)) for path in sheets.rglob('*.jpg')) == [
        'actor 1/happy.jpg',
        'mute.jpg',
        'sad.jpg',
        'silent.jpg',
    ]
    folders = sorted(str(path.parent.relative_to(out_dir)) for path in out_dir.rglob('00010.jpg'))
    assert folders == ['actor 1/happy', 'mute', 'sad', 'silent']
    report = json.loads((out_dir / 'report.json').read_text())
    assert report['summary']['failed'] == 1
    assert report['summary']['face_share'] == 1.0
    assert report['settings']['options']['size'] == 64
    (failed,) = (clip for clip in report['clips'] if clip['status'] == 'failed')
    assert failed['name'] == 'actor 1/truncated_happy.mp4'
    assert 'truncated' in failed['reason']


def test_extract_faces_of_some_names(raw: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    options = ('--out-dir', tmp_path / 'faces', '--cropper', 'WholeFrame', '--size', 64, *IN_PROCESS)
    assert call(EXTRACT_FACES, raw, *options, '--match', '[hs]*y.mp4') == 0
    assert {path.parent.name for path in (tmp_path / 'faces').rglob('*.jpg')} == {'happy'}
    capsys.readouterr()
    assert call(EXTRACT_FACES, raw, *options, '--match', '02-*') == 1
    assert 'none of 5 clips below' in capsys.readouterr().err


def test_extract_faces_takes_boxes_a_config_and_frame_folders(
    raw: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    boxes = tmp_path / 'boxes' / 'actor 1'
    boxes.mkdir(parents=True)
    (boxes / 'happy.csv').write_text('frame,x,y,w,h\n' + ''.join(f'{t},8,8,32,32\n' for t in range(1, 9)))
    named = tmp_path / 'named'
    arguments = (raw, '--out-dir', named, '--cropper', 'TrackedBoxes', '--cropper-options', f'root={boxes.parent}')
    arguments += ('first_frame=1', '--margin', 0, '--size', 32, '--missing', 'skip', '--allow-failures')
    assert call(EXTRACT_FACES, *arguments, *IN_PROCESS) == 0
    report = json.loads((named / 'report.json').read_text())
    done = [clip for clip in report['clips'] if clip['status'] == 'done']
    assert [(clip['name'], clip['face_share'], clip['pictures']) for clip in done] == [('actor 1/happy.mp4', 0.8, 8)]
    assert sum(clip['reason'].endswith('.csv: no such file of boxes') for clip in report['clips']) == 3

    config = tmp_path / 'faces.py'
    config.write_text(
        f"cropper = dict(type='TrackedBoxes', root='{boxes.parent}', first_frame=1)\n"
        "crop = dict(margin=0, size=64, missing='skip')\n"
    )
    by_config = tmp_path / 'by_config'
    arguments = (raw, '--out-dir', by_config, '--config', config, '--size', 32, '--allow-failures')
    assert call(EXTRACT_FACES, *arguments, *IN_PROCESS) == 0
    assert media_files(by_config) == media_files(named)

    arguments = (named, '--out-dir', tmp_path / 'small', '--input-type', 'frames', '--cropper', 'WholeFrame')
    assert call(EXTRACT_FACES, *arguments, '--size', 16, *IN_PROCESS) == 0
    assert len(list((tmp_path / 'small' / 'actor 1' / 'happy').iterdir())) == 8

    capsys.readouterr()
    for wrong, message in (
        (('--cropper', 'Haar'), "unknown cropper 'Haar', expected one of ['HaarCascade', 'OpenFace'"),
        (('--cropper-options', 'score_treshold=0.7'), "did you mean 'score_threshold'?"),
        (('--face-cropper-options', 'score_threshold=2'), 'score_threshold must be in 0..1, got 2'),
        (('--cropper', 'YuNet', '--cropper-options', 'model=absent.onnx'), 'YuNet model absent.onnx does not exist'),
        (('--config', config, '--cropper', 'YuNet'), '--config names the cropper'),
        (('--config', tmp_path / 'absent.py'), 'absent.py does not exist'),
        (('--smoothing-window', 4), 'smoothing_window must be odd'),
    ):
        assert call(EXTRACT_FACES, raw, '--out-dir', tmp_path / 'x', *wrong, *IN_PROCESS) == 1
        error = capsys.readouterr().err
        assert error.startswith('error: ')
        assert message in error
    assert not (tmp_path / 'x').exists()


PLUGIN = """
import numpy as np

from hicmae_mm.datasets.faces import Faces, FrameDetector
from hicmae_mm.registry import FACE_CROPPERS


@FACE_CROPPERS.register_module()
class TopCropper(FrameDetector):
    def detect(self, frame):
        return Faces(np.array([[16.0, 0, 32, 32]]))
"""


@pytest.mark.slow
@pytest.mark.dist
def test_a_cropper_of_the_users_works_in_worker_processes(
    media: MediaFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / 'top_cropper.py').write_text(PLUGIN)
    monkeypatch.syspath_prepend(tmp_path)
    config = tmp_path / 'config.py'
    config.write_text("custom_imports = dict(imports=['top_cropper'])\ncropper = dict(type='TopCropper')\n")
    for name in ('a', 'b', 'c'):
        (tmp_path / 'raw').mkdir(exist_ok=True)
        media.video(f'raw/{name}.mp4', num_frames=5)
    arguments = (tmp_path / 'raw', '--out-dir', tmp_path / 'faces', '--config', config, '--size', 32)
    assert call(EXTRACT_FACES, *arguments, '--num-workers', 2) == 0
    arguments = (tmp_path / 'raw', '--out-dir', tmp_path / 'again', '--config', config, '--size', 32)
    assert call(EXTRACT_FACES, *arguments, *IN_PROCESS) == 0
    assert media_files(tmp_path / 'faces') == media_files(tmp_path / 'again')
    assert len(media_files(tmp_path / 'faces')) == 15


def test_extract_faces_accepts_the_output_of_openface(media: MediaFolder, tmp_path: Path) -> None:
    root = tmp_path / 'openface' / 'actor'
    aligned = media.frame_folder('openface/actor/clip_aligned', num_frames=3, height=112, width=112)
    for number in (1, 2, 3):
        (aligned / f'{number}.jpg').rename(aligned / f'frame_det_00_{number:06d}.jpg')
    (root / 'clip.csv').write_text('frame, confidence, success\n1, 0.9, 1\n2, 0.1, 0\n3, 0.9, 1\n')
    out_dir = tmp_path / 'faces'
    assert call(EXTRACT_FACES, root.parent, '--out-dir', out_dir, '--cropper', 'OpenFace', *IN_PROCESS) == 0
    assert media_files(out_dir) == {
        f'actor/clip/{number:05d}.jpg': (aligned / f'frame_det_00_{number:06d}.jpg').read_bytes()
        for number in (1, 2, 3)
    }
    (clip,) = json.loads((out_dir / 'report.json').read_text())['clips']
    assert (clip['face_frames'], clip['face_share']) == (2, 0.6667)


def start_and_kill(tool: str, arguments: list[object], is_time: Callable[[], bool]) -> None:
    """Runs a tool and kills it, as ``kill -9`` does, when it is time."""
    command = [sys.executable, str(tools_root() / tool), *map(str, arguments)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=dict(os.environ))
    try:
        while not is_time():
            assert process.poll() is None, process.stdout.read().decode()
            time.sleep(0.002)
    finally:
        process.send_signal(signal.SIGKILL)
        process.communicate()
    assert process.returncode == -signal.SIGKILL


@pytest.mark.slow
@pytest.mark.dist
def test_face_extraction_survives_kill_9(tmp_path: Path) -> None:
    raw = tmp_path / 'raw'
    for seed in (7, 8):
        rng = np.random.default_rng(seed)
        frames, _ = make_clip(sample_actor(rng), 'NEU', rng, image_size=160)
        write_video(raw / f'{seed}_0.mp4', islice(frames, 10), 25)
        for copy in range(1, 7):
            shutil.copy(raw / f'{seed}_0.mp4', raw / f'{seed}_{copy}.mp4')
    (raw / '8_1.mp4').write_bytes((raw / '8_1.mp4').read_bytes()[:3000])
    killed, undisturbed = tmp_path / 'killed', tmp_path / 'undisturbed'
    options = ('--cropper', 'HaarCascade', '--cropper-options', 'min_size=0.4')  # quick

    def finished() -> list[Path]:
        return sorted(path for path in killed.glob('[78]_*') if path.is_dir())

    def is_time() -> bool:  # two clips are done, a third is being written
        return len(finished()) >= 2 and any(killed.glob('.*.part/*.jpg'))

    arguments = [raw, '--out-dir', killed, '--num-workers', 1, *options]
    start_and_kill('dataset_converters/extract_faces.py', arguments, is_time)
    survived = {path: path.stat().st_mtime_ns for folder in finished() for path in (folder, *folder.iterdir())}
    assert 2 <= len(finished()) < 13
    assert all(len(list(folder.iterdir())) == 10 for folder in finished())
    assert not (killed / 'report.json').exists()

    assert call(EXTRACT_FACES, raw, '--out-dir', killed, *options, *IN_PROCESS) == 1
    report = json.loads((killed / 'report.json').read_text())
    num_survived = sum(path.is_dir() for path in survived)
    assert [report['summary'][key] for key in ('done', 'existing', 'failed')] == [13 - num_survived, num_survived, 1]
    assert {path: path.stat().st_mtime_ns for path in survived} == survived
    assert not list(killed.rglob('*.part'))
    assert call(EXTRACT_FACES, raw, '--out-dir', undisturbed, *options, *IN_PROCESS) == 1
    assert media_files(killed) == media_files(undisturbed)
    assert len(media_files(killed)) == 13 * 10
    expected = json.loads((undisturbed / 'report.json').read_text())
    for clip, other in zip(report['clips'], expected['clips'], strict=True):
        measured = ('name', 'reason', 'frames', 'pictures', 'face_frames', 'face_share', 'several_faces')
        assert [clip.get(key) for key in measured] == [other.get(key) for key in measured]


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


def test_verify_dataset_writes_the_clean_list(media: MediaFolder, capsys: pytest.CaptureFixture) -> None:
    media.video('good.mp4', num_frames=25)
    media.wav('good.wav', media.tone(1.0))
    media.wav('silent.wav', np.zeros(16000))
    media.wav('long.wav', media.tone(2.0))
    media.wav('short.wav', media.tone(0.05))
    media.truncated(media.root / 'good.mp4')
    good = ['good.mp4  good.wav happy 0.5', 'good.mp4 - sad  1', 'good.mp4 good.wav 0 0']
    bad = [
        'absent.mp4 good.wav 0', 'truncated_good.mp4 good.wav 0', 'good.mp4 silent.wav 0', 'good.mp4 long.wav 0',
        'good.mp4 short.wav 0',
    ]  # fmt: skip
    ann_file = media.annotation(bad[0], good[0], bad[1], bad[2], good[1], bad[3], bad[4], good[2])
    out = media.root / 'clean' / 'ann.csv'
    assert call(VERIFY, ann_file, '--data-root', media.root, '--out', out, *IN_PROCESS) == 1
    assert out.read_text() == '\n'.join(good) + '\n'
    report = json.loads(out.with_suffix('.report.json').read_text())
    assert report['summary'] == dict(
        clips=8, clean=3, missing=1, broken=1, silent=1, short=1, mismatched=2, compared_lengths=6
    )  # fmt: skip
    found = {defect['position']: [kind for kind, _, _ in defect['problems']] for defect in report['defects']}
    assert found == {
        'line 1': ['missing'], 'line 3': ['broken'], 'line 4': ['silent'], 'line 6': ['mismatched'],
        'line 7': ['short', 'mismatched'],
    }  # fmt: skip
    assert 'clips 8, clean 3, missing 1, broken 1, silent 1, short 1, mismatched 2' in capsys.readouterr().out

    assert call(VERIFY, out, '--data-root', media.root, '--full', *IN_PROCESS) == 0
    assert json.loads(out.with_suffix('.report.json').read_text())['summary']['clean'] == 3
    capsys.readouterr()
    only_bad = media.annotation(bad[0], name='bad.csv')
    nothing = media.root / 'nothing.csv'
    for arguments, message in (
        ((only_bad, '--data-root', media.root, '--out', nothing), 'no clip of'),
        ((media.root / 'no.csv',), 'no.csv does not exist'),
        ((media.annotation('one', name='malformed.csv'),), "malformed.csv, line 1: expected 'video audio label'"),
    ):
        assert call(VERIFY, *arguments, *IN_PROCESS) == 1
        error = capsys.readouterr().err
        assert error.startswith('error: ')
        assert message in error
    assert not nothing.exists()


def test_verify_dataset_tells_corpus_and_shared_speakers(media: MediaFolder, capsys: pytest.CaptureFixture) -> None:
    for number in range(6):
        media.frame_folder(f'100{number}_DFA_ANG_XX', num_frames=16)
    media.wav('a.wav', media.tone(2.0))
    ann_file = media.annotation(*(f'100{number}_DFA_ANG_XX a.wav 0' for number in range(6)))
    other = media.annotation('x/1005_IEO_FEA_LO y.wav 2', 'x/1010_IEO_FEA_LO y.wav 2', name='test.csv')
    arguments = (ann_file, '--data-root', media.root, '--against', other, *IN_PROCESS)
    assert call(VERIFY, *arguments) == 0
    printed = capsys.readouterr().out
    assert 'test.csv: 6/2 speakers, 1 IN BOTH (1005): scores are not speaker-independent' in printed
    assert 'corpus CREMAD, published split: speaker-independent' in printed
    assert 'DIFFERS: 6 clips: no published list has so many' in printed
    assert 'DIFFERS: 16 frames in 6 of 6 clips: an export that was resampled in time' in printed
    assert 'DIFFERS: 6 clips have pictures below 160 pixels' in printed
    report = json.loads(ann_file.with_suffix('.report.json').read_text())
    assert report['provenance']['corpus'] == 'CREMAD'
    assert report['labels'] == {'0': 6}
    assert report['speakers'][str(other)]['shared'] == ['1005']
    assert call(VERIFY, *arguments, '--corpus', 'dfew') == 0
    assert 'published split: speaker-independent or not: not known' in capsys.readouterr().out
    assert call(VERIFY, *arguments, '--corpus', configs_root() / 'hicmae_base_mafw.py') == 0
    assert 'corpus MAFW, published split' in capsys.readouterr().out
    assert call(VERIFY, *arguments, '--corpus', 'emodb') == 1
    assert "error: --corpus 'emodb' is not known, expected one of cremad, " in capsys.readouterr().err
    assert call(VERIFY, *arguments, '--speaker-column', '1') == 1
    assert 'no label column 1 with the speaker' in capsys.readouterr().err


def test_verify_dataset_checks_what_the_list_names(media: MediaFolder, capsys: pytest.CaptureFixture) -> None:
    media.wav('a.wav')
    ann_file = media.annotation('- a.wav 0', '- a.wav 1')
    assert call(VERIFY, ann_file, '--data-root', media.root, *IN_PROCESS) == 0
    assert 'only audio is checked, the list names nothing else' in capsys.readouterr().out
