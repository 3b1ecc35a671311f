"""VoxCeleb2's converter: which clips are listed, little memory for many, and a kill in the middle."""

from __future__ import annotations

import subprocess
import sys
import time
import tracemalloc
from pathlib import Path

import pytest

from tests.test_tools.converters import FOLDER, load_converter, read_lists

RECORDING = 'id00012/21Uxsk56VDQ'


def write_clips(root: Path, recording: str, num_clips: int, content: str = 'x') -> None:
    for kind, suffix in (('mp4', 'mp4'), ('aac', 'm4a')):
        folder = root / 'dev' / kind / recording
        folder.mkdir(parents=True)
        for number in range(1, num_clips + 1):
            (folder / f'{number:05d}.{suffix}').write_text(content)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / 'VoxCeleb2'
    write_clips(root, RECORDING, 2)
    write_clips(root, 'id00012/-jx3Pbgqd8Y', 1)
    write_clips(root, 'id09272/_raOc3-IRsw', 1)
    return root


def convert(root: Path, *options: object) -> int:
    return load_converter('voxceleb2').main([str(root), '--out-dir', str(root.parent / 'lists'), *map(str, options)])


def listed(root: Path) -> list[str]:
    lists = read_lists(root.parent / 'lists')
    assert list(lists) == ['fold1']
    assert list(lists['fold1']) == ['train']
    return [
        Path(row[0]).relative_to(root / 'dev' / 'mp4').with_suffix('').as_posix() for row in lists['fold1']['train']
    ]


def test_lines_are_sorted_and_have_no_label(root: Path, capsys: pytest.CaptureFixture) -> None:
    assert convert(root) == 0
    assert listed(root) == [
        'id00012/-jx3Pbgqd8Y/00001',
        f'{RECORDING}/00001',
        f'{RECORDING}/00002',
        'id09272/_raOc3-IRsw/00001',
    ]
    row = read_lists(root.parent / 'lists')['fold1']['train'][1]
    assert row == [f'{root}/dev/mp4/{RECORDING}/00001.mp4', f'{root}/dev/aac/{RECORDING}/00001.m4a']
    assert 'fold1: train 4, published: 1091581' in capsys.readouterr().out


def test_paths_are_relative_to_the_lists_where_they_can_be(root: Path) -> None:
    assert load_converter('voxceleb2').main([str(root), '--out-dir', str(root), '--audio-dir', '-']) == 0
    assert read_lists(root)['fold1']['train'][0] == ['dev/mp4/id00012/-jx3Pbgqd8Y/00001.mp4', '-']


@pytest.mark.parametrize('stream', ['mp4', 'm4a', 'both'])
def test_clips_without_pictures_or_sound_are_missing(root: Path, stream: str, capsys: pytest.CaptureFixture) -> None:
    for suffix, kind in (('mp4', 'mp4'), ('m4a', 'aac')):
        if stream in (suffix, 'both'):
            (root / 'dev' / kind / RECORDING / f'00002.{suffix}').write_text('')
    assert convert(root) == 1
    assert f'1 clips have no pictures or no sound, or empty files: {RECORDING}/00002.mp4' in capsys.readouterr().err
    assert not list((root.parent / 'lists').rglob('*.csv*'))
    assert convert(root, '--allow-missing') == 0
    assert f'{RECORDING}/00002' not in listed(root)
    assert len(listed(root)) == 3
    assert convert(root, '--no-check-media') == 0
    assert len(listed(root)) == 4


def test_pointers_and_links_to_nothing_are_missing(root: Path, capsys: pytest.CaptureFixture) -> None:
    sound = root / 'dev' / 'aac' / RECORDING / '00001.m4a'
    sound.write_text('version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n')
    picture = root / 'dev' / 'mp4' / RECORDING / '00002.mp4'
    picture.unlink()
    picture.symlink_to('gone.mp4')
    assert convert(root) == 1
    error = capsys.readouterr().err
    assert (
        f'2 clips have no pictures or no sound, or empty files: {RECORDING}/00001.mp4, {RECORDING}/00002.mp4' in error
    )
    assert f'{sound} is a Git LFS pointer' in error


def test_missing_files_of_either_stream_are_noticed(root: Path, capsys: pytest.CaptureFixture) -> None:
    (root / 'dev' / 'aac' / 'id09272' / '_raOc3-IRsw' / '00001.m4a').unlink()
    (root / 'dev' / 'mp4' / RECORDING / '00001.mp4').unlink()
    (root / 'dev' / 'mp4' / 'id00012' / '-jx3Pbgqd8Y' / '00001.mp4').rename(root / 'elsewhere.mp4')
    (root / 'dev' / 'mp4' / 'id00012' / '-jx3Pbgqd8Y').rmdir()  # a whole recording, of sound only
    assert convert(root) == 1
    assert (
        '3 clips have no pictures or no sound, or empty files: id00012/-jx3Pbgqd8Y/00001.mp4' in capsys.readouterr().err
    )


def test_broken_clips_are_excluded_by_any_report_that_names_them(root: Path, capsys: pytest.CaptureFixture) -> None:
    report = root.parent / 'report.txt'
    report.write_text(
        f"'/other/place/dev/mp4/{RECORDING}/00001.mp4' is broken (no stream)!\n"
        '{"defects": {"dev/mp4/id09272/_raOc3-IRsw/00001.mp4": "silent", "id05376/oJuukVM802Q/00416": ""}}\n'
    )
    (root / 'dev' / 'aac' / RECORDING / '00001.m4a').write_text('')  # excluded, so not missed
    assert convert(root, '--exclude', report) == 0
    assert listed(root) == ['id00012/-jx3Pbgqd8Y/00001', f'{RECORDING}/00002']
    assert 'left out: 2 of the 3 clips that' in capsys.readouterr().out
    report.write_text('all is well\n')
    assert convert(root, '--exclude', report) == 1
    assert 'names no clips, expected names such as id00012' in capsys.readouterr().err
    assert convert(root, '--exclude', root.parent / 'nothing.txt') == 1
    assert 'nothing.txt does not exist' in capsys.readouterr().err


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (('--video-dir', 'mp4'), 'mp4 does not exist; --video-dir names'),
        (('--audio-dir', 'wav'), 'wav does not exist; --audio-dir names'),
        (('--video-suffix', '.avi', '--no-check-media'), r'has no clips id*/VIDEO/*.avi; --video-suffix names'),
    ],
)
def test_other_trees_are_refused(
    root: Path, options: tuple[str, ...], message: str, capsys: pytest.CaptureFixture
) -> None:
    assert convert(root, *options) == 1
    assert message in capsys.readouterr().err


def write_many(root: Path, num_speakers: int) -> None:
    """100 clips of every speaker; all but the first are links to the first, which takes no time."""
    write_clips(root, 'id00000/21Uxsk56VDQ', 100)
    for number in range(1, num_speakers):
        for kind in ('mp4', 'aac'):
            (root / 'dev' / kind / f'id{number:05d}').symlink_to('id00000')


def test_memory_does_not_grow_with_the_number_of_clips(tmp_path: Path) -> None:
    peaks = []
    for num_speakers in (5, 50):
        root = tmp_path / f'corpus{num_speakers}'
        write_many(root, num_speakers)
        converter = load_converter('voxceleb2')
        tracemalloc.start()
        assert converter.main([str(root), '--out-dir', str(tmp_path / 'lists')]) == 0
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert len(read_lists(tmp_path / 'lists')['fold1']['train']) == 5000
    assert peaks[1] < 1.2 * peaks[0]


def kill_while_writing(command: list[str], folder: Path) -> bool:
    """Starts a converter and kills it once it has begun to write; whether that was before it was done."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    while process.poll() is None and not any(path.stat().st_size for path in folder.glob('*.partial')):
        time.sleep(0.0005)
    process.kill()
    return process.wait() == -9


@pytest.mark.slow
def test_a_kill_in_the_middle_leaves_no_half_list_and_a_rerun_gives_the_whole(tmp_path: Path) -> None:
    root, lists = tmp_path / 'VoxCeleb2', tmp_path / 'killed'
    write_many(root, 500)
    target = lists / 'fold1' / 'train.csv'
    target.parent.mkdir(parents=True)
    arguments = [str(root), '--out-dir']
    command = [sys.executable, str(FOLDER / 'voxceleb2.py'), *arguments, str(lists)]
    for _ in range(5):  # a busy machine may look too late, when the list is done
        target.write_text('the list of an earlier run\n')
        if kill_while_writing(command, target.parent):
            break
    assert target.read_text() == 'the list of an earlier run\n'
    (partial,) = target.parent.glob('train.csv.*.partial')
    assert 0 < partial.read_text().count('\n') < 50000

    main = load_converter('voxceleb2').main
    assert main([*arguments, str(lists)]) == 0
    assert main([*arguments, str(tmp_path / 'undisturbed')]) == 0
    assert target.read_bytes() == (tmp_path / 'undisturbed' / 'fold1' / 'train.csv').read_bytes()
    assert target.read_text().count('\n') == 50000
    assert list(target.parent.iterdir()) == [target]
