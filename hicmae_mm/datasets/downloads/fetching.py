"""Fetches, checks and unpacks the files of a corpus. Each file is complete or absent."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from hicmae_mm.datasets.downloads.corpus import CorpusFile, Progress
from hicmae_mm.datasets.downloads.parallel import run_parallel
from hicmae_mm.datasets.downloads.unpacking import unpack
from hicmae_mm.downloads.web_files import fetch


def is_there(file: CorpusFile, root: Path, is_unpacked: bool) -> bool:
    """Tells whether a file, or the folder that is unpacked from it, is complete.

    Raises:
        ValueError: If a file of that name has another size, because it is from elsewhere.
    """
    if file.is_archive and is_unpacked and file.unpacked_below(root).is_dir():
        return True
    path = root / file.name
    if not path.exists():
        return False
    if not path.is_file() or path.stat().st_size != file.size:
        found = f'has {path.stat().st_size} bytes' if path.is_file() else 'is no file'
        raise ValueError(f'{path} {found}, the owners say {file.size}: move it away, so that it can be fetched')
    return True


def num_missing_bytes(files: Sequence[CorpusFile], root: Path, is_unpacked: bool) -> int:
    """Bytes that are still to be fetched."""
    partial = 0
    missing = [file for file in files if not is_there(file, root, is_unpacked)]
    for file in missing:
        path = root / file.name
        begun = path.with_name(f'.{path.name}.download')
        partial += min(begun.stat().st_size, file.size) if begun.is_file() else 0
    return sum(file.size for file in missing) - partial


def download_files(
    files: Sequence[CorpusFile],
    root: Path,
    num_connections: int = 1,
    is_unpacked: bool = True,
    progress: Progress = lambda _: None,
) -> None:
    """Fetches what is not there. Run again after an interruption, it continues.

    Args:
        files: Files to fetch.
        root: Folder of the corpus.
        num_connections: Files at a time.
        is_unpacked: Whether archives are unpacked into folders of their names, and removed after that.
        progress: Called with the number of bytes that came since the last call.

    Raises:
        ConnectionError: If a server does not answer, or stalls.
        FileNotFoundError: If a server lacks a file. All others are fetched before.
        ValueError: If a file or an archive is not what it should be.
        OSError: If the disk is too small, or cannot be written.
    """
    _check_space(files, root, is_unpacked)

    def get(file: CorpusFile) -> None:
        if not (file.is_archive and is_unpacked and file.unpacked_below(root).is_dir()):
            _fetch(file, root / file.name, progress)
            if file.is_archive and is_unpacked:
                unpack(root / file.name, file.unpacked_below(root))
                (root / file.name).unlink()

    run_parallel(get, [file for file in files if not _is_complete(file, root, is_unpacked)], num_connections)


def _is_complete(file: CorpusFile, root: Path, is_unpacked: bool) -> bool:
    """Tells whether nothing is left to do. A downloaded archive may still have to be unpacked."""
    has_to_be_unpacked = file.is_archive and is_unpacked and not file.unpacked_below(root).is_dir()
    return is_there(file, root, is_unpacked) and not has_to_be_unpacked


def _fetch(file: CorpusFile, path: Path, progress: Progress) -> None:
    there: list[int] = []

    def advance(num_bytes: int) -> None:
        if there:
            progress(num_bytes - there[-1])
        there[:] = [num_bytes]

    fetch(file.source, path, advance)


def _check_space(files: Sequence[CorpusFile], root: Path, is_unpacked: bool) -> None:
    """Refuses to begin what cannot end.

    Raises:
        OSError: If the disk has not enough room.
    """
    packed = [file for file in files if file.is_archive and is_unpacked and not file.unpacked_below(root).is_dir()]
    needed = num_missing_bytes(files, root, is_unpacked) + sum(file.size for file in packed)
    root.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(root).free
    if free < needed:
        raise OSError(
            f'{root} has room for {free / 1e9:.1f} GB, at least {needed / 1e9:.1f} GB are needed: free some space, or '
            'choose another folder'
        )
