"""DFEW's converter: padded and plain numbers, media in several places, malformed lists."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.test_tools.converters import load_converter, read_lists

SPLITS = Path('EmoLabel_DataSplit')


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Lists of five clips, no media."""
    root = tmp_path / 'DFEW'
    rows = {1: 1, 12: 2, 345: 3, 12059: 6, 16372: 7}
    for k in range(1, 6):
        for part in ('train', 'test'):
            chosen = [number for index, number in enumerate(rows) if (index == k - 1) == (part == 'test')]
            path = root / SPLITS / f'{part}(single-labeled)' / f'set_{k}.csv'
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(''.join(['video_name,label\n', *(f'{number},{rows[number]}\n' for number in chosen)]))
    return root


def convert(root: Path, *options: str) -> int:
    return load_converter('dfew').main([str(root), '--out-dir', str(root / 'lists'), '--no-check-media', *options])


def test_folders_are_padded_and_original_clips_are_not(root: Path) -> None:
    assert convert(root) == 0
    lists = read_lists(root / 'lists')
    assert list(lists) == [f'fold{k}' for k in range(1, 6)]
    corpus = str(root.resolve())
    assert lists['fold2']['test'] == [[f'{corpus}/Clip/clip_224x224/00012', f'{corpus}/Clip/original/12.mp4', '1']]
    assert [row[2] for row in lists['fold2']['train']] == ['0', '2', '5', '6']


def test_media_are_found_in_other_places(root: Path) -> None:
    for path in ('Clip/clip_224x224_avi/00012.avi', 'Clip/original/part_3/12.mp4', 'Clip/original/part_3/notes.mp4'):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).touch()
    assert convert(root, '--video-dir', 'Clip/clip_224x224_avi', '--video-suffix', '.avi') == 0
    video, audio, _ = read_lists(root / 'lists')['fold2']['test'][0]
    assert Path(video).name == '00012.avi'
    assert audio.endswith('Clip/original/part_3/12.mp4')
    assert convert(root, '--video-dir', 'Clip/original', '--video-suffix', '.mp4', '--audio-dir', '-') == 0
    video, audio, _ = read_lists(root / 'lists')['fold2']['test'][0]
    assert video.endswith('Clip/original/part_3/12.mp4')
    assert audio == '-'


def test_sizes_are_held_against_the_published_ones(root: Path, capsys: pytest.CaptureFixture) -> None:
    assert convert(root) == 0
    assert 'fold5: train/test 4/1, published: 9361/2336' in capsys.readouterr().out


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('video_name,label\n1,1\n12,8\n', 'set_4.csv, line 3: label 8 is out of range, expected 1 to 7'),
        ('video_name,label\n1,0\n', 'set_4.csv, line 2: label 0 is out of range'),
        ('video_name,label\n1;1\n', "set_4.csv, line 2: expected a number and a label such as '5276,3', got '1;1'"),
        ('video_name,label\n1.0,1\n', 'set_4.csv, line 2: expected a number'),
        ('1,1\n', "set_4.csv: expected the header 'video_name,label', got '1,1'"),
        ('', 'set_4.csv: expected the header'),
        (None, 'set_4.csv does not exist'),
    ],
)
def test_bad_lists_are_named(root: Path, text: str | None, message: str, capsys: pytest.CaptureFixture) -> None:
    path = root / SPLITS / 'train(single-labeled)' / 'set_4.csv'
    if text is None:
        path.unlink()
    else:
        path.write_text(text)
    assert convert(root) == 1
    assert message in capsys.readouterr().err
    assert not (root / 'lists').exists()
