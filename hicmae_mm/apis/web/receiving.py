"""Receive uploads.

Each request holds one file. Size, time and number of uploads are limited, and an upload that breaks off leaves no file.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gradio.route_utils import GradioMultiPartParser, MultiPartException
from gradio.routes import file_upload_statuses
from starlette.datastructures import UploadFile
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from hicmae_mm.apis.web.limits import Limits
from hicmae_mm.apis.web.uploads import Uploads

_LENGTH = re.compile('[0-9]{1,18}')
_ENVELOPE_BYTES = 64 * 1024  # largest size of a form without its file
_STALLED_SECONDS = 30.0
_UPLOAD_SECONDS = 600.0
_PROGRESS_SECONDS = 60.0  # time in which the page can still ask for the progress of a finished upload


class RefusalError(Exception):
    """States the reason why a request is refused.

    Args:
        status: Status code of HTTP.
        reason: One line for the sender.
    """

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status, self.reason = status, reason

    def response(self) -> Response:
        """Makes the answer for the sender; it closes the connection, because the rest of the body is not read."""
        return PlainTextResponse(self.reason, self.status, {'Connection': 'close'})


class _OneFile(GradioMultiPartParser):
    """Parses a form with one file; other fields stay in memory, so their size is limited."""

    def on_part_data(self, data: bytes, start: int, end: int) -> None:
        part = self._current_part
        if part.file is None:
            if len(part.data) + end - start > _ENVELOPE_BYTES:
                raise MultiPartException('A field of the form is too large.')
            part.data += data[start:end]
        else:
            super().on_part_data(data, start, end)


@dataclass
class Receiver:
    """Receives uploads.

    Attributes:
        uploads: Storage of the uploads.
        limits: Limits for the size of one upload.
        max_at_once: Number of uploads that may arrive at the same time.
    """

    uploads: Uploads
    limits: Limits
    max_at_once: int
    _num_arriving: int = 0

    async def receive(self, request: Request) -> Response:
        """Receives an upload.

        Args:
            request: The request.

        Returns:
            The answer: a list with the path of the file, as pages of Gradio expect it, or an error.
        """
        try:
            self._check_beforehand(request)
        except RefusalError as refusal:
            return refusal.response()
        self._num_arriving += 1
        upload_id = request.query_params.get('upload_id', '')[:64]
        try:
            path = await asyncio.wait_for(self._take(request, upload_id), _UPLOAD_SECONDS)
            return JSONResponse([str(path)])
        except RefusalError as refusal:
            return refusal.response()
        except MultiPartException as error:
            too_large = 'allowed size' in error.message and 'File' in error.message
            return RefusalError(413 if too_large else 400, error.message).response()
        except asyncio.TimeoutError:
            return RefusalError(408, 'The upload took too long.').response()
        except ClientDisconnect:
            return Response(status_code=400)  # the sender has gone and does not read it
        finally:
            self._num_arriving -= 1
            if upload_id:
                file_upload_statuses.set_done(upload_id)
                later = asyncio.get_running_loop().call_later
                later(_PROGRESS_SECONDS, file_upload_statuses.stop_tracking, upload_id)

    def _check_beforehand(self, request: Request) -> None:
        if not request.headers.get('content-type', '').startswith('multipart/form-data'):
            raise RefusalError(400, 'An upload must be a form with one file (multipart/form-data).')
        announced = request.headers.get('content-length', '0')
        size = int(announced) if _LENGTH.fullmatch(announced) else 0
        if size > self.limits.max_bytes + _ENVELOPE_BYTES:
            raise self._too_large()
        if self._num_arriving >= self.max_at_once or not self.uploads.has_room(size or self.limits.max_bytes):
            raise RefusalError(503, 'The server is busy: wait a minute, then upload again.')

    def _too_large(self) -> RefusalError:
        return RefusalError(413, f'The file is larger than the limit of {self.limits.max_megabytes:g} MB.')

    async def _take(self, request: Request, upload_id: str) -> Path:
        with self.uploads.incoming() as folder:
            parser = _OneFile(
                request.headers,
                self._body(request),
                max_files=1,
                max_fields=8,
                upload_dir=folder,
                upload_id=upload_id or None,
                upload_progress=file_upload_statuses if upload_id else None,
                max_file_size=self.limits.max_bytes,
            )
            form = await parser.parse()
            files = [value for value in form.values() if isinstance(value, UploadFile)]
            if len(files) != 1:
                raise RefusalError(400, 'An upload must be a form with one file; this form has none.')
            await files[0].close()
            return self.uploads.accept(Path(str(files[0].file.name)), files[0].filename or '')

    async def _body(self, request: Request) -> AsyncGenerator[bytes, None]:
        async for chunk in read_body(request, self.limits.max_bytes + _ENVELOPE_BYTES, self._too_large()):
            yield chunk


async def read_body(request: Request, max_bytes: int, too_large: RefusalError) -> AsyncGenerator[bytes, None]:
    """Reads the body of a request in chunks.

    Args:
        request: The request. The length that it announces is not trusted.
        max_bytes: Largest size of the body.
        too_large: Error that is raised if the body is larger.

    Yields:
        The chunks.

    Raises:
        RefusalError: If the body is too large, or nothing arrives for 30 seconds.
        ClientDisconnect: If the sender closes the connection.
    """
    received, stream = 0, request.stream()
    while True:
        try:
            chunk = await asyncio.wait_for(anext(stream), _STALLED_SECONDS)
        except StopAsyncIteration:
            return
        except asyncio.TimeoutError:
            raise RefusalError(408, f'Nothing has arrived for {_STALLED_SECONDS:g} seconds.') from None
        received += len(chunk)
        if received > max_bytes:
            raise too_large
        yield chunk


async def read_json(request: Request, max_bytes: int = _ENVELOPE_BYTES) -> tuple[bytes, Any]:
    """Reads a small JSON body.

    Args:
        request: The request.
        max_bytes: Largest size of the body.

    Returns:
        The body in bytes, and its parsed value.

    Raises:
        RefusalError: If the body is too large, stops arriving, or is not JSON.
    """
    too_large = RefusalError(413, f'The request is larger than {max_bytes} bytes.')
    body = b''.join([chunk async for chunk in read_body(request, max_bytes, too_large)])
    try:
        return body, json.loads(body)
    except (ValueError, RecursionError):
        raise RefusalError(400, 'The body of the request is not JSON.') from None
