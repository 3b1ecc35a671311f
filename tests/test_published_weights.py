"""published-weights.yml and the table of docs/model_zoo.md say the same, and claim no hash that is none."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
FIELDS = ('system', 'what', 'where', 'format', 'licence', 'sha256')
ENTRIES: list[dict[str, Any]] = yaml.safe_load((ROOT / 'published-weights.yml').read_text(encoding='utf-8'))


@pytest.mark.parametrize('entry', ENTRIES, ids=lambda entry: f'{entry["system"]}: {entry["what"]}')
def test_an_entry_is_complete_and_stands_on_the_page(entry: dict[str, Any]) -> None:
    assert tuple(entry) == FIELDS
    assert entry['sha256'] is None or re.fullmatch('[0-9a-f]{64}', entry['sha256'])
    cells = [str(entry[name]) for name in FIELDS[:-1]] + [entry['sha256'] or 'not known yet']
    page = (ROOT / 'docs' / 'model_zoo.md').read_text(encoding='utf-8')
    assert f'| {" | ".join(cells)} |' in page


def test_the_page_has_no_other_rows() -> None:
    page = (ROOT / 'docs' / 'model_zoo.md').read_text(encoding='utf-8')
    table = page.partition('| system | what |')[2].partition('\n\n')[0]
    assert len(table.splitlines()) == len(ENTRIES) + 2


def test_fine_tuned_models_of_the_authors_are_listed() -> None:
    found = {entry['what'] for entry in ENTRIES if entry['system'] == 'HiCMAE'}
    assert any('CREMA-D' in what for what in found)
    assert any('MAFW' in what for what in found)
