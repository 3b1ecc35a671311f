"""Zip archives, unpacked whole or not at all, and nowhere but into their folder."""

from __future__ import annotations

import shutil
import stat
import zipfile
import zlib
from pathlib import Path, PurePosixPath

MOST_MEMBERS = 100_000
MOST_GROWTH = 10  # media hardly shrink in a zip file; a bomb grows a thousandfold
_ALLOWED_BYTES = 64 << 20  # whatever the size of the archive
_PLAIN_TYPES = (0, stat.S_IFREG, stat.S_IFDIR)


def unpack(archive: Path, folder: Path) -> None:
    """Unpacks a zip archive into a new folder, which appears once it is complete.

    Raises:
        ValueError: If it is damaged or encrypted, has members that lead out of the folder, links or too many bytes.
        FileExistsError: If the folder is there.
    """
    if folder.exists():
        raise FileExistsError(f'{folder} exists: move it away, so that {archive.name} can be unpacked')
    partial = folder.with_name(f'.{folder.name}.unpacking')
    shutil.rmtree(partial, ignore_errors=True)
    try:
        with zipfile.ZipFile(archive) as opened:
            members = opened.infolist()
            _check(members, archive)
            partial.mkdir(parents=True)
            for member in members:
                opened.extract(member, partial)
        partial.rename(folder)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, UnicodeError, RuntimeError) as error:
        raise ValueError(f'{archive} cannot be unpacked ({error}): remove it, and download it again') from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _check(members: list[zipfile.ZipInfo], archive: Path) -> None:
    """Refuses an archive that is no plain collection of files.

    Raises:
        ValueError: If the archive is too large, or a member is no plain file of the folder. The message names the
            member.
    """
    if len(members) > MOST_MEMBERS:
        raise ValueError(f'{archive} has {len(members)} members, at most {MOST_MEMBERS} are unpacked')
    size, allowed = sum(member.file_size for member in members), archive.stat().st_size * MOST_GROWTH + _ALLOWED_BYTES
    if size > allowed:
        raise ValueError(f'{archive} would grow to {size} bytes, at most {allowed} are unpacked')
    seen: set[str] = set()
    for member in members:
        name = member.filename
        parts = PurePosixPath(name).parts
        if not parts or name.startswith('/') or '..' in parts or '\\' in name or ':' in parts[0]:
            raise ValueError(f'{archive} is not unpacked: its member {name!r} leads out of the folder')
        if stat.S_IFMT(member.external_attr >> 16) not in _PLAIN_TYPES:
            raise ValueError(f'{archive} is not unpacked: its member {name!r} is a link or a device, not a file')
        if member.flag_bits & 1:
            raise ValueError(f'{archive} is not unpacked: its member {name!r} is encrypted')
        if name in seen:
            raise ValueError(f'{archive} is not unpacked: it has two members {name!r}')
        seen.add(name)
