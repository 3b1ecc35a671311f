from __future__ import annotations

import json
import threading
from collections.abc import Callable

import pytest

from hicmae_mm.apis.zero_shot import ChatEndpoint, endpoint
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
        ((200, {}, b'<html>'), "does not answer as chat completions do, but '<html>'"),
        ((200, {}, b'{"choices": []}'), 'does not answer as chat completions do'),
        ((302, {'Location': 'http://127.0.0.1:9/elsewhere'}, b''), 'leads to http://127.0.0.1:9/elsewhere'),
    ],
)
def test_answers_that_no_repetition_mends(answer: tuple, message: str, pauses: list[float]) -> None:
    with chat_server(lambda request: answer) as server, pytest.raises((ValueError, ConnectionError), match=message):
        ChatEndpoint(server.address, 'm', key='secret', retries=0).ask(CONTENT)
    assert len(server.requests) == 1


def test_an_address_of_another_kind_is_refused() -> None:
    with pytest.raises(ValueError, match='must be an address such as'):
        ChatEndpoint('file:///etc', 'm')


def test_requests_keep_their_distance(pauses: list[float]) -> None:
    with chat_server(lambda request: completion('x')) as server:
        client = ChatEndpoint(server.address, 'm', pause_seconds=30)
        for _ in range(3):
            client.ask(CONTENT)
    assert [round(pause) for pause in pauses] == [30, 60]  # counted from a start at which nobody waited
