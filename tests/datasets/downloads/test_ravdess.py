"""The archives of RAVDESS, by the record of the corpus."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hicmae_mm.datasets.downloads import RavdessDownload, download_files, num_missing_bytes
from tests.published_corpora import RECORD, archive_path, publish_ravdess, zip_of
from tests.web_site import Fault, Site, running_site

SOUND = 'Audio_Speech_Actors_01-24.zip'
VIDEOS = [f'Video_Speech_Actor_{actor:02d}.zip' for actor in range(1, 25)]


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setenv('no_proxy', '*')
    with running_site() as site:
        publish_ravdess(site, {name: zip_of({'Actor_01/a.mp4': name.encode()}) for name in (*VIDEOS, SOUND)})
        yield site


@pytest.mark.parametrize(
    ('streams', 'names'), [(['audio'], [SOUND]), (['video'], VIDEOS), (['video', 'audio'], [SOUND, *VIDEOS])]
)
def test_streams_choose_archives(streams: list[str], names: list[str], site: Site, tmp_path: Path) -> None:
    files = RavdessDownload(site.address).list_files(streams, tmp_path)
    assert [file.name for file in files] == names
    assert all(file.size == len(site.files[archive_path(file.name)]) for file in files)


def test_archives_are_unpacked_and_removed(site: Site, tmp_path: Path) -> None:
    files = RavdessDownload(site.address).list_files(['video', 'audio'], tmp_path)
    assert num_missing_bytes(files, tmp_path, True) == sum(file.size for file in files)
    seen: list[int] = []
    download_files(files, tmp_path, progress=seen.append)
    assert sum(seen) == sum(file.size for file in files)
    assert {path.name for path in tmp_path.iterdir()} == {name[:-4] for name in (SOUND, *VIDEOS)}
    assert (tmp_path / 'Video_Speech_Actor_24' / 'Actor_01' / 'a.mp4').read_bytes() == VIDEOS[-1].encode()
    assert num_missing_bytes(files, tmp_path, True) == 0
    site.requests.clear()
    download_files(files, tmp_path)
    assert site.requests == []


def test_archives_may_stay_and_be_unpacked_later(site: Site, tmp_path: Path) -> None:
    files = RavdessDownload(site.address).list_files(['audio'], tmp_path)
    download_files(files, tmp_path, is_unpacked=False)
    assert [path.name for path in tmp_path.iterdir()] == [SOUND]
    site.requests.clear()
    download_files(files, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [SOUND[:-4]]
    assert site.requests == []


def test_what_is_begun_counts_as_there(site: Site, tmp_path: Path) -> None:
    files = RavdessDownload(site.address).list_files(['audio'], tmp_path)
    site.faults[archive_path(SOUND)] = [Fault(num_bytes=30)]
    with pytest.raises(ConnectionError):
        download_files(files, tmp_path)
    assert num_missing_bytes(files, tmp_path, True) == files[0].size - 30


def test_somebody_elses_file_is_left(site: Site, tmp_path: Path) -> None:
    files = RavdessDownload(site.address).list_files(['audio'], tmp_path)
    (tmp_path / SOUND).write_bytes(b'mine')
    with pytest.raises(ValueError, match=r'has 4 bytes, the owners say \d+: move it away'):
        download_files(files, tmp_path)
    assert (tmp_path / SOUND).read_bytes() == b'mine'


def test_a_disk_that_is_too_small_is_named_before(site: Site, tmp_path: Path) -> None:
    record = json.loads(site.files[RECORD])
    record['files'][-1]['size'] = 10**16
    site.files[RECORD] = json.dumps(record).encode()
    with pytest.raises(OSError, match=r'room for .* GB, at least 20000000.0 GB are needed'):
        download_files(RavdessDownload(site.address).list_files(['audio'], tmp_path), tmp_path)
    assert [path for path, _ in site.requests] == [RECORD]


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        (b'<html>', 'is no record of Zenodo'),
        (b'[' * 100_000, 'is no record of Zenodo'),
        (b'{"files": [{"size": 3}]}', 'is no record of Zenodo'),
        (b'{"files": []}', f'names no file {SOUND}'),
        ({'size': -1}, r'says no size of Audio.*-1'),
        ({'size': '9'}, r'says no size of Audio'),
        ({'checksum': 'md5:12'}, r"says no hash of Audio.*'md5:12'"),
        ({'checksum': None}, r'says no hash of Audio'),
    ],
)
def test_records_that_say_too_little(content: bytes | dict[str, Any], message: str, site: Site, tmp_path: Path) -> None:
    if isinstance(content, dict):
        entry = {'key': SOUND, 'size': 9, 'checksum': 'md5:' + 'a' * 32, **content}
        content = json.dumps({'files': [entry]}).encode()
    site.files[RECORD] = content
    with pytest.raises(ValueError, match=message):
        RavdessDownload(site.address).list_files(['audio'], tmp_path)
