from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.test_tools.modules import load_tool


def test_features_and_words_of_a_table(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    for name, array in dict(a=np.ones(4), b=np.ones((2, 4)), c=np.ones(5), d=np.array([1, np.nan, 1, 1])).items():
        np.save(tmp_path / f'{name}.npy', array)
    rows = ['a,a.npy,no', 'b,b.npy,', 'c,c.npy,no', 'd,d.npy,no', 'e,e.npy,no', 'f,,no']
    table = tmp_path / 'clips.csv'
    table.write_text('\n'.join(['sample_id,face,text', *rows]) + '\n')
    tool, clean = load_tool('misc/verify_dataset.py'), tmp_path / 'clean.csv'
    code = tool.main([str(table), '--data-root', str(tmp_path), '--out', str(clean), '--num-workers', '0'])
    assert code == 1
    report = json.loads((tmp_path / 'clean.report.json').read_text())
    problems = {defect['position']: defect['problems'] for defect in report['defects']}
    assert [(kind, stream) for ((kind, stream, _),) in problems.values()] == [
        ('mismatched', 'face'), ('broken', 'face'), ('missing', 'face'),
    ]  # fmt: skip
    assert 'c.npy has vectors of length 5, 2 others 4' in problems['line 4'][0][2]
    assert 'not finite' in problems['line 5'][0][2]
    assert clean.read_text().splitlines() == [
        'sample_id,face,text',
        *rows[:2],
        rows[5],
    ]  # an empty cell lacks the stream
    table.write_text('{"sample_id": "a", "text": " "}\n{"sample_id": "b", "text": 3}\n')
    table = table.rename(tmp_path / 'clips.jsonl')
    assert tool.main([str(table), '--data-root', str(tmp_path), '--num-workers', '0']) == 1
    report = json.loads((tmp_path / 'clips.report.json').read_text())
    assert [defect['problems'][0][0] for defect in report['defects']] == ['silent', 'broken']
