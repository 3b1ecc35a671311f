from __future__ import annotations

import json
from copy import deepcopy

import cv2
import pytest

from benchmarks.jobs import PARTS, ROOT
from benchmarks.plots import draw_all
from benchmarks.tables import TABLES, block, fill_page, numbers_of
from tests.benchmarks.results import RESULTS


def rows_of(part: str) -> list[list[str]]:
    lines = [line for line in block(part, RESULTS).splitlines() if line.startswith('|')]
    return [[cell.strip() for cell in line.strip('|').split('|')] for line in lines]


def test_page_is_what_its_results_give() -> None:
    file = ROOT / 'docs' / 'benchmarks' / 'results.json'
    results = json.loads(file.read_text()) if file.exists() else {}
    page = (ROOT / 'docs' / 'benchmarks.md').read_text()
    assert fill_page(page, results) == page, 'run `python benchmarks/run.py --tables`'


def test_every_part_has_a_place_in_the_page() -> None:
    page = '\n'.join(f'<!-- generated: begin {part} -->x<!-- generated: end {part} -->' for part in PARTS)
    filled = fill_page(page, RESULTS)
    assert 'x<' not in filled
    assert fill_page(filled, RESULTS) == filled
    assert set(TABLES) == set(PARTS)
    with pytest.raises(ValueError, match='the page has 0 places between .* begin data'):
        fill_page(page.replace('begin data', 'begin dates'), RESULTS)


def test_model() -> None:
    steps = rows_of('model')
    published, style, here, times, memory, seconds, rate = steps[2][1:]
    assert (published, style) == ('0.51, 3.6 GB', '0.53, 4.2 GB')  # 1.6 / 3; 4000 MiB in 10^9 bytes
    assert (here, times, memory) == ('**0.80**, 2.1 GB', '**1.50**', '0.50')
    assert (seconds, rate) == ('2 s of 4, 2/s', '100 of 125')
    assert steps[3][:3] == ['inference', '0.79', '']
    assert steps[6] == ['pre-training', 'all of the published style', '1.50', '2.00 (4.19 GB)', '0.53', '']
    assert steps[7][1:3] == ['attention in single operations', '1.25']
    assert steps[8][-1] == 'compiling 30 s, 0 graph breaks, 1 compiled later'


def test_data() -> None:
    rows = rows_of('data')
    assert rows[2][1:] == ['67/s, 15.0 ms', '75 ms', '**5.0**', '30 ms', '**2.0**']
    assert rows[3][1:] == ['200/s, 5.0 ms', '75 ms', '**15.0**', '30 ms', '**6.0**']
    assert rows[6][1:] == [
        '1.00', '2.00', '11.50', '0.50', '0.25', 'Filterbank 11.5, DecodeFrames 2.0, OpenVideo 1.0'
    ]  # fmt: skip
    assert rows[-1][1:] == ['200', '100', '200']


def test_other_parts() -> None:
    assert rows_of('lists')[2] == ['1 100 000', '0.70 s', '+101 MiB', '+109 MiB', '9 MiB', '+0.7 MiB']
    assert block('gpu', RESULTS) == '2026-01-02, Some CPU: no GPU: not measured.'
    assert rows_of('ranks')[3:] == [
        ['2 ranks that know nothing of each other', '3', '2.00', ''],
        ['2 ranks, data parallel', '2.7', '1.80', '10%'],
    ]
    assert block('export', RESULTS) == 'Not measured yet: `python benchmarks/run.py --only export`.'
    assert '310 s, **1.72** times as fast as before (532 s). UAR: A+V 0.900, chance 0.167.' in block(
        'quickstart', RESULTS
    )
    assert dict(numbers_of({'two_ranks': [{'seconds': 1.25, 'ok': True}], 'n': 2})) == {
        'two ranks 0 seconds': '1.25',
        'n': '2',
    }


def test_what_failed_is_said_and_loses_nothing_else() -> None:
    results = deepcopy(RESULTS)
    results['data']['jobs']['shards'] = {'command': 'python shards.py', 'seconds': 1.0, 'error': 'error: no disk'}
    text = block('data', results)
    assert 'Failed: shards: `error: no disk`' in text
    assert '| pre-training, 224x224 H.264 and wav | 67/s' in text


def test_plots(tmp_path) -> None:
    assert [path.name for path in draw_all(RESULTS, tmp_path)] == ['model.png', 'data.png']
    for name in ('model', 'data'):
        picture = cv2.imread(str(tmp_path / f'{name}.png'))
        assert picture.shape[1] == 900
        assert (tmp_path / f'{name}.png').stat().st_size < 40_000
        assert (picture[0, 0] > 250).all()
