from __future__ import annotations

import re
from pathlib import Path

import pytest

from hicmae_mm.datasets.speech import (
    EMODB,
    Naming,
    Recording,
    check_recordings,
    recordings_by_name,
    recordings_of_table,
    speaker_folds,
)


def made(*names: str) -> list[Recording]:
    """Recordings of names such as ``anna_calm_1``."""
    return [Recording(Path(name), name, name.split('_')[1], name.split('_')[0]) for name in names]


def test_names_of_emodb(tmp_path: Path) -> None:
    for name in ('03a01Wa.wav', '16b10Tb.flac', '08a02Na.wav', '08a02F.wav', 'notes.txt'):
        (tmp_path / name).touch()
    found = [(item.name, item.label, item.speaker) for item in recordings_by_name(tmp_path, EMODB)]
    assert found == [
        ('03a01Wa.wav', 'anger', '03'),
        ('08a02F.wav', 'happiness', '08'),
        ('08a02Na.wav', 'neutral', '08'),
        ('16b10Tb.flac', 'sadness', '16'),
    ]
    (tmp_path / 'other.wav').touch()
    with pytest.raises(ValueError, match=r'other\.wav: the path does not tell the class'):
        recordings_by_name(tmp_path, EMODB)


def test_folders_of_classes(tmp_path: Path) -> None:
    for name in ('calm/anna_1.wav', 'tense/sub/ben_1.wav'):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).touch()
    naming = Naming(re.compile(r'^([^/]+)/'), re.compile(r'([a-z]+)_\d'))
    found = recordings_by_name(tmp_path, naming)
    assert [(item.label, item.speaker) for item in found] == [('calm', 'anna'), ('tense', 'ben')]
    assert found[1].path == tmp_path / 'tense/sub/ben_1.wav'
    with pytest.raises(ValueError, match=r"calm/anna_1\.wav: the path does not tell the speaker, .* 'S\(\\\\d\)'"):
        recordings_by_name(tmp_path, Naming(naming.label, re.compile(r'S(\d)')))


def test_a_table(tmp_path: Path) -> None:
    (tmp_path / 'a b.wav').touch()
    table = tmp_path / 'clips.csv'
    table.write_text('audio,label,speaker,age\na b.wav,calm,anna,7\n')
    assert recordings_of_table(table, tmp_path) == [Recording(tmp_path / 'a b.wav', 'a b.wav', 'calm', 'anna')]
    table.write_text('audio,label,speaker\na b.wav,calm,\n')
    with pytest.raises(ValueError, match=r'clips\.csv, line 2: speaker is missing'):
        recordings_of_table(table, tmp_path)
    table.write_text('audio,label,speaker\nb.wav,calm,anna\n')
    with pytest.raises(FileNotFoundError, match=r'line 2: .*b\.wav does not exist'):
        recordings_of_table(table, tmp_path)
    with pytest.raises(FileNotFoundError, match=r'absent\.csv does not exist'):
        recordings_of_table(tmp_path / 'absent.csv', tmp_path)


def test_classes_can_be_left_out() -> None:
    recordings = made('a_calm', 'a_tense', 'b_bored')
    assert len(check_recordings(recordings, {'bored'})) == 2
    with pytest.raises(ValueError, match=r"there is no class 'happy' to leave out"):
        check_recordings(recordings, {'happy'})
    with pytest.raises(ValueError, match='at least two classes'):
        check_recordings(recordings, {'bored', 'calm'})
    with pytest.raises(ValueError, match='a_calm is listed twice'):
        check_recordings([*recordings, recordings[0]])


def test_a_fold_for_every_speaker_or_group() -> None:
    recordings = made(*(f'{speaker}_{label}' for speaker in 'abcde' for label in ('calm', 'tense')))
    folds = speaker_folds(recordings)
    assert [{item.speaker for item in fold['test']} for fold in folds.values()] == [{name} for name in 'abcde']
    assert all(len(fold['train']) == 8 for fold in folds.values())
    grouped = speaker_folds(recordings, 2)
    assert [len(fold['test']) for fold in grouped.values()] == [4, 6]
    for fold in grouped.values():
        assert not {item.speaker for item in fold['train']} & {item.speaker for item in fold['test']}


def test_folds_that_cannot_work_are_refused() -> None:
    with pytest.raises(ValueError, match="all recordings are of the speaker 'a'"):
        speaker_folds(made('a_calm', 'a_tense'))
    with pytest.raises(ValueError, match=r'--folds must be from 2 to the number of speakers, 2, got 3'):
        speaker_folds(made('a_calm', 'b_tense'), 3)
    with pytest.raises(ValueError, match=r"fold2: only the tested speakers \['b'\] have the class 'tense'"):
        speaker_folds(made('a_calm', 'b_calm', 'b_tense', 'c_calm'))
