from __future__ import annotations

from pathlib import Path

from hicmae_mm.apis.tables import write_window_csv
from tests.visualization.results import RESULT


def test_a_row_per_window(tmp_path: Path):
    lines = write_window_csv(RESULT, tmp_path / 'windows.csv').read_text().splitlines()
    assert lines == [
        'start_seconds,end_seconds,label,joy,anger,streams,face_coverage',
        '0.0,2.0,joy,0.8,0.2,video+audio,1.0',
        '1.0,3.0,anger,0.4,0.6,video+audio,0.5',
        '4.0,6.0,,,,,0.0',
    ]
