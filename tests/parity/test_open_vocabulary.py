"""Open-vocabulary measures over the challenges' public maps, which are not part of this project."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hicmae_mm.evaluation.emotion_wheels import EDITIONS, LEVELS, EmotionWheels
from hicmae_mm.evaluation.functional.open_vocabulary import all_wheel_measures, group_measures, wheel_means
from hicmae_mm.evaluation.word_lists import as_groups, as_words


@pytest.fixture(scope='module')
def folder(parity_dir: Path) -> Path:
    path = parity_dir / 'open_vocabulary'
    if not path.is_dir():
        pytest.skip(f'{path} does not exist: the maps are data of others (HICMAE_PARITY_DIR)')
    return path


@pytest.fixture(scope='module')
def content(folder: Path) -> dict[str, Any]:
    return json.loads((folder / 'open_vocabulary.json').read_text())


def pairs(content: dict[str, Any]) -> list[tuple[list[str], list[str]]]:
    return [(as_words(case['truth']), as_words(case['predicted'])) for case in content['cases'].values()]


def test_groups(content: dict[str, Any]) -> None:
    found = group_measures(pairs(content), [as_groups(case['groups']) for case in content['cases'].values()])
    assert found == pytest.approx(content['expected']['mer2024'], abs=1e-9)


@pytest.mark.parametrize('edition', EDITIONS)
def test_wheels(content: dict[str, Any], folder: Path, edition: int) -> None:
    expected = content['expected'][f'wheel_{edition}']
    measures = all_wheel_measures(pairs(content), EmotionWheels.read(folder, edition), LEVELS)
    means = {f'mean_{level}': value for level, value in wheel_means(measures).items()}
    assert set(measures) | set(means) == set(expected)
    for name, found in (measures | means).items():
        assert found == pytest.approx(expected[name], abs=1e-9), name
