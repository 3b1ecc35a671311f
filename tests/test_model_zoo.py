"""docs/model_zoo.md lists every config with the numbers of configs/metafile.yml."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from hicmae_mm.measuring.metafile import read_metafile

ROOT = Path(__file__).resolve().parents[1]
HEADER = '| config | data | epochs | parameters (M) | MAC (G) | published |\n|---|---|---|---|---|---|'


def row_of(entry: dict[str, Any]) -> str:
    """A model's line of the table."""
    facts, result = entry['Metadata'], entry['Results'][0]
    published = ', '.join(f'{name} {value:g}' for name, value in (result.get('Published') or {}).items())
    cells = [
        f'[{entry["Name"]}](../{entry["Config"]})' + (f', [weights]({entry["Weights"]})' if entry['Weights'] else ''),
        facts['Training Data'],
        str(facts['Epochs']),
        f'{facts["Parameters"] / 1e6:.1f}',
        f'{facts["FLOPs"] / 2e9:.1f}',
        published,
    ]
    return f'| {" | ".join(cells)} |'.replace('|  |', '| |')


def test_table_is_that_of_the_metafile() -> None:
    entries = read_metafile(ROOT / 'configs' / 'metafile.yml')['Models']
    expected = '\n'.join([HEADER, *map(row_of, entries)])
    text = (ROOT / 'docs' / 'model_zoo.md').read_text(encoding='utf-8')
    found = re.search(r'^\| config \|.*?(?=\n\n)', text, re.M | re.S)
    assert found is not None
    assert found[0] == expected, f'the table of docs/model_zoo.md should be\n\n{expected}'


def test_page_says_whether_there_are_weights() -> None:
    entries = read_metafile(ROOT / 'configs' / 'metafile.yml')['Models']
    text = (ROOT / 'docs' / 'model_zoo.md').read_text(encoding='utf-8')
    assert ('No trained weights are published' in text) == all(entry['Weights'] is None for entry in entries)
