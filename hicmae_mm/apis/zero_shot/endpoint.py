"""Requests to an OpenAI-compatible endpoint for chat completions."""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlparse
from urllib.request import HTTPRedirectHandler, Request, build_opener

_MOST_ANSWER_BYTES = 1 << 24
_TEMPORARY = (408, 409, 425, 429, 500, 502, 503, 504, 529)
_LONGEST_PAUSE_SECONDS = 120.0
_REFUSAL_CODES = ('content_filter', 'content_policy_violation', 'content_policy')


@dataclass(frozen=True)
class Reply:
    """Stores one answer of the endpoint.

    Attributes:
        text: Text that the model wrote.
        is_refusal: Whether the endpoint itself says that it declines to answer.
        input_tokens: Number of tokens of the request; None if the endpoint does not tell it.
        output_tokens: Number of tokens of the answer; None if the endpoint does not tell it.
    """

    text: str
    is_refusal: bool = False
    input_tokens: int | None = None
    output_tokens: int | None = None


class _NoRedirect(HTTPRedirectHandler):
    """Follows no redirection, which could carry the key to another server."""

    def redirect_request(self, *request: Any) -> None:
        """Refuses."""
        newurl = request[-1]
        raise ValueError(f'the endpoint leads to {newurl}; name that address if you trust it')


_OPENER = build_opener(_NoRedirect)


class ChatEndpoint:
    """Asks a model behind an OpenAI-compatible endpoint, and asks again where the server is busy.

    Args:
        base_address: Address before ``/chat/completions``, such as ``http://localhost:8000/v1``.
        model: Name of the model.
        key: Key of the account; it is sent to this address only and stored nowhere. None sends none.
        temperature: Sampling temperature.
        most_tokens: Longest answer (tokens).
        timeout_seconds: Longest time without a byte of the answer.
        retries: Number of repetitions of a request while the server is busy or does not answer.
        pause_seconds: Shortest time between the starts of two requests.

    Raises:
        ValueError: If the address is not an http or https address.
    """

    def __init__(
        self,
        base_address: str,
        model: str,
        key: str | None = None,
        temperature: float = 0.0,
        most_tokens: int = 1000,
        timeout_seconds: float = 120.0,
        retries: int = 5,
        pause_seconds: float = 0.0,
    ) -> None:
        if urlparse(base_address).scheme not in ('http', 'https') or not urlparse(base_address).netloc:
            raise ValueError(f'the endpoint must be an address such as http://localhost:8000/v1, got {base_address!r}')
        self.address = base_address.rstrip('/') + '/chat/completions'
        self.model, self._key = model, key
        self.temperature, self.most_tokens = temperature, most_tokens
        self.timeout_seconds, self.retries, self.pause_seconds = timeout_seconds, retries, pause_seconds
        self._next_start, self._lock = 0.0, threading.Lock()

    def body(self, content: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """Returns the request for one user message of text and picture parts."""
        return dict(
            model=self.model,
            messages=[dict(role='user', content=list(content))],
            temperature=self.temperature,
            max_tokens=self.most_tokens,
        )

    def ask(self, content: Sequence[Mapping[str, Any]]) -> Reply:
        """Sends one user message.

        Raises:
            ConnectionError: If the server stays busy, or does not answer.
            ValueError: If the server refuses the request (key, model, size), or answers in another form.
        """
        data = json.dumps(self.body(content)).encode()
        attempt = 0
        while True:
            self._wait_for_turn()
            try:
                return self._reply(self._send(data))
            except _BusyError as busy:
                if attempt == self.retries:
                    raise ConnectionError(f'{self.address} {busy}, {attempt + 1} times in a row') from busy
                # exponential, with chance, so that parallel requests do not return together
                usual = min(2.0**attempt, _LONGEST_PAUSE_SECONDS) * (0.5 + random.random() / 2)
                time.sleep(min(usual if busy.seconds is None else busy.seconds, _LONGEST_PAUSE_SECONDS))
                attempt += 1

    def _wait_for_turn(self) -> None:
        with self._lock:
            now = time.monotonic()
            start = max(now, self._next_start)
            self._next_start = start + self.pause_seconds
        time.sleep(start - now)

    def _send(self, data: bytes) -> bytes:
        headers = {'Content-Type': 'application/json', 'Accept': 'application/json'}
        if self._key is not None:
            headers['Authorization'] = f'Bearer {self._key}'
        request = Request(self.address, data=data, headers=headers)
        try:
            with _OPENER.open(request, timeout=self.timeout_seconds) as answer:
                content: bytes = answer.read(_MOST_ANSWER_BYTES + 1)
                is_cut = bool(answer.length) and len(content) <= _MOST_ANSWER_BYTES
        except HTTPError as error:
            with error:
                reason = error.read(1 << 16).decode('utf-8', 'replace')
            if _refusal_code(reason):
                return json.dumps({'choices': [{'message': {'refusal': reason}}]}).encode()
            if error.code in _TEMPORARY:
                raise _BusyError(f'answers {error.code}', _seconds(error.headers.get('Retry-After'))) from error
            raise ValueError(f'{self.address} answers {error.code}: {_message(reason)}') from error
        except (URLError, TimeoutError, HTTPException, ConnectionError) as error:
            cause = str(getattr(error, 'reason', None) or error) or type(error).__name__
            raise _BusyError(f'does not answer ({cause})') from error
        if is_cut:
            raise _BusyError('ends the connection in the middle of an answer')
        if len(content) > _MOST_ANSWER_BYTES:
            raise ValueError(f'{self.address} sends more than {_MOST_ANSWER_BYTES >> 20} MiB')
        return content

    def _reply(self, content: bytes) -> Reply:
        try:
            answer = json.loads(content)
            choice, usage = answer['choices'][0], answer.get('usage') or {}
            message = choice['message']
            text, refusal = message.get('content') or '', message.get('refusal')
            if not isinstance(text, str):  # some servers send a list of parts
                text = ''.join(part.get('text', '') for part in text)
            is_refusal = bool(refusal) or choice.get('finish_reason') in _REFUSAL_CODES
            return Reply(str(refusal or text), is_refusal, usage.get('prompt_tokens'), usage.get('completion_tokens'))
        except (ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
            start = content[:80].decode('utf-8', 'replace')
            raise ValueError(f'{self.address} does not answer as chat completions do, but {start!r}') from error


class _BusyError(Exception):
    """Reports a failure that may pass; ``seconds`` is the pause that the server asks for."""

    def __init__(self, message: str, seconds: float | None = None) -> None:
        super().__init__(message)
        self.seconds = seconds


def _seconds(text: str | None) -> float | None:
    try:
        return max(0.0, float(text)) if text else None
    except ValueError:  # a date
        return None


def _error_of(reason: str) -> Any:
    try:
        answer = json.loads(reason)
    except ValueError:
        return None
    return answer.get('error') if isinstance(answer, dict) else None


def _refusal_code(reason: str) -> bool:
    error = _error_of(reason)
    return isinstance(error, dict) and error.get('code') in _REFUSAL_CODES


def _message(reason: str) -> str:
    error = _error_of(reason)
    text = error.get('message') if isinstance(error, dict) else error
    return ' '.join(str(text or reason or 'no reason').split())[:300]
