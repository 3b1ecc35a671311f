"""``analysis_tools/zoo.py``: measures, resumes, names what is too big, and writes the table."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hicmae_mm.config.paths import configs_root
from tests.test_tools.command import last_line, run_tool

ZOO = 'analysis_tools/zoo.py'
CONFIG = configs_root() / 'svfap' / 'svfap_nano_synthetic.py'


@pytest.fixture
def page(tmp_path: Path) -> Path:
    path = tmp_path / 'page.md'
    path.write_text('# Page\n<!-- zoo: begin -->\n<!-- zoo: end -->\n')
    return path


@pytest.mark.slow
def test_a_rerun_measures_only_what_is_missing(tmp_path: Path, page: Path) -> None:
    store = tmp_path / 'zoo.jsonl'
    options = (CONFIG, '--store', store, '--page', page, '--iters', '1', '--threads', '1')
    run_tool(ZOO, *options, '--most-memory-gb', '0.05')
    assert '| `svfap_nano_synthetic` | 0.7 | 0.0324 | too big for 0.1 GB |' in page.read_text()
    run_tool(ZOO, *options)  # there is more memory now
    (record,) = map(json.loads, store.read_text().splitlines())
    assert set(record['reports']) == {'train', 'infer'}
    assert all(0 < report['matmul_fraction'] < 1.5 for report in record['reports'].values())
    assert 'too big' not in page.read_text()
    before = store.read_bytes(), page.read_bytes()
    run_tool(ZOO, *options)
    assert (store.read_bytes(), page.read_bytes()) == before


@pytest.mark.slow
def test_a_wrong_page_or_config_ends_in_one_line(tmp_path: Path, page: Path) -> None:
    page.write_text('no marks\n')
    result = run_tool(ZOO, CONFIG, '--store', tmp_path / 'z.jsonl', '--page', page, '--table', check=False)
    assert (result.returncode, page.read_text()) == (1, 'no marks\n')
    assert (
        last_line(result)
        == f'error: {page} lacks the marks <!-- zoo: begin --> and <!-- zoo: end -->, each on a line of its own'
    )
    result = run_tool(ZOO, tmp_path / 'none.py', '--store', tmp_path / 'z.jsonl', check=False)
    assert result.returncode == 1
    assert last_line(result) == f'error: config file {tmp_path}/none.py does not exist'
