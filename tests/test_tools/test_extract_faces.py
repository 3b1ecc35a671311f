"""``extract_faces.py``: raw video becomes face folders, whatever happens on the way."""

from __future__ import annotations

import json
import shutil
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from hicmae_mm.datasets.synthetic.clips import make_clip, sample_actor
from hicmae_mm.datasets.writers import write_video
from tests.conftest import MediaFolder
from tests.test_tools.media_preparation import IN_PROCESS, call, media_files, start_and_kill
from tests.test_tools.modules import load_tool

EXTRACT_FACES = load_tool('dataset_converters/extract_faces.py').main


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
