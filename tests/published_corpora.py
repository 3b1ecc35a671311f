"""Small corpora on a web server of this machine, laid out as their owners publish them."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping

from tests.web_site import Site

RECORD = '/api/records/1188976'


def zip_of(members: Mapping[str, bytes]) -> bytes:
    """A zip archive."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, 'w', zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def archive_path(name: str) -> str:
    """Where Zenodo has an archive of RAVDESS."""
    return f'/records/1188976/files/{name}'


def publish_ravdess(site: Site, archives: Mapping[str, bytes]) -> None:
    """Puts archives, and the record that names them, on the server; songs are among what a record names."""
    entries = [{'key': 'Audio_Song_Actors_01-24.zip', 'size': 5, 'checksum': f'md5:{"0" * 32}', 'links': {}}]
    for name, content in archives.items():
        entries.append(
            {'key': name, 'size': len(content), 'checksum': f'md5:{hashlib.md5(content).hexdigest()}', 'links': {}}
        )
        site.files[archive_path(name)] = content
    site.files[RECORD] = json.dumps({'id': 1188976, 'files': entries}).encode()


def publish_cremad(site: Site, files: Mapping[str, bytes]) -> None:
    """Puts files and their pointers on the server."""
    for name, content in files.items():
        digits = hashlib.sha256(content).hexdigest()
        pointer = f'version https://git-lfs.github.com/spec/v1\noid sha256:{digits}\nsize {len(content)}\n'
        site.files[f'/CheyneyComputerScience/CREMA-D/master/{name}'] = pointer.encode()
        site.files[f'/media/CheyneyComputerScience/CREMA-D/master/{name}'] = content
