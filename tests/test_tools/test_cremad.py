"""CREMA-D's converter on the names of all its clips: the published fold sizes, to the clip."""

from __future__ import annotations

import hashlib
from collections import Counter
from itertools import product
from pathlib import Path

import pytest

from tests.test_tools.converters import load_converter, read_lists

SENTENCES = ('DFA', 'IEO', 'IOM', 'ITH', 'ITS', 'IWL', 'IWW', 'MTI', 'TAI', 'TIE', 'TSI', 'WSI')
EMOTIONS = ('ANG', 'DIS', 'FEA', 'HAP', 'NEU', 'SAD')
# sentences that were never recorded, or without one emotion
MISSING = ('1002_TIE_NEU', '1008_WSI', '1009_MTI', '1019_ITH', '1076_ITS_NEU')
DIGEST = '4e980e1ad0e30318f900b5530226418434f3bc8e684c77a15cbf4996ae136fd2'  # of the real names, sorted, one a line
REAL_NAMES = Path(__file__).resolve().parents[2].parent / 'shared' / 'data' / 'cremad_filenames.txt'
SIZES = {
    'fold1': (5974, 1463),
    'fold2': (5967, 1470),
    'fold3': (5962, 1475),
    'fold4': (5963, 1474),
    'fold5': (5882, 1555),
}
DROPPED = {'1064_IEO_DIS_MD', '1064_TIE_SAD_XX', '1076_MTI_NEU_XX', '1076_MTI_SAD_XX', '1040_ITH_SAD_XX'}


def real_names() -> list[str]:
    """91 actors, 12 sentences, 6 emotions; one sentence in three intensities where there is an emotion."""
    names = []
    for actor, sentence, emotion in product(range(1001, 1092), SENTENCES, EMOTIONS):
        intensities = ('HI', 'LO', 'MD') if sentence == 'IEO' and emotion != 'NEU' else ('XX',)
        names += [f'{actor}_{sentence}_{emotion}_{intensity}' for intensity in intensities]
    return sorted(name for name in names if not name.startswith(MISSING))


@pytest.fixture(scope='module')
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp('cremad')
    (folder / 'AudioWAV').mkdir()
    for name in real_names():
        (folder / 'AudioWAV' / f'{name}.wav').touch()
    return folder


def convert(root: Path, out_dir: Path, *options: str) -> dict[str, dict[str, list[list[str]]]]:
    assert load_converter('cremad').main([str(root), '--out-dir', str(out_dir), '--no-check-media', *options]) == 0
    return read_lists(out_dir)


def sizes_of(lists: dict[str, dict[str, list[list[str]]]]) -> dict[str, tuple[int, int]]:
    return {fold: (len(parts['train']), len(parts['test'])) for fold, parts in lists.items()}


def clips_of(rows: list[list[str]]) -> list[str]:
    return [Path(row[0]).name for row in rows]


def test_names_are_the_real_ones() -> None:
    names = real_names()
    assert len(names) == 7442
    assert hashlib.sha256('\n'.join(names).encode()).hexdigest() == DIGEST
    if REAL_NAMES.is_file():
        assert names == sorted(REAL_NAMES.read_text().split())


def test_folds_have_the_published_sizes(root: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    lists = convert(root, tmp_path)
    assert sizes_of(lists) == SIZES
    assert capsys.readouterr().out.count('as published') == 5
    tested = Counter(clip for parts in lists.values() for clip in clips_of(parts['test']))
    assert set(tested) == set(real_names()) - DROPPED
    assert set(tested.values()) == {1}
    for number, parts in enumerate(lists.values()):
        actors = {part: {int(clip[:4]) for clip in clips_of(rows)} for part, rows in parts.items()}
        assert actors['train'].isdisjoint(actors['test'])
        last = 1091 if number == 4 else 1018 + 18 * number
        assert actors['test'] == set(range(1001 + 18 * number, last + 1))
        for video, audio, label in parts['test']:
            assert Path(audio).stem == Path(video).name
            assert EMOTIONS[int(label)] == Path(video).name.split('_')[2]


def test_the_clip_that_the_published_lists_lack_can_be_kept(root: Path, tmp_path: Path) -> None:
    lists = convert(root, tmp_path, '--with-1040-ith-sad')
    more = {'fold3': (0, 1)}  # actor 40 of 1 to 91 is tested by the third fold, and trains all others
    for fold, (train, test) in sizes_of(lists).items():
        more_train, more_test = more.get(fold, (1, 0))
        assert (train, test) == (SIZES[fold][0] + more_train, SIZES[fold][1] + more_test)
    assert '1040_ITH_SAD_XX' in clips_of(lists['fold3']['test'])


def test_four_emotions_are_those_of_the_six(root: Path, tmp_path: Path) -> None:
    six = convert(root, tmp_path / 'six')['fold2']['test']
    four = convert(root, tmp_path / 'four', '--classes', '4')['fold2']['test']
    kept = {'0': '0', '3': '1', '4': '2', '5': '3'}  # anger, happiness, neutral, sadness
    assert four == [[video, audio, kept[label]] for video, audio, label in six if label in kept]


def test_a_strange_name_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    (tmp_path / 'AudioWAV').mkdir()
    (tmp_path / 'AudioWAV' / '1001_DFA_JOY_XX.wav').touch()
    assert load_converter('cremad').main([str(tmp_path), '--out-dir', str(tmp_path / 'lists')]) == 1
    assert "error: '1001_DFA_JOY_XX' is not a clip of CREMA-D" in capsys.readouterr().err
    assert not (tmp_path / 'lists').exists()


def test_the_sound_that_the_owners_spell_otherwise(root: Path, tmp_path: Path) -> None:
    owners = tmp_path / 'owners' / 'AudioWAV'
    owners.mkdir(parents=True)
    for name in real_names():
        (owners / f'{name.replace("1040_ITH_SAD_XX", "1040_ITH_SAD_X")}.wav').touch()
    assert sizes_of(convert(owners.parent, tmp_path / 'lists')) == SIZES
    lists = convert(owners.parent, tmp_path / 'more', '--with-1040-ith-sad')
    kept = [row for row in lists['fold3']['test'] if '1040_ITH_SAD' in row[0]]
    assert [(Path(video).name, Path(audio).name) for video, audio, _ in kept] == [
        ('1040_ITH_SAD_XX', '1040_ITH_SAD_X.wav')
    ]
