"""``confusion_matrix.py`` on stored predictions and on a checkpoint."""

from __future__ import annotations

import json
from pathlib import Path

import mmengine
import numpy as np
import pytest
import torch

from tests.test_tools.in_process import call, failure, picture_size

pytestmark = pytest.mark.usefixtures('elsewhere')
TOOL = 'analysis_tools/confusion_matrix.py'
CLASSES = ('ANG', 'DIS', 'FEA', 'HAP', 'NEU', 'SAD')


@pytest.fixture(scope='module')
def predictions(nano_folder: Path) -> Path:
    scores = torch.eye(6)
    samples = [
        {'sample_idx': index, 'sample_id': str(index), 'pred_score': scores[guess], 'gt_label': torch.tensor([label])}
        for index, (guess, label) in enumerate([(0, 0), (1, 0), (5, 5), (5, 5), (2, 2)])
    ]
    path = nano_folder / 'predictions.pkl'
    mmengine.dump(samples, path)
    return path


def test_confusion_matrix_of_predictions(
    tmp_path: Path, recognizer: tuple[Path, Path], predictions: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    call(TOOL, recognizer[0], predictions, '--out', 'made/matrix.png')
    assert 'UAR 0.8333, WAR 0.8000 over 5 clips' in capsys.readouterr().out
    width, height = picture_size(tmp_path / 'made/matrix.png')
    assert width > height > 600
    call(TOOL, recognizer[0], predictions, '--out', 'matrix.json', '--show-path', 'shown.png', '--include-values')
    picture_size(tmp_path / 'shown.png')
    written = json.loads((tmp_path / 'matrix.json').read_text())
    assert written['classes'] == list(CLASSES)
    assert written['confusion_matrix'][0] == [1, 1, 0, 0, 0, 0]
    assert written['confusion_matrix'][5] == [0, 0, 0, 0, 0, 2]


def test_confusion_matrix_of_a_checkpoint(tmp_path: Path, recognizer: tuple[Path, Path]) -> None:
    call(TOOL, *recognizer, '--out', 'matrix.json')
    counts = np.array(json.loads((tmp_path / 'matrix.json').read_text())['confusion_matrix'])
    assert counts.sum(axis=1).tolist() == [1, 1, 0, 0, 0, 2]
    assert [path.name for path in tmp_path.iterdir()] == ['matrix.json']


def test_confusion_matrix_names_what_is_wrong(tmp_path: Path, recognizer: tuple[Path, Path]) -> None:
    assert failure(TOOL, recognizer[0], 'absent.pkl') == 'absent.pkl does not exist'
    broken = tmp_path / 'broken.pkl'
    broken.write_bytes(b'not a pickle')
    assert 'is not a file of predictions' in failure(TOOL, recognizer[0], broken)
    mmengine.dump([], broken)
    assert failure(TOOL, recognizer[0], broken).endswith('broken.pkl holds no predictions')
