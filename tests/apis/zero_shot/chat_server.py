"""A server on this machine that answers like an OpenAI-compatible endpoint, well or badly."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Behaviour = Callable[[dict[str, Any]], tuple[int, dict[str, str], bytes]]


def completion(text: str, **choice: object) -> tuple[int, dict[str, str], bytes]:
    message = choice.pop('message', {'content': text})
    answer = {'choices': [{'message': message, **choice}], 'usage': {'prompt_tokens': 7, 'completion_tokens': 3}}
    return 200, {}, json.dumps(answer).encode()


def items_of(request: dict[str, Any]) -> list[str]:
    """The text before the pictures of each item of a question."""
    parts = request['messages'][0]['content']
    return [part['text'] for part in parts if part['type'] == 'text'][1:]


def ranking(*emotions: list[str]) -> str:
    return json.dumps([{'item': number, 'emotions': words} for number, words in enumerate(emotions, start=1)])


class ChatServer:
    """What was asked, and where."""

    def __init__(self, behaviour: Behaviour) -> None:
        self.requests: list[dict[str, Any]] = []
        self.keys: list[str | None] = []
        self.behaviour, self.address = behaviour, ''


@contextmanager
def chat_server(behaviour: Behaviour) -> Iterator[ChatServer]:
    state = ChatServer(behaviour)
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers['Content-Length'])))
            with lock:
                state.requests.append(request)
                state.keys.append(self.headers.get('Authorization'))
                status, headers, body = state.behaviour(request)
            self.send_response(status)
            for name, value in {'Content-Length': str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            with suppress(BrokenPipeError):  # a client that has ended
                self.wfile.write(body)

        def log_message(self, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(('127.0.0.1', 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    state.address = f'http://127.0.0.1:{server.server_port}/v1'
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
