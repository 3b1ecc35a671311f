"""From a folder of recordings to a trained fold, as a user does it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

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
    ],
)
def test_wrong_options(
    options: tuple[str, ...], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        convert(tmp_path, *options)
    assert message in capsys.readouterr().err


@pytest.mark.slow
def test_a_fold_is_learnt_through_the_written_config(corpus: Path) -> None:
    run_tool(TOOL, corpus, '--out-dir', corpus.parent / 'out', *SPEAKER)
    config, work_dir = corpus.parent / 'out/config.py', corpus.parent / 'work'
    options = ('--cfg-options', 'train_cfg.max_epochs=12', 'train_cfg.val_interval=12')
    options += ('default_hooks.checkpoint.interval=12',)
    run_tool('kfold.py', config, '--folds', '1-2', '--work-dir', work_dir, *options)
    table = (work_dir / 'folds.md').read_text()
    pooled = next(line for line in table.splitlines() if line.startswith('| pooled'))
    assert float(pooled.split('|')[3]) > 90, table
    wrong = run_tool('kfold.py', config, '--folds', '4', '--work-dir', work_dir, check=False)
    assert wrong.returncode == 1
    assert 'fold4' in last_line(wrong)
