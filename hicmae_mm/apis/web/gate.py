"""Check requests before they reach Gradio, and add security headers to every answer.

Gradio has routes that this page does not need: they record the screen, download files from addresses, or edit the page.
So every request that the page does not need is refused.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from starlette.datastructures import MutableHeaders
from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hicmae_mm.apis.web.hosts import is_allowed_host
from hicmae_mm.apis.web.receiving import Receiver, RefusalError, read_json

_API = '/gradio_api'
_UPLOAD, _FILE, _EVENTS = f'{_API}/upload', f'{_API}/file=', f'{_API}/queue/data'
_READ = re.compile(
    rf'/|/config/?|/theme\.css|/favicon\.ico|/robots\.txt|/manifest\.json|/(assets|static|svelte)/.+|{_API}/'
    r'(info/?|theme\.css|app_id/?|startup-events|queue/data|upload_progress|heartbeat/\w+|file=.+)'
)
_WRITTEN = re.compile(rf'{_API}/(upload|queue/join|run/predict|cancel|reset)/?')
_HEADERS = {
    'X-Frame-Options': 'DENY',
    'X-Content-Type-Options': 'nosniff',
    'Referrer-Policy': 'same-origin',
    'Permissions-Policy': 'camera=(self), microphone=(self), geolocation=()',
    'Cross-Origin-Resource-Policy': 'same-origin',
    'Content-Security-Policy': '; '.join(
        (
            "default-src 'self'",
            "script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:",  # Gradio's page needs inline scripts and eval
            "style-src 'self' 'unsafe-inline'",
            "img-src 'self' data: blob:",
            "media-src 'self' data: blob: mediastream:",
            "connect-src 'self' data: blob:",
            "font-src 'self' data:",
            "worker-src 'self' blob:",
            "object-src 'none'",
            "base-uri 'self'",
            "form-action 'self'",
            "frame-ancestors 'none'",
        )
    ),
}


class Gate:
    """Passes on only the requests that the page needs. It is a middleware of the server.

    Args:
        app: The application of Gradio.
        receiver: Receives uploads instead of Gradio.
        allowed_hosts: Names of the server that requests may use. They may include
            :data:`~hicmae_mm.apis.web.hosts.ANY_ADDRESS`.
        on_left: Function that is called with the session of a visitor who closes the connection before an answer is
            complete.
    """

    def __init__(
        self, app: ASGIApp, receiver: Receiver, allowed_hosts: Sequence[str], on_left: Callable[[str], None]
    ) -> None:
        self.app, self.receiver, self.on_left = app, receiver, on_left
        self.allowed_hosts = {host.strip('[]').lower() for host in allowed_hosts}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a request, or passes it to the application.

        Args:
            scope: Description of the request (ASGI).
            receive: Receives messages (ASGI).
            send: Sends messages (ASGI).
        """
        if scope['type'] == 'lifespan':
            await self.app(scope, receive, send)
            return
        if scope['type'] != 'http':
            await send({'type': 'websocket.close', 'code': 1008})
            return
        request = Request(scope, receive)
        try:
            self._check_origin(request)
            path = _route_path(scope)
            self._check_route(request.method, path)
            if path == _UPLOAD:
                answer = await self.receiver.receive(request)
            else:
                replay = await self._checked_body(request) if request.method == 'POST' else receive
                sending = _with_headers(send, path)
                if path == _EVENTS:
                    replay, sending = self._watched(request, receive, sending)
                await self.app(scope, replay, sending)
                return
        except RefusalError as refusal:
            answer = refusal.response()
        except ClientDisconnect:
            return
        await answer(scope, receive, _with_headers(send))

    def _check_origin(self, request: Request) -> None:
        if not is_allowed_host(f'//{request.headers.get("host", "")}', self.allowed_hosts):
            raise RefusalError(
                421, 'This server does not accept this host name: start it with --allowed-hosts NAME to allow it.'
            )
        origin = request.headers.get('origin')
        if origin is not None and not is_allowed_host(origin, self.allowed_hosts):
            raise RefusalError(403, 'Pages of other web sites may not use this server.')

    def _check_route(self, method: str, path: str) -> None:
        known = {'GET': _READ, 'HEAD': _READ, 'POST': _WRITTEN}.get(method)
        is_plain = '\\' not in path and '\0' not in path and '..' not in path.split('/')
        if known is None or not is_plain or not known.fullmatch(path):
            raise RefusalError(404, 'This server has no such page.')
        if path.startswith(_FILE) and not self.receiver.uploads.is_place(path.removeprefix(_FILE)):
            raise RefusalError(404, 'This upload does not exist.')

    async def _checked_body(self, request: Request) -> Receive:
        """Checks that all files in a body are uploads of this server, and returns a function that repeats the body."""
        body, values = await read_json(request)
        if not isinstance(values, dict):
            raise RefusalError(400, 'The body of the request is not a JSON object.')
        for path in _paths(values):
            if not isinstance(path, str) or '\0' in path or not self.receiver.uploads.is_place(path):
                raise RefusalError(403, 'Only files that were uploaded to this server are analysed.')
            with contextlib.suppress(ValueError):  # the upload was deleted; the analysis reports it
                self.receiver.uploads.claim(path, str(values.get('session_hash')))
        remaining = [body]

        async def replay() -> Message:
            if remaining:
                return {'type': 'http.request', 'body': remaining.pop(), 'more_body': False}
            return await request.receive()

        return replay

    def _watched(self, request: Request, receive: Receive, send: Send) -> tuple[Receive, Send]:
        """Calls ``on_left`` if a visitor closes the connection before the end of the events."""
        session, is_complete = request.query_params.get('session_hash', ''), False

        async def receiving() -> Message:
            message = await receive()
            if message['type'] == 'http.disconnect' and not is_complete:
                self.on_left(session)
            return message

        async def sending(message: Message) -> None:
            nonlocal is_complete
            is_complete = is_complete or b'"close_stream"' in message.get('body', b'')
            await send(message)

        return receiving, sending


def _route_path(scope: Scope) -> str:
    path, root = str(scope['path']), str(scope.get('root_path', '')).rstrip('/')
    return path[len(root) :] if root and path.startswith(f'{root}/') else path


def _paths(values: Any) -> Iterator[Any]:
    """Finds all values with the key ``path`` in a request, at any depth."""
    waiting = [values]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            if value.get('path') is not None:
                yield value['path']
            waiting.extend(value.values())
        elif isinstance(value, list):
            waiting.extend(value)


def _with_headers(send: Send, path: str = '') -> Send:
    async def sending(message: Message) -> None:
        if message['type'] == 'http.response.start':
            headers = MutableHeaders(scope=message)
            headers.update(_HEADERS)
            if path.startswith(_FILE):
                headers['Cache-Control'] = 'no-store'
        await send(message)

    return sending
