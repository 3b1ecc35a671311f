from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hicmae_mm.datasets.conversion.candidate_labels import CandidateRates, draw_candidates
from hicmae_mm.datasets.tables import read_table
from tests.test_tools.in_process import call, failure

TOOL = 'dataset_converters/candidate_labels.py'


def test_rates_are_those_that_were_asked_for() -> None:
    labels = np.arange(30_000) % 5
    candidates = draw_candidates(labels, 5, CandidateRates(0.3, 0.2), seed=1)
    has_true = candidates[np.arange(len(labels)), labels]
    assert has_true.mean() == pytest.approx(0.8, abs=0.01)
    # a clip with its true class has 4 * 0.3 others; a noisy one has the given class, and 0.3 of the other three
    assert candidates[has_true].sum(axis=1).mean() == pytest.approx(2.2, abs=0.02)
    assert candidates[~has_true].sum(axis=1).mean() == pytest.approx(1.9, abs=0.03)
    assert np.array_equal(candidates, draw_candidates(labels, 5, CandidateRates(0.3, 0.2), seed=1))
    assert not np.array_equal(candidates, draw_candidates(labels, 5, CandidateRates(0.3, 0.2), seed=2))


def test_a_list_becomes_a_table_of_candidates(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / 'train.txt').write_text('a.mp4 - sad\nb.mp4 b.wav happy\n')
    call(TOOL, tmp_path / 'train.txt', '--classes', 'happy', 'sad', '--partial-rate', 0, '--noise-rate', 0)
    assert '2 clips with 1.00 candidates on average' in capsys.readouterr().out
    rows = [row for _, row in read_table(tmp_path / 'train_candidates.csv')]
    assert [(row['video'], row['label'], row['true_label']) for row in rows] == [
        ('a.mp4', 'sad', 'sad'),
        ('b.mp4', 'happy', 'happy'),
    ]


def test_several_lists_draw_with_seeds_of_their_own(tmp_path: Path) -> None:
    folds = [tmp_path / name for name in ('fold1.txt', 'fold2.txt')]
    for fold in folds:
        fold.write_text(''.join(f'{number}.mp4 - {number % 4}\n' for number in range(50)))
    call(TOOL, *folds, '--num-classes', 4, '--partial-rate', 0.5)
    first, second = (fold.with_name(f'{fold.stem}_candidates.csv').read_text() for fold in folds)
    assert first != second
    call(TOOL, folds[1], '--num-classes', 4, '--partial-rate', 0.5, '--seed', 1)
    assert folds[1].with_name('fold2_candidates.csv').read_text() == second


def test_mistakes_end_in_one_line(tmp_path: Path) -> None:
    (tmp_path / 'train.txt').write_text('a.mp4 - proud\n')
    line = (TOOL, tmp_path / 'train.txt', '--partial-rate', 0.1)
    assert 'train.txt, line 1: ' in failure(*line, '--classes', 'happy', 'sad')
    assert failure(*line[:2], '--partial-rate', 1.0, '--num-classes', 2).startswith('the partial rate must lie in 0..1')
    (tmp_path / 'train.txt').write_text('')
    assert 'lists no clips' in failure(*line, '--num-classes', 2)
