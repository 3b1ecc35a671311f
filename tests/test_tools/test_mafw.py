"""MAFW's converter: what counts as the protocol, what as a mistake."""

from __future__ import annotations

from pathlib import Path

import pytest

from hicmae_mm.datasets.corpora.mafw import COMPOUND_EMOTIONS, MAFW, MAFW43, SINGLE_EMOTIONS
from tests.corpora.mafw import COMPOUND, NAMES, SILENT, SINGLE, write_lists
from tests.test_tools.converters import load_converter, read_lists

LIST = Path('Train & Test Set/single/no_caption/set_2/test.txt')


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The corpus without pictures, and with one byte of sound for each clip that has any."""
    root = tmp_path / 'MAFW'
    write_lists(root / 'Train & Test Set' / 'single', SINGLE)
    write_lists(root / 'Train & Test Set' / 'compound', COMPOUND)
    for name in NAMES:
        for media in (f'audio_16k/{name}.wav', f'frames/{name}/00001.jpg'):
            path = root / 'data' / media
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b'x')
    return root


def convert(root: Path, *options: str) -> int:
    return load_converter('mafw').main([str(root), '--out-dir', str(root.parent / 'lists'), *options])


def test_classes_are_the_corpus_own() -> None:
    assert len(SINGLE_EMOTIONS) == 11
    assert len(set(COMPOUND_EMOTIONS)) == 43
    assert COMPOUND_EMOTIONS[:11] == SINGLE_EMOTIONS
    for compound in COMPOUND_EMOTIONS:  # the corpus joins emotions in the order of the single ones
        places = [SINGLE_EMOTIONS.index(emotion) for emotion in compound.split('_')]
        assert places == sorted(places)
    assert len(MAFW.METAINFO['palette']) == 11
    assert MAFW43.METAINFO['palette'][COMPOUND_EMOTIONS.index('anger_disgust')] == (106, 126, 58)


def test_labels_are_those_of_the_lists(root: Path) -> None:
    assert convert(root) == 0
    lists = read_lists(root.parent / 'lists')
    assert {Path(video).name: int(label) for video, _, label in lists['fold3']['train'] + lists['fold3']['test']} == {
        name: SINGLE_EMOTIONS.index(label) for name, label in zip(NAMES, SINGLE)
    }
    assert [Path(row[0]).name for row in lists['fold3']['test']] == ['00151', '09878']
    assert convert(root, '--task', 'compound') == 0
    (_, _, first), (_, _, second) = read_lists(root.parent / 'lists')['fold1']['test']
    assert (COMPOUND_EMOTIONS[int(first)], COMPOUND_EMOTIONS[int(second)]) == (COMPOUND[0], COMPOUND[5])


def test_clips_without_sound_are_left_out_and_named(root: Path, capsys: pytest.CaptureFixture) -> None:
    assert convert(root) == 0
    assert f'clips without sound: {SILENT}\n' in capsys.readouterr().out
    assert convert(root, '--no-check-media') == 0  # nothing is looked up, so nothing is left out
    assert SILENT in {Path(row[0]).name for row in read_lists(root.parent / 'lists')['fold1']['test']}


def test_too_many_clips_without_sound_are_a_mistake(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    converter = load_converter('mafw')
    monkeypatch.setattr(converter, 'SILENT', 2)
    for name in NAMES[:2]:
        (root / 'data' / 'audio_16k' / f'{name}.wav').write_bytes(b'')
    assert converter.main([str(root), '--out-dir', str(root.parent / 'lists')]) == 1
    assert f'{NAMES[0]}.wav' in capsys.readouterr().err
    assert not (root.parent / 'lists').exists()


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('00025.mp4 anger\n00026.mp4 rage\n', "test.txt, line 2: 'rage' is none of the 11 emotions"),
        ('00025.mp4\n', 'test.txt, line 1: expected a line such as'),
        (None, 'test.txt does not exist'),
    ],
)
def test_bad_lists_are_named(root: Path, text: str | None, message: str, capsys: pytest.CaptureFixture) -> None:
    if text is None:
        (root / LIST).unlink()
    else:
        (root / LIST).write_text(text)
    assert convert(root) == 1
    error = capsys.readouterr().err
    assert error.startswith('error: ')
    assert message in error
    assert 'set_2' in error
    assert not (root.parent / 'lists').exists()
