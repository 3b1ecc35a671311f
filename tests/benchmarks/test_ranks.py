"""benchmarks/ranks.py: the numbers of a small model, and ratios by hand."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.ranks import Plan, describe, main, markdown, summary


def test_ratios_by_hand() -> None:
    first = dict(alone=2.0, independent=3.0, data_parallel=4.0, sharded=5.0)
    second = dict(independent=2.5, data_parallel=3.5, sharded=6.0)
    found = summary([first, second], Plan('config.py', batch_size=6, iters=1, ranks=2))
    assert found['clips_per_s'] == dict(alone=3.0, independent=4.0, data_parallel=3.0, sharded=2.0)
    assert found['ratio_to_one_rank'] == pytest.approx(dict(independent=4 / 3, data_parallel=1.0, sharded=2 / 3))
    assert found['communication_share'] == pytest.approx(dict(data_parallel=0.25, sharded=0.5))
    assert 'data_parallel    3.000 clips/s, 1.00 times one rank, communication 25%' in describe(found)
    assert markdown(found).endswith('| data_parallel | 2 | 3 | 1.00 | 25% |\n| sharded | 2 | 2 | 0.67 | 50% |')


@pytest.mark.slow
@pytest.mark.dist
def test_every_way_is_timed(tmp_path: Path) -> None:
    out = tmp_path / 'numbers.json'
    assert main(['--quick', '--json', str(out)]) == 0
    found = json.loads(out.read_text())
    assert found['ranks'] == 2
    assert all(rate > 0 for rate in found['clips_per_s'].values())


def test_an_absent_config_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(['--config', 'absent.py']) == 1
    assert capsys.readouterr().err.startswith('error: ')
