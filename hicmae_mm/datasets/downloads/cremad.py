"""CREMA-D at GitHub: a file per clip in Git LFS, whose pointers say size and hash."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import product
from pathlib import Path
from typing import Any

from hicmae_mm.datasets.downloads.corpus import CorpusFile, Progress, PublishedCorpus
from hicmae_mm.datasets.downloads.parallel import run_parallel
from hicmae_mm.downloads.servers import read_address
from hicmae_mm.downloads.web_files import WebFile
from hicmae_mm.utils.files import write_text

_REPOSITORY = 'CheyneyComputerScience/CREMA-D/master'
_MOST_POINTER_BYTES = 1024
_POINTER = re.compile(
    r'version https://git-lfs\.github\.com/spec/v1\noid sha256:([0-9a-f]{64})\nsize ([1-9][0-9]{0,11})\n?'
)
_KEPT_POINTERS = '.cremad_pointers.json'

Pointer = tuple[str, str, int]  # name in the repository, SHA-256, size
_ACTORS = range(1001, 1092)
_EMOTIONS = ('ANG', 'DIS', 'FEA', 'HAP', 'NEU', 'SAD')
_SENTENCES = ('DFA', 'IOM', 'ITH', 'ITS', 'IWL', 'IWW', 'MTI', 'TAI', 'TIE', 'TSI', 'WSI')
_GRADED_SENTENCE, _INTENSITIES = 'IEO', ('LO', 'MD', 'HI')  # neutral has none there either
# what was never recorded: all emotions of a sentence, or one
_ABSENT = ('1008_WSI', '1009_MTI', '1019_ITH', '1002_TIE_NEU', '1076_ITS_NEU')
_FOLDERS = {'audio': ('AudioWAV', '.wav'), 'video': ('VideoFlash', '.flv')}
# how the repository may spell a name; here the sound has the name of its video
_OTHER_SPELLINGS = {'AudioWAV/1040_ITH_SAD_XX.wav': 'AudioWAV/1040_ITH_SAD_X.wav'}


def clip_names() -> Iterator[str]:
    """Yields names of the 7442 clips, ``ACTOR_SENTENCE_EMOTION_INTENSITY``."""
    for actor in _ACTORS:
        spoken = [(sentence, emotion, 'XX') for sentence, emotion in product(_SENTENCES, _EMOTIONS)]
        for emotion in _EMOTIONS:
            grades = ('XX',) if emotion == 'NEU' else _INTENSITIES
            spoken += [(_GRADED_SENTENCE, emotion, grade) for grade in grades]
        names = (f'{actor}_{"_".join(parts)}' for parts in sorted(spoken))
        yield from (name for name in names if not name.startswith(_ABSENT))


class CremadDownload(PublishedCorpus):
    """Lists the sound and the videos of CREMA-D. See :class:`PublishedCorpus` for the argument."""

    title = 'CREMA-D'
    homepage = 'https://github.com/CheyneyComputerScience/CREMA-D'
    licences = (
        'Open Database License 1.0 for the data base (https://opendatacommons.org/licenses/odbl/1-0/),',
        'Database Contents License 1.0 for its contents (https://opendatacommons.org/licenses/dbcl/1-0/):',
        'name the source, share adapted data bases alike. Cite https://doi.org/10.1109/TAFFC.2014.2336244.',
    )
    num_connections = 8

    def list_files(self, streams: Sequence[str], root: Path, progress: Progress = lambda _: None) -> list[CorpusFile]:
        """Returns the files of these streams. The pointer of each file is read once and kept."""
        pointers = f'{self.base_url or "https://raw.githubusercontent.com"}/{_REPOSITORY}'
        contents = f'{self.base_url or "https://media.githubusercontent.com"}/media/{_REPOSITORY}'
        known = _read_kept(root / _KEPT_POINTERS, pointers)
        names = [
            f'{folder}/{name}{suffix}'
            for stream, (folder, suffix) in _FOLDERS.items()
            if stream in streams
            for name in clip_names()
        ]

        def ask(name: str) -> None:
            known[name] = _read_pointer(pointers, name)
            progress(1)

        progress(sum(name in known for name in names))
        try:
            run_parallel(ask, [name for name in names if name not in known], self.num_connections)
        finally:
            if known:
                kept = {'address': pointers, 'pointers': known}
                write_text(root / _KEPT_POINTERS, json.dumps(kept) + '\n')
        return [
            CorpusFile(name, WebFile(f'{contents}/{spelling}', size, f'sha256:{digits}'))
            for name, (spelling, digits, size) in ((name, known[name]) for name in names)
        ]


def _read_pointer(folder: str, name: str) -> Pointer:
    """Reads the pointer of a file.

    Raises:
        FileNotFoundError: If there is none.
        ValueError: If it is something else.
    """
    address = f'{folder}/{name}'
    try:
        text = read_address(address, _MOST_POINTER_BYTES).decode('utf-8', 'replace')
    except FileNotFoundError:
        if name not in _OTHER_SPELLINGS:
            raise
        return _read_pointer(folder, _OTHER_SPELLINGS[name])
    match = _POINTER.fullmatch(text)
    if match is None:
        raise ValueError(f'{address} is no pointer of Git LFS: it begins with {text[:40]!r}')
    return name, match[1], int(match[2])


def _read_kept(path: Path, address: str) -> dict[str, Pointer]:
    """Returns the pointers that an earlier call read from the same address."""
    kept: Any = {}
    with suppress(OSError, ValueError, RecursionError):
        kept = json.loads(path.read_text(encoding='utf-8'))
    if not isinstance(kept, dict) or kept.get('address') != address or not isinstance(kept.get('pointers'), dict):
        return {}
    return {
        name: (entry[0], entry[1], entry[2])
        for name, entry in kept['pointers'].items()
        if isinstance(entry, list) and [type(value) for value in entry] == [str, str, int]
    }
