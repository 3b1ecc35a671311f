"""Files of the web, from a server of this machine with the faults that servers have."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from hicmae_mm.downloads import servers, web_files
from hicmae_mm.downloads.servers import read_address
from hicmae_mm.downloads.web_files import WebFile, fetch
from tests.web_site import Fault, Site, running_site

CONTENT = bytes(range(256)) * 40
MD5 = f'md5:{hashlib.md5(CONTENT).hexdigest()}'
SHA256 = f'sha256:{hashlib.sha256(CONTENT).hexdigest()}'


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setenv('no_proxy', '*')
    with running_site() as site:
        site.files['/clip.zip'] = CONTENT
        yield site


def _web_file(site: Site, checksum: str = MD5, size: int | None = len(CONTENT), name: str = 'clip.zip') -> WebFile:
    return WebFile(f'{site.address}/{name}?download=1', size, checksum)


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize('size', [len(CONTENT), None])
@pytest.mark.parametrize('checksum', [MD5, SHA256, SHA256[:15], ''])
def test_a_file_comes_once_and_whole(checksum: str, size: int | None, site: Site, tmp_path: Path) -> None:
    path, seen = tmp_path / 'new' / 'clip.zip', list[int]()
    fetch(_web_file(site, checksum, size), path, seen.append)
    fetch(_web_file(site, checksum, size), path)
    assert path.read_bytes() == CONTENT
    assert site.requests == [('/clip.zip', '')]
    assert (seen[0], seen[-1]) == (0, len(CONTENT))
    assert _names(path.parent) == ['clip.zip']


@pytest.mark.parametrize(('checksum', 'has_validator'), [(MD5, True), (MD5, False), ('', True)])
def test_a_cut_fetch_continues_with_the_missing_bytes(
    checksum: str, has_validator: bool, site: Site, tmp_path: Path
) -> None:
    path, file = tmp_path / 'clip.zip', _web_file(site, checksum, None)
    site.validators, site.faults['/clip.zip'] = has_validator, [Fault(num_bytes=3000), Fault(num_bytes=4000)]
    for _ in range(2):
        with pytest.raises(ConnectionError, match=r'clip.zip.*was cut: the server announced \d+ bytes and sent'):
            fetch(file, path)
        assert not path.exists()
    fetch(file, path)
    assert path.read_bytes() == CONTENT
    assert [part for _, part in site.requests] == ['', 'bytes=3000-', 'bytes=7000-']
    assert _names(tmp_path) == ['clip.zip']


def test_without_a_hash_another_version_is_not_appended(site: Site, tmp_path: Path) -> None:
    path, file = tmp_path / 'clip.zip', _web_file(site, '', None)
    site.faults['/clip.zip'] = [Fault(num_bytes=3000)]
    with pytest.raises(ConnectionError):
        fetch(file, path)
    site.files['/clip.zip'] = CONTENT[::-1]
    fetch(file, path)
    assert path.read_bytes() == CONTENT[::-1]


def test_what_cannot_be_continued_is_not_kept(site: Site, tmp_path: Path) -> None:
    site.validators, site.faults['/clip.zip'] = False, [Fault(num_bytes=3000)]
    with pytest.raises(ConnectionError):
        fetch(_web_file(site, '', None), tmp_path / 'clip.zip')
    assert _names(tmp_path) == []


def test_a_mirror_continues_what_the_owner_began(site: Site, tmp_path: Path) -> None:
    path = tmp_path / 'clip.zip'
    site.files['/mirror.zip'], site.faults['/clip.zip'] = CONTENT, [Fault(num_bytes=3000)]
    with pytest.raises(ConnectionError):
        fetch(_web_file(site), path)
    fetch(_web_file(site, name='mirror.zip'), path)
    assert site.requests[-1] == ('/mirror.zip', 'bytes=3000-')
    assert path.read_bytes() == CONTENT


def test_a_server_without_ranges_begins_again(site: Site, tmp_path: Path) -> None:
    site.has_ranges, site.faults['/clip.zip'] = False, [Fault(num_bytes=3000)]
    with pytest.raises(ConnectionError):
        fetch(_web_file(site), tmp_path / 'clip.zip')
    fetch(_web_file(site), tmp_path / 'clip.zip')
    assert (tmp_path / 'clip.zip').read_bytes() == CONTENT


def test_a_long_connection_that_is_cut_is_made_anew(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web_files, '_WORTHWHILE_BYTES', 2000)
    site.faults['/clip.zip'] = [Fault(num_bytes=3000)] * 3
    fetch(_web_file(site), tmp_path / 'clip.zip')
    assert [part for _, part in site.requests] == ['', 'bytes=3000-', 'bytes=6000-', 'bytes=9000-']
    assert (tmp_path / 'clip.zip').read_bytes() == CONTENT


def test_a_server_that_has_no_such_part_is_asked_for_the_whole(site: Site, tmp_path: Path) -> None:
    path, file = tmp_path / 'clip.zip', _web_file(site, '', None)
    site.faults['/clip.zip'] = [Fault(num_bytes=3000), Fault(status=416)]
    with pytest.raises(ConnectionError):
        fetch(file, path)
    fetch(file, path)
    assert [part for _, part in site.requests] == ['', 'bytes=3000-', '']
    assert path.read_bytes() == CONTENT


@pytest.mark.parametrize(
    ('fault', 'error', 'message'),
    [
        (Fault(status=404), FileNotFoundError, 'clip.zip.*404'),
        (Fault(status=403), ConnectionError, 'clip.zip.*403'),
        (Fault(status=500), ConnectionError, 'clip.zip.*500'),
        (Fault(status=302, headers={'Location': 'file:///etc/passwd'}), ConnectionError, 'clip.zip.*cannot be fetched'),
        (Fault(status=302, headers={'Location': 'ftp://127.0.0.1/x'}), ConnectionError, 'leads to ftp.*less safe'),
    ],
)
def test_refusals_are_named(fault: Fault, error: type[OSError], message: str, site: Site, tmp_path: Path) -> None:
    site.faults['/clip.zip'] = [fault]
    with pytest.raises(error, match=message):
        fetch(_web_file(site), tmp_path / 'clip.zip')
    assert _names(tmp_path) == []


def test_a_redirection_is_followed_by_the_range_too(site: Site, tmp_path: Path) -> None:
    path, file = tmp_path / 'clip.zip', _web_file(site, name='moved')
    moved = Fault(status=302, headers={'Location': f'{site.address}/clip.zip'})
    site.faults = {'/moved': [moved, moved], '/clip.zip': [Fault(num_bytes=3000)]}
    with pytest.raises(ConnectionError):
        fetch(file, path)
    fetch(file, path)
    assert site.requests[-1] == ('/clip.zip', 'bytes=3000-')
    assert path.read_bytes() == CONTENT


def test_a_secure_address_does_not_lead_to_an_open_one() -> None:
    from urllib.error import URLError
    from urllib.request import Request

    with pytest.raises(URLError, match=r'less safe'):
        servers.SameSafety().redirect_request(
            Request('https://127.0.0.1/a'),
            None,
            302,
            '',
            {},
            'http://127.0.0.1/b',  # type: ignore[arg-type]
        )


@pytest.mark.parametrize(
    ('fault', 'message'),
    [
        (Fault(num_bytes=3000, stalls=True), r'timed out, 0.3 s without a byte'),
        (Fault(seconds_per_byte=0.01), r'was given up: \d+ bytes came in'),
    ],
)
def test_a_server_that_stalls_or_drips_is_given_up_and_continued(
    fault: Fault, message: str, site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(servers, 'TIMEOUT_SECONDS', 0.3)
    monkeypatch.setattr(servers, 'SLOW_SECONDS', 0.3)
    site.faults['/clip.zip'] = [fault]
    with pytest.raises(ConnectionError, match=message):
        fetch(_web_file(site), tmp_path / 'clip.zip')
    fetch(_web_file(site), tmp_path / 'clip.zip')
    assert site.requests[-1][1].startswith('bytes=')
    assert (tmp_path / 'clip.zip').read_bytes() == CONTENT


def test_a_header_that_never_ends_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    import socket

    monkeypatch.setattr(servers, 'TIMEOUT_SECONDS', 0.3)
    monkeypatch.setenv('no_proxy', '*')
    ended = threading.Event()
    with socket.create_server(('127.0.0.1', 0)) as server:

        def drip() -> None:
            connection, _ = server.accept()
            with connection:
                connection.sendall(b'HTTP/1.0 200 OK\r\n')
                while not ended.wait(0.05):
                    connection.sendall(b'X')

        thread = threading.Thread(target=drip)
        thread.start()
        try:
            with pytest.raises(ConnectionError, match=r'no answer within'):
                read_address(f'http://127.0.0.1:{server.getsockname()[1]}/a', 100)
        finally:
            ended.set()
            thread.join()


@pytest.mark.parametrize(
    ('checksum', 'size', 'message'),
    [
        ('md5:' + '0' * 32, len(CONTENT), r'clip.zip.*not the file that was promised: its MD5 begins with'),
        ('sha256:' + '0' * 8, len(CONTENT), r'its SHA-256 begins with'),
        (MD5, 99, rf'clip.zip.*has {len(CONTENT)} bytes, expected 99'),
    ],
)
def test_another_file_is_refused_and_not_kept(
    checksum: str, size: int, message: str, site: Site, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=message):
        fetch(_web_file(site, checksum, size), tmp_path / 'clip.zip')
    assert _names(tmp_path) == []
    fetch(_web_file(site), tmp_path / 'clip.zip')


def test_a_spoilt_part_is_found_by_the_hash_and_fetched_anew(site: Site, tmp_path: Path) -> None:
    site.faults['/clip.zip'] = [Fault(num_bytes=3000)]
    with pytest.raises(ConnectionError):
        fetch(_web_file(site), tmp_path / 'clip.zip')
    (tmp_path / '.clip.zip.download').write_bytes(bytes(3000))
    with pytest.raises(ValueError, match=r'not the file that was promised'):
        fetch(_web_file(site), tmp_path / 'clip.zip')
    fetch(_web_file(site), tmp_path / 'clip.zip')
    assert (tmp_path / 'clip.zip').read_bytes() == CONTENT


def test_a_busy_server_is_asked_again(site: Site, tmp_path: Path) -> None:
    busy = Fault(status=429, headers={'Retry-After': '0'})
    site.faults['/clip.zip'] = [busy, busy]
    fetch(_web_file(site), tmp_path / 'clip.zip')
    site.faults['/clip.zip'] = [busy]
    assert read_address(f'{site.address}/clip.zip', len(CONTENT)) == CONTENT
    site.faults['/clip.zip'] = [busy] * 9
    with pytest.raises(ConnectionError, match=r'429'):
        read_address(f'{site.address}/clip.zip', len(CONTENT))
    assert len(site.faults['/clip.zip']) == 9 - servers.MOST_ATTEMPTS


def test_a_small_file_is_bounded(site: Site) -> None:
    with pytest.raises(ValueError, match=r'larger than 100 bytes'):
        read_address(f'{site.address}/clip.zip', 100)
    with pytest.raises(ValueError, match=r'no address of the web'):
        read_address('file:///etc/passwd', 100)


def test_a_link_in_the_place_of_the_part_is_not_followed(site: Site, tmp_path: Path) -> None:
    victim = tmp_path / 'victim'
    victim.write_bytes(b'mine')
    (tmp_path / '.clip.zip.download').symlink_to(victim)
    with pytest.raises(OSError, match=r'symbolic links'):
        fetch(_web_file(site), tmp_path / 'clip.zip')
    (tmp_path / '.clip.zip.download').unlink()
    (tmp_path / '.clip.zip.download').hardlink_to(victim)
    with pytest.raises(ValueError, match=r'not a file of its own'):
        fetch(_web_file(site), tmp_path / 'clip.zip')
    assert victim.read_bytes() == b'mine'


def test_two_at_a_time_fetch_it_once(site: Site, tmp_path: Path) -> None:
    site.faults['/clip.zip'] = [Fault(seconds_per_byte=0.00001)]
    threads = [threading.Thread(target=fetch, args=(_web_file(site), tmp_path / 'clip.zip')) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(site.requests) == 1
    assert (tmp_path / 'clip.zip').read_bytes() == CONTENT
