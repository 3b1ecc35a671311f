"""benchmarks/bucketing.py on few clips: padding by hand, and times that are there."""

from __future__ import annotations

import json
import runpy
from pathlib import Path

import pytest

PROGRAM = Path(__file__).resolve().parents[2] / 'benchmarks' / 'bucketing.py'


@pytest.mark.slow
def test_padding_and_time(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main, out = runpy.run_path(str(PROGRAM))['main'], tmp_path / 'numbers.json'
    assert main(['--clips', '80', '--batch-size', '2', '--timed', '2', '--json', str(out)]) == 0
    found = json.loads(out.read_text())
    assert found['clip by clip']['padding'] == 0
    assert found['similar length']['padding'] < 0.1 < found['random order']['padding']
    assert all(row['processor_seconds_of_clip'] > 0 for row in found.values())
    assert capsys.readouterr().out.count('| clip by clip | 0.0% |') == 1
