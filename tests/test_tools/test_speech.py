"""From a folder of recordings to a trained fold, as a user does it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from hicmae_mm.datasets.tables import read_table
from hicmae_mm.datasets.writers import write_wav
from tests.test_tools.command import folder_names, last_line, run_tool
from tests.test_tools.converters import load_converter

TOOL = 'dataset_converters/speech.py'
PITCHES_HZ = {'calm': 110, 'tense': 260}


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """Three speakers, two classes that differ in their pitch, at 8 kHz."""
    generator = np.random.default_rng(0)
    for number, speaker in enumerate(('anna', 'ben', 'cleo')):
        for label, hz in PITCHES_HZ.items():
            for take in range(4):
                time = np.arange(int(generator.uniform(0.5, 0.9) * 8000)) / 8000
                pitch = hz * (1 + 0.1 * number + 0.02 * take)
                tone = sum(np.sin(2 * np.pi * k * pitch * time) / k for k in range(1, 5))
                path = tmp_path / 'corpus' / label / f'{speaker}_{take}.wav'
                write_wav(path, 0.2 * tone + generator.normal(0, 0.005, len(time)), 8000)
    return tmp_path / 'corpus'


def convert(corpus: Path, *options: object) -> int:
    arguments = map(str, (corpus, '--out-dir', corpus.parent / 'out', *options))
    return int(load_converter('speech').main(list(arguments)))


SPEAKER = ('--speaker-pattern', r'/([a-z]+)_\d')


def test_lists_statistics_and_config(corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert convert(corpus, *SPEAKER) == 0
    printed = capsys.readouterr().out.splitlines()
    assert printed[0] == 'fold1: train/test 16/8, tests anna'
    assert printed[3] == '24 recordings of 2 classes: calm, tense'
    assert printed[4].endswith('out/config.py --folds 1-3')
    out = corpus.parent / 'out'
    assert folder_names(out) == {'config.py', 'fold1', 'fold2', 'fold3', 'voice'}
    assert (out / 'fold1/test.csv').read_text().splitlines()[:2] == [
        'sample_id,audio,label,speaker',
        f'calm/anna_0.wav,{corpus}/calm/anna_0.wav,calm,anna',
    ]
    rows = np.stack([np.load(path) for path in sorted((out / 'voice/calm').glob('anna*.npy'))])
    assert rows.shape == (4, 1496)
    assert np.abs(rows).max() <= 5


def test_hostile_corpora_end_in_one_line(corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def message(*options: object) -> str:
        assert convert(corpus, *options) == 1
        assert not (corpus.parent / 'out').exists()
        return capsys.readouterr().err.strip()

    assert message('--speaker-pattern', '(wav)') == (
        "error: all recordings are of the speaker 'wav'; folds by speaker need at least two. Does the pattern of the "
        'speaker match the right part of the names?'
    )
    assert 'expected recordings of at least two classes' in message(*SPEAKER, '--without', 'calm')
    assert 'does not tell the class' in message('--emodb')
    for take in range(4):
        (corpus / f'tense/ben_{take}.wav').unlink()
        (corpus / f'tense/cleo_{take}.wav').unlink()
    assert "only the tested speakers ['anna'] have the class 'tense'" in message(*SPEAKER)
    (corpus / 'calm/ben_0.wav').write_bytes(b'')
    (corpus / 'tense/ben_9.wav').write_bytes((corpus / 'calm/ben_1.wav').read_bytes())
    assert 'calm/ben_0.wav' in message(*SPEAKER)
    assert convert(corpus, *SPEAKER, '--skip-broken') == 0
    assert 'left out: ' in capsys.readouterr().out
    assert convert(corpus / 'absent', *SPEAKER) == 1
    assert 'is not a folder' in capsys.readouterr().err


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ((), 'name one of --emodb, --table and --speaker-pattern'),
        (('--speaker-pattern', '[a-z]'), 'has no group in round brackets'),
        (('--speaker-pattern', '('), 'is not a regular expression'),
        (('--emodb', '--stratified', '5'), '--stratified is for speakers that are not known'),
        (('--emodb', '--train', '0'), '--train must be at least 1'),
    ],
)
def test_wrong_options(
    options: tuple[str, ...], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        convert(tmp_path, *options)
    assert message in capsys.readouterr().err


def test_without_speakers_the_folds_have_equal_shares_of_classes(
    corpus: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (corpus / 'calm' / 'ben_0.wav').unlink()
    assert convert(corpus, '--stratified', 3) == 0
    printed = capsys.readouterr().out
    assert 'warning: speakers are not known, so the same person can be in the training and the test part' in printed
    out, tested = corpus.parent / 'out', []
    for fold, (train, test) in enumerate(((15, 8), (15, 8), (16, 7)), start=1):
        assert f'fold{fold}: train/test {train}/{test}\n' in printed
        rows = [row for _, row in read_table(out / f'fold{fold}' / 'test.csv')]
        assert list(rows[0]) == ['sample_id', 'audio', 'label']
        assert sum(row['label'] == 'tense' for row in rows) == 4
        tested += [row['sample_id'] for row in rows]
    assert len(set(tested)) == len(tested) == 23
    assert convert(corpus, '--stratified', 12) == 1
    assert "the class 'calm' has 11 recordings, 12 folds need one each" in capsys.readouterr().err


@pytest.mark.slow
def test_one_command_from_a_corpus_of_another_layout_to_the_table(corpus: Path) -> None:
    """A table tells class and speaker; the files are flac, stereo, 44.1 kHz, and their names say nothing."""
    root, lines = corpus.parent / 'archive', ['speaker,take,audio,label']
    for number, path in enumerate(sorted(corpus.rglob('*.wav'))):
        samples, rate = soundfile.read(path)
        place = np.arange(int(len(samples) / rate * 44100)) * rate / 44100
        wave = np.interp(place, np.arange(len(samples)), samples)
        name = f'disc{number % 2}/REC-{number:04d}.FLAC'
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(root / name, np.stack([wave, 0.5 * wave], axis=1), 44100, format='FLAC')
        speaker, take = path.stem.split('_')
        if speaker != 'cleo':  # two folds are enough
            lines.append(f'"{speaker.title()}, studio",{take},{name},{path.parent.name}')
    table = corpus.parent / 'about.csv'
    table.write_text('\n'.join(lines) + '\n')
    out = corpus.parent / 'out'
    result = run_tool(TOOL, root, '--table', table, '--out-dir', out, '--train')
    assert '16 recordings of 2 classes: calm, tense' in result.stdout
    written = (out / 'folds' / 'folds.md').read_text()
    pooled = next(line for line in written.splitlines() if line.startswith('| pooled'))
    assert float(pooled.split('|')[3]) > 90, written
    wrong = run_tool('kfold.py', out / 'config.py', '--folds', '4', '--work-dir', out / 'folds', check=False)
    assert wrong.returncode == 1
    assert 'fold4' in last_line(wrong)
