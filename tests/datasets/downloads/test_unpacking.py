"""Archives that would write elsewhere, grow without bound or are damaged are not unpacked, not even in part."""

from __future__ import annotations

import stat
import zipfile
from pathlib import Path

import pytest

from hicmae_mm.datasets.downloads import unpacking
from hicmae_mm.datasets.downloads.unpacking import unpack
from tests.published_corpora import zip_of


def _refused(content: bytes, folder: Path, message: str) -> None:
    archive = folder / 'inner' / 'clips.zip'  # so that what leads out of its folder is seen
    archive.parent.mkdir(exist_ok=True)
    archive.write_bytes(content)
    before = {path.name for path in folder.rglob('*')}
    with pytest.raises(ValueError, match=message):
        unpack(archive, folder / 'inner' / 'clips')
    assert {path.name for path in folder.rglob('*')} == before


@pytest.mark.parametrize('name', ['../evil', 'a/../../evil', '/tmp/evil', 'a\\..\\evil', 'C:/evil', '..', 'a/../b'])
def test_members_stay_in_the_folder(name: str, tmp_path: Path) -> None:
    _refused(zip_of({'good.wav': b'1', name: b'evil'}), tmp_path, r'clips.zip is not unpacked: its member .* leads out')


@pytest.mark.parametrize('kind', [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR])
def test_links_and_devices_are_refused(kind: int, tmp_path: Path) -> None:
    info = zipfile.ZipInfo('link')
    info.external_attr = (kind | 0o777) << 16
    with zipfile.ZipFile(tmp_path / 'made.zip', 'w') as archive:
        archive.writestr(info, '/etc/passwd')
    _refused((tmp_path / 'made.zip').read_bytes(), tmp_path, r"its member 'link' is a link or a device")


def test_size_and_number_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpacking, '_ALLOWED_BYTES', 0)
    _refused(zip_of({'zeros': bytes(10**6)}), tmp_path, r'would grow to 1000000 bytes, at most \d+')
    monkeypatch.setattr(unpacking, 'MOST_MEMBERS', 2)
    _refused(zip_of({str(number): b'' for number in range(3)}), tmp_path, r'has 3 members, at most 2')


@pytest.mark.filterwarnings('ignore:Duplicate name')
def test_no_member_comes_twice(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / 'made.zip', 'w') as archive:
        archive.writestr('a', '1')
        archive.writestr('a', '2')
    _refused((tmp_path / 'made.zip').read_bytes(), tmp_path, r"two members 'a'")


def test_damaged_archives_are_named(tmp_path: Path) -> None:
    good = zip_of({'a.wav': bytes(range(256)) * 9})
    _refused(b'', tmp_path, r'clips.zip cannot be unpacked .*not a zip file')
    _refused(good[:100], tmp_path, r'cannot be unpacked')
    _refused(good[:60] + b'????' + good[64:], tmp_path, r'cannot be unpacked')
    encrypted = bytearray(good)
    encrypted[good.index(b'PK\1\2') + 8] |= 1
    _refused(bytes(encrypted), tmp_path, r"'a.wav' is encrypted")


def test_what_was_left_by_a_killed_process_is_replaced(tmp_path: Path) -> None:
    (tmp_path / 'clips.zip').write_bytes(zip_of({'Actor_01/a.wav': b'1', 'Actor_02/': b''}))
    (tmp_path / '.clips.unpacking' / 'Actor_09').mkdir(parents=True)
    unpack(tmp_path / 'clips.zip', tmp_path / 'clips')
    assert sorted(path.name for path in (tmp_path / 'clips').iterdir()) == ['Actor_01', 'Actor_02']
    assert (tmp_path / 'clips' / 'Actor_01' / 'a.wav').read_bytes() == b'1'
    with pytest.raises(FileExistsError, match=r'move it away'):
        unpack(tmp_path / 'clips.zip', tmp_path / 'clips')
