from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from hicmae_mm.apis.zero_shot import (
    AnswerStore,
    ChatEndpoint,
    Outcome,
    Question,
    ShownClip,
    ZeroShotEvaluation,
    as_predictions,
    estimate_tokens,
    summary,
)
from hicmae_mm.datasets.errors import MediaError
from tests.apis.zero_shot.chat_server import ChatServer, chat_server, completion, items_of, ranking

CLASSES = ('happy', 'sad')


def read(index: int) -> ShownClip:
    if index == 6:
        raise MediaError('6.mp4 is broken')
    return ShownClip(('AAAA',), f'clip {index}')


def evaluate(server: ChatServer, folder: Path, count: int, **options: int) -> tuple[list[Outcome], ZeroShotEvaluation]:
    store = AnswerStore(folder / 'answers.jsonl')
    evaluation = ZeroShotEvaluation(ChatEndpoint(server.address, 'm'), read, CLASSES, store, **options)
    return evaluation.run(list(range(count))), evaluation


def refusing(*numbers: int) -> Callable[[dict], tuple]:
    """Declines every question with one of these clips; even clips are happy, others sad."""

    def behaviour(request: dict) -> tuple:
        clips = [int(item.split('clip ')[1].strip('"')) for item in items_of(request)]
        if set(clips) & set(numbers):
            return completion("I'm sorry, I can't assist.")
        return completion(ranking(*(['sad', 'happy'] if clip % 2 else ['happy'] for clip in clips)))

    return behaviour


def test_a_refused_clip_costs_no_other_its_answer_and_a_rerun_asks_nothing(tmp_path: Path) -> None:
    with chat_server(refusing(5)) as server:
        outcomes, evaluation = evaluate(server, tmp_path, 9, batch_size=8, tries=1, parallel=2)
        states = [outcome.state for outcome in outcomes]
        asked = len(server.requests)
        again, rerun = evaluate(server, tmp_path, 9, batch_size=8, tries=1, parallel=1)
        assert len(server.requests) == asked
    assert states == ['answered'] * 5 + ['refused', 'broken', 'answered', 'answered']
    assert outcomes[6].answer == '6.mp4 is broken'
    assert [outcome.words for outcome in outcomes[:2]] == [('happy',), ('sad', 'happy')]
    # all; the halves 0 to 3 and 4, 5, 7; then 4, 5 and 7; then 4 and 5; and clip 8
    assert asked == 8 == evaluation.usage['requests']
    assert evaluation.usage['input_tokens'] == 7 * asked
    assert again == outcomes
    assert dict(rerun.usage) == {'from_store': asked}


def test_a_question_is_asked_again_before_it_is_divided(tmp_path: Path) -> None:
    answers = iter(['nonsense', ranking(['sad'], ['happy'])])
    with chat_server(lambda request: completion(next(answers))) as server:
        outcomes, _ = evaluate(server, tmp_path, 2, tries=2)
    assert [outcome.words for outcome in outcomes] == [('sad',), ('happy',)]


def test_a_question_that_is_too_large_is_divided_at_once(tmp_path: Path) -> None:
    def behaviour(request: dict) -> tuple:
        clips = items_of(request)
        too_many = (400, {}, b'{"error": {"code": "context_length_exceeded", "message": "too many tokens"}}')
        return too_many if len(clips) > 1 else completion(ranking(['sad']))

    with chat_server(behaviour) as server:
        outcomes, _ = evaluate(server, tmp_path, 4, batch_size=4, tries=3)
    assert [outcome.state for outcome in outcomes] == ['answered'] * 4
    assert len(server.requests) == 1 + 2 + 4


def test_an_error_of_the_endpoint_ends_the_run_and_keeps_what_was_answered(tmp_path: Path) -> None:
    answers = iter([completion(ranking(['sad'])), (401, {}, b'no')])
    with chat_server(lambda request: next(answers)) as server, pytest.raises(ValueError, match='answers 401'):
        evaluate(server, tmp_path, 2, batch_size=1, parallel=1)
    assert len(AnswerStore(tmp_path / 'answers.jsonl')) == 1


def test_a_question_names_classes_items_words_and_pictures() -> None:
    question = Question([ShownClip(('QUJD',), 'oh no'), ShownClip(('REVG', 'R0hJ'))], CLASSES)
    first, *parts = question.content()
    assert 'happy, sad' in first['text']
    assert 'Below are 2 items.' in first['text']
    assert 'Below is 1 item.' in Question(question.clips[:1], CLASSES).instruction()
    assert [part['type'] for part in parts] == ['text', 'image_url', 'text', 'image_url', 'image_url']
    assert parts[0]['text'] == 'Item 1, spoken words: "oh no"'
    assert parts[1]['image_url'] == {'url': 'data:image/jpeg;base64,QUJD'}
    tokens_in, tokens_out = estimate_tokens(question, 100)
    assert 300 < tokens_in < 500
    assert tokens_out == 80
    assert 'happy' not in Question(question.clips, None).instruction()


def test_predictions_and_both_measures() -> None:
    outcomes = [
        Outcome(0, 'answered', ('sad', 'happy'), ''),
        Outcome(1, 'refused', (), 'sorry'),
        Outcome(2, 'answered', ('happy',), ''),
        Outcome(3, 'answered', ('happy',), ''),
    ]
    labels = {0: 1, 1: 1, 2: 0, 3: 1}
    infos = {index: dict(sample_idx=index, sample_id=str(index), gt_label=label) for index, label in labels.items()}
    predictions = as_predictions(outcomes, infos, CLASSES)
    assert [item['sample_id'] for item in predictions] == ['0', '2', '3']
    np.testing.assert_allclose(predictions[0]['pred_score'], [1 / 3, 2 / 3], rtol=1e-6)
    measures = summary(outcomes, labels, CLASSES)
    assert (measures['answered'], measures['refused'], measures['broken']) == (3, 1, 0)
    assert measures['answered_only'] == {'UAR': 0.75, 'WAR': pytest.approx(2 / 3)}
    assert measures['missing_is_wrong'] == {'UAR': pytest.approx((1 + 1 / 3) / 2), 'WAR': 0.5}
    nothing = summary([Outcome(0, 'unreadable', (), '')], {0: 1}, CLASSES)
    assert nothing['answered_only'] is None
    assert nothing['missing_is_wrong'] == {'UAR': 0, 'WAR': 0}
