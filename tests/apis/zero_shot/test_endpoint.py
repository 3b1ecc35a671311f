from __future__ import annotations

import json
import threading
import time
import traceback
from collections.abc import Callable
from email.utils import formatdate
from pathlib import Path

import pytest

from hicmae_mm.apis.zero_shot import ChatEndpoint, endpoint, read_keys
from tests.apis.zero_shot.chat_server import chat_server, completion

CONTENT = [dict(type='text', text='hello')]


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses of the client, which does not wait."""
    found: list[float] = []
    monkeypatch.setattr(endpoint.time, 'sleep', lambda seconds: found.append(seconds) if seconds else None)
    return found


def test_a_question_is_sent_and_its_answer_read() -> None:
    with chat_server(lambda request: completion('fine')) as server:
        reply = ChatEndpoint(server.address + '/', 'm', key='secret', temperature=0.5, most_tokens=9).ask(CONTENT)
    assert (reply.text, reply.is_refusal, reply.input_tokens, reply.output_tokens) == ('fine', False, 7, 3)
    message = dict(role='user', content=CONTENT)
    assert server.requests == [dict(model='m', messages=[message], temperature=0.5, max_tokens=9)]
    assert server.keys == ['Bearer secret']


@pytest.mark.parametrize(
    ('answer', 'text', 'is_refusal'),
    [
        (completion('', message={'content': None, 'refusal': 'no'}), 'no', True),
        (completion('half an', finish_reason='content_filter'), 'half an', True),
        (
            completion('', message={'content': [{'type': 'text', 'text': 'a'}, {'type': 'text', 'text': 'b'}]}),
            'ab',
            False,
        ),
    ],
)
def test_refusals_and_lists_of_parts(answer: tuple, text: str, is_refusal: bool) -> None:
    with chat_server(lambda request: answer) as server:
        reply = ChatEndpoint(server.address, 'm').ask(CONTENT)
    assert (reply.text, reply.is_refusal) == (text, is_refusal)


def test_a_filter_that_answers_by_an_error_is_a_refusal() -> None:
    body = json.dumps({'error': {'code': 'content_filter', 'message': 'filtered'}}).encode()
    with chat_server(lambda request: (400, {}, body)) as server:
        assert ChatEndpoint(server.address, 'm').ask(CONTENT).is_refusal
    assert len(server.requests) == 1


def failing(times: int, status: int, headers: dict[str, str]) -> Callable[[dict], tuple]:
    left = [times]

    def behaviour(request: dict) -> tuple:
        left[0] -= 1
        return (status, headers, b'{}') if left[0] >= 0 else completion('at last')

    return behaviour


@pytest.mark.parametrize('status', [429, 500, 503])
def test_a_busy_server_is_asked_again_after_the_pause_that_it_wants(status: int, pauses: list[float]) -> None:
    with chat_server(failing(2, status, {'Retry-After': '17'})) as server:
        assert ChatEndpoint(server.address, 'm').ask(CONTENT).text == 'at last'
    assert pauses == [17, 17]
    assert len(server.requests) == 3


def test_pauses_grow_and_end_with_an_error_that_names_the_address(pauses: list[float]) -> None:
    with (
        chat_server(failing(99, 503, {})) as server,
        pytest.raises(ConnectionError, match=rf'{server.address}/chat/completions answers 503, 4 times in a row'),
    ):
        ChatEndpoint(server.address, 'm', retries=3).ask(CONTENT)
    assert len(pauses) == 3
    assert all(2**k / 2 <= pause <= 2**k for k, pause in enumerate(pauses))


def test_a_stalled_server_is_given_up(pauses: list[float]) -> None:
    def stall(request: dict) -> tuple:
        threading.Event().wait(0.3)
        return completion('too late')

    with chat_server(stall) as server, pytest.raises(ConnectionError, match='does not answer .*2 times in a row'):
        ChatEndpoint(server.address, 'm', timeout_seconds=0.1, retries=1).ask(CONTENT)


def test_an_answer_that_is_cut_is_asked_for_again(pauses: list[float]) -> None:
    answers = iter([(200, {'Content-Length': '100'}, b'{'), completion('whole')])
    with chat_server(lambda request: next(answers)) as server:
        assert ChatEndpoint(server.address, 'm').ask(CONTENT).text == 'whole'


@pytest.mark.parametrize(
    ('answer', 'message'),
    [
        ((401, {}, json.dumps({'error': {'message': 'wrong key'}}).encode()), 'answers 401: wrong key'),
        ((404, {}, b'no such model'), 'answers 404: no such model'),
        (
            (429, {}, json.dumps({'error': {'code': 'insufficient_quota', 'message': 'nothing left'}}).encode()),
            'answers 429: nothing left$',
        ),
        ((302, {'Location': 'http://127.0.0.1:9/elsewhere'}, b''), 'leads to http://127.0.0.1:9/elsewhere'),
    ],
)
def test_answers_that_no_repetition_mends(answer: tuple, message: str, pauses: list[float]) -> None:
    with chat_server(lambda request: answer) as server, pytest.raises((ValueError, ConnectionError), match=message):
        ChatEndpoint(server.address, 'm', key='secret', retries=0).ask(CONTENT)
    assert len(server.requests) == 1


@pytest.mark.parametrize('malformed', [b'<html>', b'{"choices": []}', b'{"error": "overloaded"}', b''])
def test_malformed_answers_are_asked_for_again(malformed: bytes, pauses: list[float]) -> None:
    answers = iter([(200, {}, malformed), completion('well')])
    with chat_server(lambda request: next(answers)) as server:
        assert ChatEndpoint(server.address, 'm').ask(CONTENT).text == 'well'
    with (
        chat_server(lambda request: (200, {}, b'<html>')) as server,
        pytest.raises(ConnectionError, match="does not answer as chat completions do, but '<html>', 3 times in a row"),
    ):
        ChatEndpoint(server.address, 'm', retries=2).ask(CONTENT)


@pytest.mark.parametrize(
    ('status', 'body'), [(413, b''), (400, b'{"error": {"code": "context_length_exceeded", "message": "too long"}}')]
)
def test_a_question_that_is_too_large(status: int, body: bytes) -> None:
    with chat_server(lambda request: (status, {}, body)) as server:
        reply = ChatEndpoint(server.address, 'm').ask(CONTENT)
    assert (reply.is_too_large, reply.is_refusal, len(server.requests)) == (True, False, 1)


def test_a_pause_until_a_date(pauses: list[float]) -> None:
    until = formatdate(time.time() + 30, usegmt=True)
    with chat_server(failing(1, 429, {'Retry-After': until})) as server:
        assert ChatEndpoint(server.address, 'm').ask(CONTENT).text == 'at last'
    assert pauses == [pytest.approx(30, abs=2)]


def by_key(answers: dict[str, tuple]) -> tuple[list[str], Callable[[dict], tuple]]:
    """Answers each key in its own way."""
    asked: list[str] = []

    def behaviour(request: dict) -> tuple:
        key = server_of[0].keys[-1].removeprefix('Bearer ')
        asked.append(key)
        return answers[key]

    server_of: list = []
    behaviour.server_of = server_of  # type: ignore[attr-defined]
    return asked, behaviour


QUOTA = (429, {}, b'{"error": {"code": "insufficient_quota", "message": "no money for account-one"}}')
WRONG = (401, {}, b'{"error": {"message": "wrong key account-two"}}')
LIMIT = (429, {'Retry-After': '40'}, b'{}')


def test_another_key_is_used_when_one_has_reached_its_limit(pauses: list[float]) -> None:
    asked, behaviour = by_key(
        {
            'account-one': QUOTA,
            'account-two': WRONG,
            'account-three': LIMIT,
            'account-four': completion('thank you, account-four'),
        }
    )
    with chat_server(behaviour) as server:
        behaviour.server_of.append(server)  # type: ignore[attr-defined]
        client = ChatEndpoint(server.address, 'm', key=['account-one', 'account-two', 'account-three', 'account-four'])
        assert client.ask(CONTENT).text == 'thank you, (key)'  # no key is stored, even if the server repeats it
        client.ask(CONTENT)
    assert asked == ['account-one', 'account-two', 'account-three', 'account-four', 'account-four']
    assert pauses == []
    assert repr(client.keys) == 'KeyRing(2 of 4 keys work)'


def test_keys_that_all_have_to_pause_or_do_not_work(pauses: list[float]) -> None:
    asked, behaviour = by_key({'account-one': LIMIT, 'account-two': LIMIT})
    with chat_server(behaviour) as server:
        behaviour.server_of.append(server)  # type: ignore[attr-defined]
        with pytest.raises(ConnectionError, match='answers 429, 2 times in a row'):
            ChatEndpoint(server.address, 'm', key=['account-one', 'account-two'], retries=1).ask(CONTENT)
    assert asked[:2] == ['account-one', 'account-two']
    assert pauses == [pytest.approx(40, abs=1)]
    asked, behaviour = by_key({'account-one': QUOTA, 'account-two': WRONG})
    with chat_server(behaviour) as server:
        behaviour.server_of.append(server)  # type: ignore[attr-defined]
        with pytest.raises(ValueError, match=r'answers 401: wrong key \(key\); none of the 2 keys works$'):
            ChatEndpoint(server.address, 'm', key=['account-one', 'account-two']).ask(CONTENT)
    assert asked == ['account-one', 'account-two']


@pytest.mark.parametrize('key', ['account-one', 'a/"account\\&+'])
@pytest.mark.parametrize('place', ['answer', 'message', 'address', 'other'])
def test_a_server_that_repeats_the_key_puts_it_nowhere(key: str, place: str) -> None:
    answers = {
        'answer': completion(f'for {key}'),
        'message': (400, {}, json.dumps({'error': {'message': f'for {key}'}}).encode()),
        'address': (302, {'Location': f'http://127.0.0.1:1/?key={key}'}, b''),
        'other': (200, {}, json.dumps([f'for {key}']).encode()),
    }
    with chat_server(lambda _: answers[place]) as server:
        client = ChatEndpoint(server.address, 'm', key=key, retries=0)
        try:
            shown = client.ask(CONTENT).text
        except (ConnectionError, ValueError):
            shown = traceback.format_exc()
    assert '(key)' in shown
    assert key not in shown
    assert json.dumps(key)[1:-1] not in shown


def test_a_key_that_is_a_usual_word_changes_no_answer() -> None:
    with chat_server(lambda _: completion('none')) as server:
        assert ChatEndpoint(server.address, 'm', key='none').ask(CONTENT).text == 'none'


def test_keys_come_from_a_variable_or_a_file(tmp_path: Path) -> None:
    assert read_keys('KEYS', environment={'KEYS': 'a, b\nc,a'}) == ['a', 'b', 'c']
    assert read_keys('KEYS', environment={}) == []
    file = tmp_path / 'keys.txt'
    file.write_text('# of the laboratory\na\n\n b \n')
    assert read_keys('KEYS', file, {'KEYS': 'x'}) == ['a', 'b']
    file.write_text('#\n')
    with pytest.raises(ValueError, match='has no key; write one in each line'):
        read_keys('KEYS', file)
    with pytest.raises(FileNotFoundError, match='no such file of keys'):
        read_keys('KEYS', tmp_path / 'none.txt')
    with pytest.raises(ValueError, match='key 2 of 2 is not one word') as error:
        ChatEndpoint('http://a', 'm', key=['good', 'secret phrase'])
    assert 'secret' not in str(error.value)


def test_an_address_of_another_kind_is_refused() -> None:
    with pytest.raises(ValueError, match='must be an address such as'):
        ChatEndpoint('file:///etc', 'm')


def test_requests_keep_their_distance(pauses: list[float]) -> None:
    with chat_server(lambda request: completion('x')) as server:
        client = ChatEndpoint(server.address, 'm', pause_seconds=30)
        for _ in range(3):
            client.ask(CONTENT)
    assert [round(pause) for pause in pauses] == [30, 60]  # counted from a start at which nobody waited
