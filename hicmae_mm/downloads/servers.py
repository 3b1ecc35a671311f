"""Requests to web servers. Answers are limited in size and time, and failures have clear reasons."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from http.client import HTTPException, HTTPResponse
from typing import IO, Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlparse
from urllib.request import HTTPRedirectHandler, Request, build_opener

TIMEOUT_SECONDS = 30.0  # longest time without a byte
SLOW_SECONDS, SLOW_BYTES = 60.0, 60 << 10  # a server that sends fewer bytes in this time is too slow
MOST_ATTEMPTS = 5  # if the server asks to try again later
_MOST_WAITING_SECONDS = 120.0  # a server that asks for a longer pause gets this one
_USUAL_WAITING_SECONDS = 5.0
_BUSY = (429, 502, 503, 504)
_BLOCK_BYTES = 1 << 20


class BusyError(ConnectionError):
    """Reports that the server asks to try again later.

    Attributes:
        seconds: The pause that it asks for.
    """

    def __init__(self, message: str, seconds: float) -> None:
        super().__init__(message)
        self.seconds = seconds


class NotSatisfiableError(ConnectionError):
    """Reports that the server does not have the requested part of the file."""


class SameSafety(HTTPRedirectHandler):
    """Follows redirections to http and https addresses, but not from ``https`` to ``http``."""

    def redirect_request(
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: Any, newurl: str
    ) -> Request | None:
        """Returns the next request."""
        allowed = ('https',) if req.type == 'https' else ('http', 'https')
        if urlparse(newurl).scheme not in allowed:
            raise URLError(f'it leads to {newurl}, which is less safe')
        return super().redirect_request(req, fp, code, msg, headers, newurl)


_OPENER = build_opener(SameSafety)


def read_address(address: str, most_bytes: int) -> bytes:
    """Reads a small file from a web server into memory.

    Raises:
        ConnectionError: If the server does not answer, or stalls.
        FileNotFoundError: If the server has no such file.
        ValueError: If the file is too large.
    """
    attempts_left = MOST_ATTEMPTS
    while True:
        attempts_left -= 1
        try:
            with open_address(address) as answer:
                expected = number(answer.headers.get('Content-Length'))
                return b''.join(blocks(answer, expected, most_bytes, address))
        except BusyError as error:
            if not attempts_left:
                raise
            time.sleep(error.seconds)


def open_address(address: str, headers: Mapping[str, str] | None = None) -> HTTPResponse:
    """Opens an address.

    Raises:
        FileNotFoundError: If the server has no such file.
        ConnectionError: If the server does not answer.
        ValueError: If the address does not begin with http:// or https://.
    """
    if urlparse(address).scheme not in ('http', 'https'):
        raise ValueError(f'{address!r} is no address of the web: it must begin with https:// or http://')
    request = Request(address, headers={'User-Agent': 'hicmae_mm', **(headers or {})})
    try:
        return _within(TIMEOUT_SECONDS * 2, lambda: _OPENER.open(request, timeout=TIMEOUT_SECONDS))
    except HTTPError as error:
        error.close()
        if error.code == 416 and headers:
            raise NotSatisfiableError(address) from error
        text = f'{address} cannot be fetched: the server answers {error.code} {error.reason}'
        if error.code in _BUSY:
            asked = number(error.headers.get('Retry-After'))
            seconds = _USUAL_WAITING_SECONDS if asked is None else min(float(asked), _MOST_WAITING_SECONDS)
            raise BusyError(text, seconds) from error
        if error.code in (404, 410):
            raise FileNotFoundError(text) from error
        raise ConnectionError(text) from error
    except (OSError, HTTPException) as error:
        raise ConnectionError(f'{address} cannot be fetched: {_reason(error)}') from error


def _within(seconds: float, work: Callable[[], HTTPResponse]) -> HTTPResponse:
    """Runs a function with a time limit. A server can delay forever if it sends one byte of a header at a time.

    Raises:
        TimeoutError: If the function takes longer.
    """
    results: list[HTTPResponse] = []
    errors: list[Exception] = []

    def run() -> None:
        try:
            results.append(work())
        except Exception as error:
            errors.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    if errors:
        raise errors[0]
    if not results:
        raise TimeoutError(f'no answer within {seconds:.0f} s')
    return results[0]


def blocks(answer: HTTPResponse, expected: int | None, most_bytes: int, address: str) -> Iterator[bytes]:
    """Yields the content as it arrives.

    Raises:
        ConnectionError: If the server stalls, is too slow, or sends less than it announced.
        ValueError: If the server sends more than allowed.
    """
    received, checked, checked_at = 0, 0, time.monotonic()
    while expected is None or received < expected:
        try:
            block = answer.read1(_BLOCK_BYTES if expected is None else min(_BLOCK_BYTES, expected - received))
        except (OSError, HTTPException) as error:
            raise ConnectionError(f'{address} was cut: {_reason(error)}') from error
        if not block:
            break
        received += len(block)
        if received > most_bytes:
            raise ValueError(f'{address!r} is larger than {most_bytes} bytes, more than such a file has')
        yield block
        seconds = time.monotonic() - checked_at
        if seconds > SLOW_SECONDS:
            if received - checked < SLOW_BYTES:
                raise ConnectionError(f'{address} was given up: {received - checked} bytes came in {seconds:.0f} s')
            checked, checked_at = received, time.monotonic()
    if expected is not None and received != expected:
        raise ConnectionError(f'{address} was cut: the server announced {expected} bytes and sent {received}')


def number(text: str | None) -> int | None:
    """Returns the whole number in a header; None for anything else."""
    return int(text) if text and text.isascii() and text.isdigit() else None


def _reason(error: Exception) -> str:
    """Describes an error in words."""
    cause = error.reason if isinstance(error, URLError) and isinstance(error.reason, Exception) else error
    if isinstance(cause, TimeoutError):
        return str(cause) if str(cause).startswith('no answer') else f'timed out, {TIMEOUT_SECONDS:g} s without a byte'
    return str(cause) or type(cause).__name__
