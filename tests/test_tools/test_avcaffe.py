"""AVCAffe's converter: two labels per recording, the split by participant, clips without speech."""

from __future__ import annotations

from pathlib import Path

import pytest
from mmengine.config import Config

from hicmae_mm.config.paths import configs_root
from hicmae_mm.datasets import AVCAFFEArousal, AVCAFFEValence
from hicmae_mm.evaluation.functional.recordings import recording_of
from tests.test_tools.converters import load_converter, read_lists


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two clips of four recordings, empty files; in one nobody speaks."""
    root = tmp_path / 'avcaffe'
    for participant, task in (('aiim003', 1), ('aiim003', 2), ('aiim001', 1), ('aiim108', 9)):
        folder = root / 'videos' / 'shorter_segments' / participant / f'task_{task}'
        folder.mkdir(parents=True)
        for clip in ('001', '012'):
            (folder / f'{participant}_task_{task}_clip_{clip}.avi').touch()
    texts = {
        'ground_truths/arousal.txt': 'aiim001_task_1, Calm\naiim003_task_1, Excited\n'
        'aiim003_task_2, Wide-awake\naiim108_task_9, Dull\n',
        'ground_truths/valence.txt': 'aiim001_task_1,Pleased\naiim003_task_1, Unpleasant \n'
        'aiim003_task_2, Neutral\naiim108_task_9, Unsatisfied\n',
        'info/train.txt': 'aiim003\n',
        'info/val.txt': 'aiim001\naiim108\n',
        'info/no_audio_files.txt': 'aiim003_task_2_clip_012.avi\n',
    }
    for name, text in texts.items():
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text(text)
    return root


def convert(root: Path, *options: str) -> int:
    return load_converter('avcaffe').main([str(root), '--out-dir', str(root / 'lists'), '--no-check-media', *options])


def test_lines_carry_both_labels_and_follow_the_split(root: Path, capsys: pytest.CaptureFixture) -> None:
    assert convert(root) == 0
    assert 'clips without speech: 1 of 8' in capsys.readouterr().out
    parts = read_lists(root / 'lists')['fold1']
    labels = {Path(video).name: (int(arousal), int(valence)) for video, _, arousal, valence in parts['train']}
    assert labels == {
        'aiim003_task_1_clip_001': (0, 4),
        'aiim003_task_1_clip_012': (0, 4),
        'aiim003_task_2_clip_001': (1, 2),
    }
    assert [row[2:] for row in parts['test']] == [['4', '1']] * 2 + [['3', '3']] * 2
    video, audio, *_ = parts['test'][0]
    assert video == f'{root}/face_aligned/aiim001/task_1/aiim001_task_1_clip_001'
    assert audio == f'{root}/videos/shorter_segments/aiim001/task_1/aiim001_task_1_clip_001.avi'


def test_silent_clips_can_be_kept(root: Path) -> None:
    (root / 'info' / 'no_audio_files.txt').unlink()
    assert convert(root) == 1
    assert convert(root, '--with-silent') == 0
    assert len(read_lists(root / 'lists')['fold1']['train']) == 4


def test_data_sets_read_their_column(root: Path) -> None:
    assert convert(root) == 0
    for kind, column, expected in ((AVCAFFEArousal, 0, 'Calm'), (AVCAFFEValence, 1, 'Pleased')):
        dataset = kind(str(root / 'lists' / 'fold1' / 'test.csv'), pipeline=[], label_columns=(column,))
        assert dataset.metainfo['classes'][dataset.get_data_info(0)['gt_label']] == expected


def test_target_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    path = configs_root() / 'hicmae_tiny_avcaffe.py'
    for target, kind, column in (('arousal', 'AVCAFFEArousal', 0), ('valence', 'AVCAFFEValence', 1)):
        monkeypatch.setenv('AVCAFFE_TARGET', target)
        cfg = Config.fromfile(path)
        for loader in (cfg.train_dataloader, cfg.val_dataloader, cfg.test_dataloader):
            assert loader.dataset.type == kind
            assert tuple(loader.dataset.label_columns) == (column,)
        assert cfg.work_dir.endswith(target)
    monkeypatch.setenv('AVCAFFE_TARGET', 'joy')
    with pytest.raises(ValueError, match="must be 'arousal' or 'valence', got 'joy'"):
        Config.fromfile(path)


def test_clips_of_a_recording_share_its_name() -> None:
    text = (configs_root() / '_base_' / 'datasets' / 'avcaffe.py').read_text()
    pattern = r'(aiim\d+_task_\d+|[^/]+$)'
    assert f"group_pattern=r'{pattern}'" in text
    folder = '/data/aiim001_faces/face_aligned/aiim001/task_1'
    for name in ('aiim001_task_1_clip_001', 'aiim001_task_1_clip_012.avi'):
        assert recording_of(f'{folder}/{name}', pattern) == 'aiim001_task_1'
    assert recording_of('clips/7.mp4', pattern) == '7.mp4'


@pytest.mark.parametrize(
    ('name', 'text', 'message'),
    [
        ('ground_truths/arousal.txt', 'aiim001_task_1, calm\n', "arousal.txt, line 1: 'calm' is not one of ['Excited'"),
        ('ground_truths/valence.txt', '\naiim001-1, Neutral\n', 'valence.txt, line 2: expected a line such as'),
        ('ground_truths/valence.txt', 'aiim001_task_1, Neutral\n', 'has no line of aiim003_task_1'),
        ('ground_truths/valence.txt', None, 'valence.txt does not exist'),
        ('info/val.txt', None, 'val.txt does not exist'),
        ('info/val.txt', 'nobody\n', 'val.txt names no participants'),
        ('info/val.txt', 'aiim001\n', 'neither info/train.txt nor info/val.txt names aiim108'),
        ('info/train.txt', 'aiim003 aiim001\n', 'both name aiim001'),
    ],
)
def test_bad_metadata_are_named(
    root: Path, name: str, text: str | None, message: str, capsys: pytest.CaptureFixture
) -> None:
    if text is None:
        (root / name).unlink()
    else:
        (root / name).write_text(text)
    assert convert(root) == 1
    assert message in capsys.readouterr().err
    assert not (root / 'lists').exists()


def test_other_files_are_refused(root: Path, capsys: pytest.CaptureFixture) -> None:
    (root / 'videos' / 'shorter_segments' / 'aiim001' / 'task_1' / 'holiday.avi').touch()
    assert convert(root) == 1
    assert 'holiday is not a clip of AVCAffe' in capsys.readouterr().err
