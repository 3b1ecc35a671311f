"""Finding the clips of a raw data set, and naming what is made of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from hicmae_mm.datasets.preparation.jobs import Job
from hicmae_mm.datasets.readers.folders import IMAGE_SUFFIXES, walk

VIDEO_EXTENSIONS = (
    *('mp4', 'm4v', 'mov', 'qt', '3gp', '3g2', 'mkv', 'webm', 'avi', 'divx', 'flv', 'f4v', 'wmv', 'asf'),
    *('mpg', 'mpeg', 'm2v', 'vob', 'ts', 'mts', 'm2ts', 'ogv', 'mxf', 'dv'),
)


def find_files(root: Path, extensions: Sequence[str] = VIDEO_EXTENSIONS, skipped: Path | None = None) -> list[Path]:
    """Lists the files of some kinds below a folder, sorted; hidden ones are left out, links are followed.

    Args:
        root: Folder to look in.
        extensions: File extensions with or without dot, in upper or lower case.
        skipped: A folder that is not looked into, such as the one that results go to.

    Raises:
        FileNotFoundError: If there is no such folder.
        ValueError: If there are no such files.
    """
    suffixes = {f'.{extension.lower().lstrip(".")}' for extension in extensions}
    found = [
        folder / name
        for folder, names in _walk(root, skipped)
        for name in names
        if Path(name).suffix.lower() in suffixes
    ]
    if not found:
        raise ValueError(f'no files ending in {sorted(suffixes)} below {root}; check the folder and --extensions')
    return sorted(found)


def find_frame_folders(root: Path, skipped: Path | None = None) -> list[Path]:
    """Lists the folders below a folder that hold pictures, sorted; see :func:`find_files`."""
    found = [
        folder
        for folder, names in _walk(root, skipped)
        if any(Path(name).suffix.lower() in IMAGE_SUFFIXES for name in names)
    ]
    if not found:
        raise ValueError(f'no folders with pictures below {root}')
    return sorted(found)


def mirrored_jobs(root: Path, sources: Sequence[Path], out_dir: Path, suffix: str = '') -> list[Job]:
    """Jobs whose targets lie in ``out_dir`` as the sources lie in ``root``.

    Args:
        root: Folder of the sources.
        sources: Files, which lose their extension, or folders.
        out_dir: Folder of the targets.
        suffix: Appended to the targets' names, ``'.wav'``; none for folders.
    """
    jobs = []
    for source in sources:
        name = source.relative_to(root)
        stem = name if source.is_dir() else name.with_suffix('')
        jobs.append(Job(name.as_posix(), source, out_dir / stem.with_name(stem.name + suffix)))
    return jobs


def _walk(root: Path, skipped: Path | None) -> Iterator[tuple[Path, list[str]]]:
    if not root.is_dir():
        raise FileNotFoundError(f'{root}: no such folder')
    return walk(root, skipped)
