from __future__ import annotations

from pathlib import Path

import pytest

from hicmae_mm.apis.zero_shot import AnswerStore, Reply, read_answer
from hicmae_mm.apis.zero_shot.answers import is_refusal

CLASSES = ('happy', 'sad', 'angry')


@pytest.mark.parametrize(
    'text',
    [
        '[{"item": 1, "emotions": ["sad", "happy"]}, {"item": 2, "emotions": ["Angry"]}]',
        'Here you are:\n```json\n[{"emotions": "sad, happy"}, {"emotions": "angry."}]\n```\nI hope this helps.',
        '{"items": [{"ranking": ["sad", "happy"]}, {"ranking": ["angry"]}]}',
        '{"1": ["sad", "happy"], "2": ["angry"]}',
        '[["sad", "happy"], ["angry"]]',
        '[{"item": 2, "emotions": ["angry"]}, {"item": "1", "emotions": ["sad", "happy"]}]',
        '{"2": ["angry"], "1": ["sad", "happy"]}',
        "{'name': 1, 'result': ['sad', 'happy']}\n{'name': 2, 'result': ['angry']}",
        'Item 1: [sad; happy]\nItem 2: [ANGRY]',
    ],
)
def test_forms_of_answers(text: str) -> None:
    assert read_answer(text, 2, CLASSES) == [['sad', 'happy'], ['angry']]


@pytest.mark.parametrize(
    'text',
    [
        '',
        "I'm sorry, I can't assist with that.",
        '[{"item": 1, "emotions": ["sad"]}]',
        '[{"emotions": ["sad"]}, {"emotions": []}]',
        '[{"emotions": ["sad"]}, {"emotions": ["proud"]}]',
        '[{"emotions": ["sad"]}, {"emotions": ["happy"]}, {"emotions": ["happy"]}]',
        '[' * 100_000,
        '[{"item": 1, "emotions": ["sad"]}, {"item": 1, "emotions": ["happy"]}]',
        '[{"item": 0, "emotions": ["sad"]}, {"item": 1, "emotions": ["happy"]}]',
        '[{"item": 1, "emotions": ["sad"]}, {"emotions": ["happy"]}]',
        '[{"item": "a", "emotions": ["sad"]}, {"item": "b", "emotions": ["happy"]}]',
        '[{"emotions": 3}, {"emotions": ["sad"]}]',
    ],
)
def test_answers_that_do_not_fit(text: str) -> None:
    assert read_answer(text, 2, CLASSES) is None


def test_an_open_vocabulary_takes_every_word_once_and_spelling_is_the_corpus_own() -> None:
    assert read_answer('[["Proud", "proud", "a bit  shy"]]', 1, None) == [['proud', 'a bit shy']]
    assert read_answer('[["sorry", "ashamed"]]', 1, None) == [['sorry', 'ashamed']]
    assert read_answer("[I'm sorry, I cannot help]", 1, None) is None
    assert read_answer('{"emotions": ["I cannot determine"]}', 1, None) is None
    assert read_answer('[["pleasant surprise", "NEUTRAL"]]', 1, ('Neutral', 'Pleasant-Surprise')) == [
        ['Pleasant-Surprise', 'Neutral']
    ]


@pytest.mark.parametrize(
    ('text', 'expected'),
    [
        ("I'm sorry, but I can't assist with identifying or making assumptions about people in images.", True),
        ('I’m unable to provide that.', True),
        ('I cannot determine the emotion of a real person.', True),
        ('The image shows a chair.', False),
    ],
)
def test_refusals(text: str, expected: bool) -> None:
    assert is_refusal(text) is expected


def test_stored_answers_are_found_again_and_a_cut_line_is_ignored(tmp_path: Path) -> None:
    path = tmp_path / 'new' / 'answers.jsonl'
    store, key = AnswerStore(path), AnswerStore.key_of({'model': 'm'}, 0)
    assert store.get(key) is None
    store.add(key, Reply('fine', input_tokens=4))
    with path.open('a') as file:
        file.write('{"request": "cut')
    again = AnswerStore(path)
    assert again.get(key) == Reply('fine', input_tokens=4)
    assert again.get(AnswerStore.key_of({'model': 'm'}, 1)) is None
    again.add('other', Reply('more'))
    assert len(AnswerStore(path)) == 2


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / 'a.jsonl').write_text('{"x": 1}\n')
    with pytest.raises(ValueError, match=r'a.jsonl, line 1: not a stored answer'):
        AnswerStore(tmp_path / 'a.jsonl')
