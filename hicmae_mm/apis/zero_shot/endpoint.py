"""Requests to an OpenAI-compatible endpoint for chat completions."""

from __future__ import annotations

import json
import math
import random
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlparse
from urllib.request import HTTPRedirectHandler, Request, build_opener

from hicmae_mm.apis.zero_shot.keys import KeyRing

_MOST_ANSWER_BYTES = 1 << 24
_TEMPORARY = (408, 409, 425, 429, 500, 502, 503, 504, 529)
_LONGEST_PAUSE_SECONDS = 120.0
_KEY_STATUS = (401, 402, 403)
_EXHAUSTED_CODES = ('insufficient_quota', 'billing_hard_limit_reached')
_TOO_LARGE_CODE = 'context_length_exceeded'
_REFUSAL_CODES = ('content_filter', 'content_policy_violation', 'content_policy')


@dataclass(frozen=True)
class Reply:
    """Stores one answer of the endpoint.

    Attributes:
        text: Text that the model wrote.
        is_refusal: Whether the endpoint itself says that it declines to answer.
        is_too_large: Whether the endpoint says that the question is too large, so that fewer clips have to be asked
            about; ``text`` is its message.
        input_tokens: Number of tokens of the request; None if the endpoint does not tell it.
        output_tokens: Number of tokens of the answer; None if the endpoint does not tell it.
    """

    text: str
    is_refusal: bool = False
    input_tokens: int | None = None
    output_tokens: int | None = None
    is_too_large: bool = False


class _NoRedirect(HTTPRedirectHandler):
    """Follows no redirection, which could carry the key to another server."""

    def redirect_request(self, *request: Any) -> None:
        """Refuses."""
        raise _RedirectionError(request[-1])


_OPENER = build_opener(_NoRedirect)


class ChatEndpoint:
    """Asks a model behind an OpenAI-compatible endpoint, and asks again where the server is busy.

    With several keys, the next one is used when the server answers that one is used too much (429), and for good when
    it answers that one is wrong or has no money left (401, 402, 403, ``insufficient_quota``).

    Args:
        base_address: Address before ``/chat/completions``, such as ``http://localhost:8000/v1``.
        model: Name of the model.
        key: Key of the account, or several keys; they are sent to this address only and stored nowhere. None sends
            none.
        temperature: Sampling temperature.
        most_tokens: Longest answer (tokens).
        timeout_seconds: Longest time without a byte of the answer.
        retries: Number of repetitions of a request while the server is busy or does not answer.
        pause_seconds: Shortest time between the starts of two requests.

    Raises:
        ValueError: If the address is not an http or https address, or a key has spaces in it.
    """

    def __init__(
        self,
        base_address: str,
        model: str,
        key: str | Sequence[str] | None = None,
        temperature: float = 0.0,
        most_tokens: int = 1000,
        timeout_seconds: float = 120.0,
        retries: int = 5,
        pause_seconds: float = 0.0,
    ) -> None:
        if urlparse(base_address).scheme not in ('http', 'https') or not urlparse(base_address).netloc:
            raise ValueError(f'the endpoint must be an address such as http://localhost:8000/v1, got {base_address!r}')
        self.address = base_address.rstrip('/') + '/chat/completions'
        self.model, self.keys = model, KeyRing([key] if isinstance(key, str) else key or ())
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
            ConnectionError: If the server stays busy, does not answer, or answers in another form.
            ValueError: If the server refuses the request (all keys, the model), or leads to another address.
        """
        data = json.dumps(self.body(content)).encode()
        attempt = 0
        while True:
            self._wait_for_turn()
            key = self.keys.choose()
            try:
                return self._reply(self._send(data, key))
            except _KeyRefusedError as error:
                if not self.keys.drop(key):
                    several = f'; none of the {self.keys.count} keys works' if self.keys.count > 1 else ''
                    raise ValueError(f'{self.address} {error}{several}') from error
            except _BusyError as busy:
                # exponential, with chance, so that parallel requests do not return together
                usual = min(2.0**attempt, _LONGEST_PAUSE_SECONDS) * (0.5 + random.random() / 2)
                pause = min(usual if busy.seconds is None else busy.seconds, _LONGEST_PAUSE_SECONDS)
                if busy.is_limit and self.keys.count > 1:
                    pause = self.keys.pause(key, pause)
                    if pause == 0:
                        continue  # with another key
                if attempt == self.retries:
                    raise ConnectionError(f'{self.address} {busy}, {attempt + 1} times in a row') from busy
                time.sleep(pause)
                attempt += 1

    def _wait_for_turn(self) -> None:
        with self._lock:
            now = time.monotonic()
            start = max(now, self._next_start)
            self._next_start = start + self.pause_seconds
        time.sleep(start - now)

    def _send(self, data: bytes, key: str | None) -> bytes:
        headers = {'Content-Type': 'application/json', 'Accept': 'application/json'}
        if key is not None:
            headers['Authorization'] = f'Bearer {key}'
        request = Request(self.address, data=data, headers=headers)
        try:
            with _OPENER.open(request, timeout=self.timeout_seconds) as answer:
                content: bytes = answer.read(_MOST_ANSWER_BYTES + 1)
                is_cut = bool(answer.length) and len(content) <= _MOST_ANSWER_BYTES
        except HTTPError as error:
            with error:
                reason = error.read(1 << 16).decode('utf-8', 'replace')
            error.msg = self.keys.hide(error.msg)  # it stands in the traceback
            return self._reply_of_error(error, reason)
        except (URLError, TimeoutError, HTTPException, ConnectionError) as error:
            cause = str(getattr(error, 'reason', None) or error) or type(error).__name__
            # without the cause, in which the server may have repeated the key
            raise _BusyError(f'does not answer ({self.keys.hide(cause).strip()})') from None
        except _RedirectionError as error:
            address = self.keys.hide(str(error))
            raise ValueError(f'the endpoint leads to {address}; name that address if you trust it') from None
        if is_cut:
            raise _BusyError('ends the connection in the middle of an answer')
        if len(content) > _MOST_ANSWER_BYTES:
            raise ValueError(f'{self.address} sends more than {_MOST_ANSWER_BYTES >> 20} MiB')
        return content

    def _reply_of_error(self, error: HTTPError, reason: str) -> bytes:
        """Returns what stands for the answer if an error is one; otherwise raises what it means."""
        code = _code_of(reason)
        if code in _REFUSAL_CODES:
            return json.dumps({'choices': [{'message': {'refusal': reason}}]}).encode()
        if error.code == 413 or code == _TOO_LARGE_CODE:
            return json.dumps(
                {'choices': [{'message': {'content': self._message(reason)}, _TOO_LARGE_CODE: True}]}
            ).encode()
        if error.code in _KEY_STATUS or code in _EXHAUSTED_CODES:
            raise _KeyRefusedError(f'answers {error.code}: {self._message(reason)}') from error
        if error.code in _TEMPORARY:
            pause = _seconds(error.headers.get('Retry-After'))
            raise _BusyError(f'answers {error.code}', pause, is_limit=error.code == 429) from error
        raise ValueError(f'{self.address} answers {error.code}: {self._message(reason)}') from error

    def _reply(self, content: bytes) -> Reply:
        try:
            answer = json.loads(content)
            choice, usage = answer['choices'][0], answer.get('usage') or {}
            message = choice['message']
            text, refusal = message.get('content') or '', message.get('refusal')
            if not isinstance(text, str):  # some servers send a list of parts
                text = ''.join(part.get('text', '') for part in text)
            is_refusal = bool(refusal) or choice.get('finish_reason') in _REFUSAL_CODES
            text = self.keys.hide(str(refusal or text))
            tokens = (usage.get('prompt_tokens'), usage.get('completion_tokens'))
            return Reply(text, is_refusal, *tokens, _TOO_LARGE_CODE in choice)
        except (ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
            start = self.keys.hide(content.decode('utf-8', 'replace'))[:80]
            raise _BusyError(f'does not answer as chat completions do, but {start!r}') from error

    def _message(self, reason: str) -> str:
        """Returns what a server says about an error, in one line without keys."""
        error = _error_of(reason)
        text = error.get('message') if isinstance(error, dict) else error
        return self.keys.hide(' '.join(str(text or reason or 'no reason').split()))[:300]


class _RedirectionError(Exception):
    """Reports that a server names another address."""


class _BusyError(Exception):
    """Reports a failure that may pass.

    Attributes:
        seconds: Pause that the server asks for; None if it asks for none.
        is_limit: Whether the key is used too much, so that another key need not wait.
    """

    def __init__(self, message: str, seconds: float | None = None, is_limit: bool = False) -> None:
        super().__init__(message)
        self.seconds, self.is_limit = seconds, is_limit


class _KeyRefusedError(Exception):
    """Reports that a key is wrong, or that its account has nothing left."""


def _seconds(text: str | None) -> float | None:
    """Reads the header Retry-After: seconds, or a date."""
    if not text:
        return None
    try:
        seconds = float(text)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(text).timestamp() - time.time()
        except ValueError:
            return None
    return max(0.0, seconds) if math.isfinite(seconds) else None


def _error_of(reason: str) -> Any:
    try:
        answer = json.loads(reason)
    except ValueError:
        return None
    return answer.get('error') if isinstance(answer, dict) else None


def _code_of(reason: str) -> str | None:
    error = _error_of(reason)
    code = error.get('code') or error.get('type') if isinstance(error, dict) else None
    return code if isinstance(code, str) else None
