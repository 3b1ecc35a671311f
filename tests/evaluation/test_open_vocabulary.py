"""Lists of words, emotion wheels and the measures of sets, on small made files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from hicmae_mm.evaluation.emotion_wheels import EmotionWheels
from hicmae_mm.evaluation.functional.open_vocabulary import group_measures, set_scores, wheel_measures
from hicmae_mm.evaluation.metrics import OpenVocabularyMetric
from hicmae_mm.evaluation.word_lists import as_groups, as_words, read_columns, read_word_lists
from tests.evaluation.wheels import write_sheet, write_wheels


@pytest.fixture(scope='module')
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_wheels(tmp_path_factory.mktemp('wheels'))


@pytest.mark.parametrize(
    ('text', 'edition', 'words'),
    [
        ("['Happy', 'calm, relaxed'] [x]", 2024, ['happy', 'calm, relaxed']),
        ("['Happy', 'calm, relaxed']", 2026, ['happy', 'calm', 'relaxed']),
        ('[happy, sad]', 2025, ['happy', 'sad']),
        ('The words are: ["a", "b"]', 2026, ['a', 'b']),
        ('happy; very sad\n- Angry.', 2026, ['happy', 'very sad', 'angry']),
        ('["self-deprecating"]', 2024, ['self-deprecating']),
        ('[]', 2026, []),
        ('', 2026, []),
        (None, 2026, []),
        (float('nan'), 2026, []),
        (['Happy ', ''], 2026, ['happy']),
    ],
)
def test_words(text: Any, edition: int, words: list[str]) -> None:
    assert as_words(text, edition) == words


def test_groups_of_words() -> None:
    assert as_groups("[['a', 'b'], ['c']]") == [['a', 'b'], ['c']]
    assert as_groups('Sure! [["x y"], []]') == [['x y']]
    assert as_groups('no groups') == []


def test_files_of_words(tmp_path: Path) -> None:
    (tmp_path / 'a.csv').write_text("name,openset\na,\"['x', 'y']\"\nb,\n")
    (tmp_path / 'b.json').write_text('{"a": ["X", "y"], "b": null}')
    (tmp_path / 'c.jsonl').write_text('{"sample_id": "a", "answer": "x, y"}\n{"sample_id": "b", "answer": ""}\n')
    for name in ('a.csv', 'b.json', 'c.jsonl'):
        assert read_word_lists(tmp_path / name) == {'a': ['x', 'y'], 'b': []}


@pytest.mark.parametrize(
    ('name', 'content', 'message'),
    [
        ('a.csv', 'clip_name,openset\na,b\n', 'row 1 has the columns'),
        ('a.csv', 'name,openset\na,b\na,c\n', "clip 'a' occurs twice, the second time in row 2"),
        ('a.json', '{"a": ', 'is not a file of words by clip'),
        ('a.json', '3', 'must hold a dictionary by clip, or rows'),
        ('a.txt', 'a b', 'expected .csv, .json or .jsonl'),
    ],
)
def test_other_files_are_refused(tmp_path: Path, name: str, content: str, message: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(ValueError, match=message):
        read_columns(tmp_path / name)


def test_sectors(folder: Path) -> None:
    wheels = EmotionWheels.read(folder)
    assert wheels.sector('merrily', 1, 1) == 'happy'  # by merry, and by its synonym jolly
    assert wheels.sector('merrily', 5, 1) == 'mad'  # the last place of merry
    assert wheels.sector('merrily', 1, 2) == 'joyful'
    assert wheels.sector('happily', 1, 2) == 'content'  # the first middle word of its sector
    assert wheels.sector('down', 1, 2) == 'gloomy'
    assert wheels.sector('cold', 1, 1) is None  # a known form, on no wheel
    assert wheels.sector('neutral', 1, 1) is None
    assert wheels.sector_set(['merrily', 'happy', 'down', 'neutral'], 1, 1) == {'happy', 'sad'}


def test_measures_of_a_wheel(folder: Path) -> None:
    wheels = EmotionWheels.read(folder)
    pairs = [
        (['merry', 'down'], ['happy']),  # precision 1, recall 1/2
        (['happy'], ['neutral']),  # nothing predicted: 0 and 0
        (['neutral'], ['happy']),  # no truth on the wheel: does not count
    ]
    found = wheel_measures(pairs, wheels, 1, 1)
    assert found == pytest.approx({'precision': 0.5, 'recall': 0.25, 'f': 1 / 3, 'samples': 2})
    assert wheel_measures(pairs[2:], wheels, 1, 1) == {'precision': 0, 'recall': 0, 'f': 0, 'samples': 0}


def test_measures_of_groups() -> None:
    pairs = [(['a', 'b', 'c'], ['d', 'x']), (['e'], []), ([], ['e'])]
    groups = [[['a', 'b'], ['c', 'd']], [], []]
    found = group_measures(pairs, groups)  # {a, c} and {c, x}: 1/2 and 1/2
    assert found == pytest.approx({'accuracy': 0.25, 'recall': 0.25, 'average': 0.25, 'samples': 2})
    with pytest.raises(ValueError, match='no clip has true words'):
        group_measures(pairs[2:], groups[2:])
    with pytest.raises(ValueError, match='no recall'):
        set_scores(set(), {'a'})


def sample(name: str, scores: list[float], label: int = 0, **more: Any) -> dict[str, Any]:
    return dict(sample_id=name, pred_score=torch.tensor(scores), gt_label=torch.tensor([label]), **more)


def measure(metric: OpenVocabularyMetric, *samples: dict[str, Any]) -> dict[str, float]:
    metric.dataset_meta = dict(classes=['Happy', 'Down', 'Neutral'])
    metric.process({}, samples)
    return metric.evaluate(len(samples))


def test_metric_of_classes(folder: Path, tmp_path: Path) -> None:
    samples = [sample('a', [0.5, 0.4, 0.1]), sample('b', [0.2, 0.7, 0.1], 1), sample('c', [0.1, 0.1, 0.8], 1)]
    assert measure(OpenVocabularyMetric(str(folder), levels=(1, 2)), *samples) == pytest.approx(
        {'OV_level1': 2 / 3, 'OV_level2': 2 / 3}
    )
    (tmp_path / 'truth.json').write_text('{"a": ["merry", "down"], "b": ["down"], "c": ["happy"]}')
    metric = OpenVocabularyMetric(str(folder), truth=str(tmp_path / 'truth.json'), threshold=0.4)
    both = 2 / 3  # a: both right, b: right, c: nothing on the wheel; the fifth wheel has merry elsewhere
    fifth = 2 * (1.5 / 3) * (1.5 / 3) / (1.5 / 3 + 1.5 / 3)
    assert measure(metric, *samples) == pytest.approx({'OV_level1': (4 * both + fifth) / 5})


def test_metric_of_words(folder: Path) -> None:
    answers = [dict(sample_id='a', gt_label=torch.tensor([0]), pred_words='I see ["merrily", "cold"]')]
    assert measure(OpenVocabularyMetric(str(folder)), *answers) == pytest.approx({'OV_level1': 4 / 5})


def test_metric_of_groups(tmp_path: Path) -> None:
    (tmp_path / 'groups.json').write_text(json.dumps({'a': "[['happy', 'glad']]", 'b': [['down', 'low']]}))
    (tmp_path / 'truth.json').write_text(json.dumps({'a': ['glad'], 'b': ['low', 'odd']}))
    metric = OpenVocabularyMetric(groups=str(tmp_path / 'groups.json'), truth=str(tmp_path / 'truth.json'))
    found = measure(metric, sample('x/a.mp4', [1, 0, 0]), sample('b', [0, 1, 0]))
    assert found == pytest.approx({'OV_accuracy': 1, 'OV_recall': 0.75, 'OV': 0.875})


def test_wrong_options_and_files(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match='needs either wheels'):
        OpenVocabularyMetric()
    with pytest.raises(ValueError, match='levels must be some of'):
        OpenVocabularyMetric(str(folder), levels=(3,))
    with pytest.raises(ValueError, match=r'edition must be one of \(2025, 2026\), got 2023'):
        OpenVocabularyMetric(str(folder), edition=2023)
    with pytest.raises(FileNotFoundError, match=r'format.csv does not exist; it is one of the public files'):
        OpenVocabularyMetric(str(tmp_path))
    (tmp_path / 'truth.json').write_text('{"z": "happy"}')
    with pytest.raises(ValueError, match="the file of truth does not have clip 'a'; its clips are"):
        measure(OpenVocabularyMetric(str(folder), truth=str(tmp_path / 'truth.json')), sample('a', [1, 0, 0]))
    with pytest.raises(ValueError, match='the model has 3 classes, class_words names 1'):
        measure(OpenVocabularyMetric(str(folder), class_words=('happy',)), sample('a', [1, 0, 0], 2))
    write_wheels(tmp_path / 'broken')
    write_sheet(tmp_path / 'broken' / 'wheel2.xlsx', [('inner', 'outer'), ('a', 'b')])
    with pytest.raises(ValueError, match='wheel2.xlsx must have the columns level1'):
        EmotionWheels.read(tmp_path / 'broken')
    (tmp_path / 'broken' / 'synonym.xlsx').write_bytes(b'no table')
    (tmp_path / 'broken' / 'wheel2.xlsx').write_bytes((folder / 'wheel2.xlsx').read_bytes())
    with pytest.raises(ValueError, match='synonym.xlsx is not a readable .xlsx file'):
        EmotionWheels.read(tmp_path / 'broken')
