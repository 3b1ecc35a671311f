"""The files of CREMA-D: names by rule, sizes and hashes by the pointers of Git LFS."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from hicmae_mm.datasets.downloads import CremadDownload, download_files
from hicmae_mm.datasets.downloads.cremad import clip_names
from tests.published_corpora import publish_cremad
from tests.web_site import Fault, Site, running_site

POINTERS = '/CheyneyComputerScience/CREMA-D/master'


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setenv('no_proxy', '*')
    with running_site() as site:
        yield site


@pytest.fixture
def few_clips(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The corpus of an actor and a half."""
    names = [name for name in clip_names() if name.startswith(('1001_DFA', '1040_ITH'))]
    monkeypatch.setattr('hicmae_mm.datasets.downloads.cremad.clip_names', lambda: iter(names))
    return names


def _sounds(names: list[str]) -> dict[str, bytes]:
    files = {f'AudioWAV/{name}.wav': name.encode() * 50 for name in names}
    files['AudioWAV/1040_ITH_SAD_X.wav'] = files.pop('AudioWAV/1040_ITH_SAD_XX.wav')  # as it is spelt there
    return files


def test_names_follow_from_the_rule() -> None:
    names = list(clip_names())
    assert len(names) == len(set(names)) == 7442
    assert Counter(name.split('_')[2] for name in names) == {
        'ANG': 1271, 'DIS': 1271, 'FEA': 1271, 'HAP': 1271, 'SAD': 1271, 'NEU': 1087
    }  # fmt: skip
    assert {'1001_IEO_ANG_HI', '1091_WSI_SAD_XX', '1076_MTI_SAD_XX'} <= set(names)
    assert not {'1008_WSI_ANG_XX', '1002_TIE_NEU_XX', '1001_IEO_NEU_HI'} & set(names)


def test_files_are_fetched_and_named_as_their_videos(site: Site, few_clips: list[str], tmp_path: Path) -> None:
    publish_cremad(site, _sounds(few_clips))
    files = CremadDownload(f'{site.address}/').list_files(['audio'], tmp_path)
    download_files(files, tmp_path, num_connections=4)
    found = {path.stem: path.read_bytes() for path in (tmp_path / 'AudioWAV').iterdir()}
    assert found == {name: name.encode() * 50 for name in few_clips}
    assert files[0].source.checksum == f'sha256:{hashlib.sha256(few_clips[0].encode() * 50).hexdigest()}'

    site.requests.clear()
    again = CremadDownload(site.address).list_files(['audio'], tmp_path)
    download_files(again, tmp_path)
    assert again == files
    assert site.requests == []


def test_both_streams_are_listed(site: Site, few_clips: list[str], tmp_path: Path) -> None:
    videos = {f'VideoFlash/{name}.flv': name.encode() for name in few_clips}
    publish_cremad(site, {**_sounds(few_clips), **videos})
    files = CremadDownload(site.address).list_files(['video', 'audio'], tmp_path)
    assert [file.name.partition('/')[0] for file in files] == ['AudioWAV'] * 12 + ['VideoFlash'] * 12


def test_an_interrupted_list_is_continued(site: Site, few_clips: list[str], tmp_path: Path) -> None:
    publish_cremad(site, _sounds(few_clips))
    site.faults[f'{POINTERS}/AudioWAV/1040_ITH_NEU_XX.wav'] = [Fault(status=403)]
    with pytest.raises(ConnectionError, match=r'1040_ITH_NEU_XX.wav.*403'):
        CremadDownload(site.address).list_files(['audio'], tmp_path)
    asked = len(site.requests)
    assert len(CremadDownload(site.address).list_files(['audio'], tmp_path)) == 12
    assert len(site.requests) - asked < 12


def test_what_is_absent_does_not_stop_the_others(site: Site, few_clips: list[str], tmp_path: Path) -> None:
    publish_cremad(site, _sounds(few_clips))
    for name in few_clips[:2]:
        del site.files[f'/media{POINTERS}/AudioWAV/{name}.wav']
    files = CremadDownload(site.address).list_files(['audio'], tmp_path)
    with pytest.raises(FileNotFoundError, match=r'1001_DFA.*404.*2 of 12 files are not there'):
        download_files(files, tmp_path, num_connections=4)
    assert len(list((tmp_path / 'AudioWAV').glob('*.wav'))) == 10


def test_what_is_no_pointer_is_named(site: Site, few_clips: list[str], tmp_path: Path) -> None:
    publish_cremad(site, _sounds(few_clips))
    site.files[f'{POINTERS}/AudioWAV/1001_DFA_ANG_XX.wav'] = b'<!doctype html><title>log in</title>'
    with pytest.raises(ValueError, match=r"1001_DFA_ANG_XX.wav is no pointer of Git LFS: it begins with '<!doctype"):
        CremadDownload(site.address).list_files(['audio'], tmp_path)


@pytest.mark.parametrize('content', ['', '[]', '{"pointers": 3}', '{"address": 1, "pointers": {"a": [1]}}'])
def test_damaged_notes_are_ignored(content: str, site: Site, few_clips: list[str], tmp_path: Path) -> None:
    publish_cremad(site, _sounds(few_clips))
    (tmp_path / '.cremad_pointers.json').write_text(content)
    assert len(CremadDownload(site.address).list_files(['audio'], tmp_path)) == 12
