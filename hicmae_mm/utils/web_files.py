"""Files of the web: fetched whole or not at all, continued where they were cut, compared with length and hash."""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
import re
import stat
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from email.message import Message
from http.client import HTTPResponse
from pathlib import Path
from typing import IO

from hicmae_mm.utils import web
from hicmae_mm.utils.files import exclusive, write_text

_WORTHWHILE_BYTES = 1 << 20  # a connection that was cut after that is made anew
_BLOCK_BYTES = 1 << 20

Progress = Callable[[int], None]  # called with the bytes that are there


@dataclass(frozen=True)
class WebFile:
    """A file of the web, and what is known of it.

    Attributes:
        address: ``http://`` or ``https://``.
        size: Its length in bytes, None if that is not known.
        checksum: Such as ``md5:0123...`` or ``sha256:0123...``; the digits may be the first ones only. Empty: unknown.
        most_bytes: A longer answer is refused.
    """

    address: str
    size: int | None = None
    checksum: str = ''
    most_bytes: int = 64 << 30


def fetch(file: WebFile, path: Path, progress: Progress | None = None) -> None:
    """Fetches a file of the web. Until it is complete it has another name, ``.NAME.download``.

    A fetch that was cut short is continued, where the server can and the file is still the same. Another process that
    fetches the same file is waited for.

    Args:
        file: What to fetch.
        path: Path of the complete file. If it exists, nothing happens.
        progress: Called with the number of bytes that are there.

    Raises:
        ConnectionError: The server does not answer, stalls, or sends less than it announced. What came is kept, if it
            can be continued.
        FileNotFoundError: The server has no such file.
        ValueError: The file is another one than expected, or too large; nothing is kept.
        OSError: The file cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with _partial_file(path) as partial:
        if partial is None:
            return
        try:
            _complete(file, partial, progress or (lambda _: None))
            partial.finish(file, path)
        except BaseException as error:
            if isinstance(error, ValueError) or not partial.can_continue(file):
                partial.discard()
            if isinstance(error, OSError) and error.errno is not None and error.filename is None:
                error.filename = str(path)
            raise


def _complete(file: WebFile, partial: _Partial, progress: Progress) -> None:
    """Asks for the file until all of it is there, as long as that helps."""
    attempts_left = web.MOST_ATTEMPTS
    while True:
        attempts_left -= 1
        before = partial.num_bytes
        try:
            _continue(file, partial, progress)
            return
        except web.BusyError as error:
            if not attempts_left:
                raise
            time.sleep(error.seconds)
        except ConnectionError:
            if not attempts_left or partial.num_bytes - before < _WORTHWHILE_BYTES:
                raise


@dataclass
class _Partial:
    """An incomplete file that this process holds a lock on, and what its server said of it."""

    path: Path
    stream: IO[bytes]
    notes: dict[str, str] = field(default_factory=dict)

    @property
    def num_bytes(self) -> int:
        """How much of the file is there."""
        return os.fstat(self.stream.fileno()).st_size

    @property
    def notes_path(self) -> Path:
        """Where the notes are kept for the next attempt."""
        return self.path.with_name(f'{self.path.name}.json')

    def can_continue(self, file: WebFile) -> bool:
        """Whether the rest of the same file can be asked for."""
        if file.checksum:  # the hash of the whole tells in the end
            is_same = self.notes.get('checksum') == file.checksum
        else:
            is_same = bool(self.validator(file))
        return self.num_bytes > 0 and is_same

    def validator(self, file: WebFile) -> str:
        """What this server called the version of which a part is there; empty if it did not."""
        return self.notes.get('validator', '') if self.notes.get('address') == file.address else ''

    def restart(self, file: WebFile, validator: str = '') -> None:
        """Empties the file, and notes what comes next."""
        self.stream.seek(0)
        self.stream.truncate()
        self.notes = {'address': file.address, 'checksum': file.checksum, 'validator': validator}
        write_text(self.notes_path, json.dumps(self.notes) + '\n')

    def discard(self) -> None:
        """Removes it."""
        self.path.unlink(missing_ok=True)
        self.notes_path.unlink(missing_ok=True)

    def finish(self, file: WebFile, path: Path) -> None:
        """Checks the hash and gives the file its name.

        Raises:
            ValueError: The file has another hash.
        """
        self.stream.flush()
        os.fsync(self.stream.fileno())  # else a power cut may keep the new name and lose the content
        if file.checksum:
            self.stream.seek(0)
            kind, _, digits = file.checksum.partition(':')
            found = hashlib.new(kind)
            while block := self.stream.read(_BLOCK_BYTES):
                found.update(block)
            if not found.hexdigest().startswith(digits):
                raise ValueError(
                    f'{file.address!r} is not the file that was promised: its {kind.upper().replace("SHA", "SHA-")} '
                    f'begins with {found.hexdigest()[:8]}, expected {digits[:8]}; nothing was kept'
                )
        self.path.replace(path)
        self.notes_path.unlink(missing_ok=True)


@contextlib.contextmanager
def _partial_file(path: Path) -> Iterator[_Partial | None]:
    """Opens the incomplete file beside ``path`` for this process alone, or yields None once ``path`` exists."""
    name = path.with_name(f'.{path.name}.download')
    while not path.exists():
        with exclusive(name, patience_seconds=math.inf) as descriptor:
            found = os.fstat(descriptor)
            if not stat.S_ISREG(found.st_mode) or found.st_nlink > 1:
                raise ValueError(f'{name} is not a file of its own: remove it')
            if path.exists() or not _is_still(name, found):
                continue  # another process has completed or removed the file meanwhile
            with os.fdopen(os.dup(descriptor), 'r+b') as stream:
                partial = _Partial(name, stream)
                with contextlib.suppress(OSError, ValueError, TypeError):
                    notes = json.loads(partial.notes_path.read_text(encoding='utf-8'))
                    partial.notes = {key: str(notes.get(key, '')) for key in ('address', 'checksum', 'validator')}
                yield partial
            return
    yield None


def _is_still(path: Path, found: os.stat_result) -> bool:
    try:
        return os.path.samestat(found, path.lstat())
    except FileNotFoundError:
        return False


def _continue(file: WebFile, partial: _Partial, progress: Progress) -> None:
    """Asks for what is missing and appends it."""
    there = partial.num_bytes if partial.can_continue(file) else 0
    if file.size is not None and there == file.size:
        return
    headers = {'Range': f'bytes={there}-'} if there else {}
    if there and partial.validator(file):
        headers['If-Range'] = partial.validator(file)
    try:
        answer = web.open_address(file.address, headers)
    except web.NotSatisfiableError:
        partial.restart(file)
        answer = web.open_address(file.address)
    with answer:
        start, total = _extent(answer)
        if start != there or start == 0:
            if start:
                raise ConnectionError(f'{file.address}: the server sends from byte {start}, asked for {there}')
            partial.restart(file, _validator(answer.headers))
        if file.size is not None and total is not None and total != file.size:
            raise ValueError(f'{file.address!r} has {total} bytes, expected {file.size}: it is another file')
        expected = file.size if total is None else total
        partial.stream.seek(start)
        progress(start)
        try:
            left = None if expected is None else expected - start
            for block in web.blocks(answer, left, file.most_bytes - start, file.address):
                partial.stream.write(block)
                progress(partial.stream.tell())
        finally:
            partial.stream.flush()


def _extent(answer: HTTPResponse) -> tuple[int, int | None]:
    """Where the answer begins in the file, and the length of the whole file."""
    if answer.status != 206:
        return 0, web.number(answer.headers.get('Content-Length'))
    match = re.fullmatch(r'bytes (\d+)-\d+/(\d+|\*)', answer.headers.get('Content-Range', ''))
    if match is None:
        raise ConnectionError(f'{answer.url}: the server does not say which part of the file it sends')
    return int(match[1]), web.number(match[2])


def _validator(headers: Message) -> str:
    """What tells this version of the file from another one; weak tags do not."""
    tag = headers.get('ETag', '')
    return tag if tag and not tag.startswith('W/') else headers.get('Last-Modified', '')
