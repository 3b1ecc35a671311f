"""RAVDESS at Zenodo: zip archives, whose sizes and hashes the record of the corpus says."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hicmae_mm.datasets.downloads.corpus import CorpusFile, Progress, PublishedCorpus
from hicmae_mm.downloads.servers import read_address
from hicmae_mm.downloads.web_files import WebFile

_RECORD = 1188976
_MOST_RECORD_BYTES = 4 << 20
_NUM_ACTORS = 24
_ARCHIVES = {
    'audio': ('Audio_Speech_Actors_01-24.zip',),
    'video': tuple(f'Video_Speech_Actor_{actor:02d}.zip' for actor in range(1, _NUM_ACTORS + 1)),
}
_CHECKSUM = re.compile(r'md5:[0-9a-f]{32}|sha256:[0-9a-f]{64}')


class RavdessDownload(PublishedCorpus):
    """Lists the speech of RAVDESS. See :class:`PublishedCorpus` for the argument."""

    title = 'RAVDESS'
    homepage = f'https://zenodo.org/records/{_RECORD}'
    licences = (
        'CC BY-NC-SA 4.0 (https://creativecommons.org/licenses/by-nc-sa/4.0/): name the authors, no commercial use,',
        'share alike; commercial licences from its authors. Cite https://doi.org/10.1371/journal.pone.0196391.',
    )

    def list_files(
        self,
        streams: Sequence[str],
        root: Path,  # noqa: ARG002 (one answer, asked for each time)
        progress: Progress = lambda _: None,  # noqa: ARG002
    ) -> list[CorpusFile]:
        """Returns the archives of these streams, as the record of the corpus lists them."""
        site = self.base_url or 'https://zenodo.org'
        address = f'{site}/api/records/{_RECORD}'
        entries = _entries(read_address(address, _MOST_RECORD_BYTES), address)
        files = []
        for name in (name for stream in ('audio', 'video') if stream in streams for name in _ARCHIVES[stream]):
            if name not in entries:
                raise ValueError(f'{address} names no file {name}: the corpus has been published anew, or is elsewhere')
            size, checksum = _size_and_checksum(entries[name], name, address)
            source = WebFile(f'{site}/records/{_RECORD}/files/{name}?download=1', size, checksum)
            files.append(CorpusFile(name, source, is_archive=True))
        return files


def _entries(content: bytes, address: str) -> dict[str, dict[str, Any]]:
    """Returns what a record of Zenodo says about each file."""
    try:
        found = json.loads(content)['files']
        return {str(entry['key']): entry for entry in found}
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ValueError(
            f'{address} is no record of Zenodo: expected JSON with "files", each with its "key"'
        ) from error


def _size_and_checksum(entry: dict[str, Any], name: str, address: str) -> tuple[int, str]:
    size, checksum = entry.get('size'), entry.get('checksum')
    if not isinstance(size, int) or isinstance(size, bool) or size < 1:
        raise ValueError(f'{address} says no size of {name}, but {size!r}')
    if not isinstance(checksum, str) or not _CHECKSUM.fullmatch(checksum):
        raise ValueError(f'{address} says no hash of {name}, but {checksum!r}; expected md5:... or sha256:...')
    return size, checksum
