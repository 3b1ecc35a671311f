"""FERV39k's converter: labels, scenes, layouts and malformed lists."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.corpora.ferv39k import LINES
from tests.test_tools.converters import load_converter, read_lists


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Lists, no media."""
    root = tmp_path / 'FERV39k'
    folder = root / '4_setups' / 'All_scenes'
    folder.mkdir(parents=True)
    for part, names in LINES.items():
        (folder / f'{part}_All.csv').write_text(''.join(f'{name} {name.split("/")[1]}\n' for name in names))
    return root


def convert(root: Path, *options: str) -> int:
    return load_converter('ferv39k').main([str(root), '--out-dir', str(root / 'lists'), '--no-check-media', *options])


def test_lists_have_pictures_alone_and_labels_in_the_order_of_published_models(
    root: Path, capsys: pytest.CaptureFixture
) -> None:
    assert convert(root) == 0
    lists, faces = read_lists(root / 'lists'), f'{root.resolve()}/2_ClipsforFaceCrop'
    assert lists['fold1']['test'] == [
        [f'{faces}/Action/Happy/0002', '-', '0'],
        [f'{faces}/Crime/Disgust/0028', '-', '5'],
        [f'{faces}/Talkshow/Fear/0003', '-', '6'],
    ]
    assert [row[2] for row in lists['fold1']['train']] == ['0', '1', '2', '3', '4']
    assert 'fold1: train/test 5/3, published: 31088/7847' in capsys.readouterr().out


def test_some_scenes_alone(root: Path, capsys: pytest.CaptureFixture) -> None:
    assert convert(root, '--scenes', 'Crime', 'Action', '--table') == 0
    rows = (root / 'lists' / 'fold1' / 'test.csv').read_text().splitlines()
    assert rows[0] == 'video,audio,label,scene'
    assert [row.split(',')[-1] for row in rows[1:]] == ['Action', 'Crime']
    assert 'published' not in capsys.readouterr().out
    assert convert(root, '--scenes', 'Crime', 'War') == 1
    assert 'the lists have no clip of War; nothing was written' in capsys.readouterr().err


def test_other_layouts(root: Path) -> None:
    (root / '4_setups' / 'All_scenes').rename(root / 'All_scenes')
    assert convert(root, '--lists-dir', 'All_scenes', '--video-dir', 'a/b', '--video-suffix', '.mp4') == 0
    assert read_lists(root / 'lists')['fold1']['test'][0][0] == f'{root.resolve()}/a/b/Action/Happy/0002.mp4'
    assert convert(root, '--lists-dir', 'All_scenes', '--streams', 'both', '--audio-dir', 'wav') == 0
    assert read_lists(root / 'lists')['fold1']['test'][0][1] == f'{root.resolve()}/wav/Action/Happy/0002.wav'


@pytest.mark.parametrize('streams', ['audio', 'both'])
def test_sound_that_is_not_there_is_refused(root: Path, streams: str, capsys: pytest.CaptureFixture) -> None:
    assert convert(root, '--streams', streams) == 1
    assert 'FERV39k is distributed as pictures without sound: use --streams video' in capsys.readouterr().err
    assert not (root / 'lists').exists()


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('Action/Happy/0001\n', "test_All.csv, line 1: expected a line such as 'Action/Happy/0267 Happy'"),
        ('War/Sad/0001 Sad\nWar/Sad/0002 sad\n', "test_All.csv, line 2: 'sad' is none of the 7 labels Happy, Sad,"),
        ('path label\n', "test_All.csv, line 1: 'path' is no clip of one of the 22 scenes"),
        ('Moon/Sad/0001 Sad\n', "line 1: 'Moon/Sad/0001' is no clip of one of the 22 scenes"),
        ('War/Sad/0001 Sad\nWar/Sad/0001 Sad\n', 'War/Sad/0001 is in test and again in test; nothing was written'),
        ('', 'fold1/test would be empty'),
        (None, 'test_All.csv does not exist'),
    ],
)
def test_bad_lists_are_named(root: Path, text: str | None, message: str, capsys: pytest.CaptureFixture) -> None:
    path = root / '4_setups' / 'All_scenes' / 'test_All.csv'
    if text is None:
        path.unlink()
    else:
        path.write_text(text)
    assert convert(root) == 1
    assert message in capsys.readouterr().err
    assert not (root / 'lists').exists()
