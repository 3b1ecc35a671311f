"""Describes corpora that can be downloaded."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from hicmae_mm.downloads.web_files import WebFile

Progress = Callable[[int], None]  # called with the bytes or files that have come since the last call


@dataclass(frozen=True)
class CorpusFile:
    """Describes a file of a corpus.

    Attributes:
        name: Its place below the folder of the corpus.
        source: Address, size and checksum.
        is_archive: Whether it is a zip file, to be unpacked into a folder of its name without the suffix.
    """

    name: str
    source: WebFile
    is_archive: bool = False

    @property
    def size(self) -> int:
        """Returns the length in bytes."""
        assert self.source.size is not None  # every corpus says it
        return self.source.size

    def unpacked_below(self, root: Path) -> Path:
        """Returns the folder that an archive is unpacked into."""
        return (root / self.name).with_suffix('')


class PublishedCorpus(ABC):
    """Describes a corpus, and where its owners publish it.

    Args:
        base_url: Address of a mirror that has the same files under the same paths; None means the owners'.
    """

    title: ClassVar[str]
    homepage: ClassVar[str]
    licences: ClassVar[tuple[str, ...]]  # a line each
    num_connections: ClassVar[int] = 1

    def __init__(self, base_url: str | None = None) -> None:
        self.base_url = None if base_url is None else base_url.rstrip('/')

    @classmethod
    def licence_text(cls) -> str:
        """Returns the text that a user must have read before the download."""
        return '\n  '.join([f'{cls.title}, {cls.homepage}. Licence:', *cls.licences])

    @abstractmethod
    def list_files(self, streams: Sequence[str], root: Path, progress: Progress = lambda _: None) -> list[CorpusFile]:
        """Asks the owners which files there are.

        Args:
            streams: ``'audio'``, ``'video'`` or both.
            root: Folder of the corpus, where answers may be kept for the next time.
            progress: Called with 1 for each answer, where there are many.

        Raises:
            ConnectionError: If the server does not answer.
            FileNotFoundError: If the address is wrong.
            ValueError: If the answer is not understood.
        """
