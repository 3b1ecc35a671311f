"""tools/misc/download_dataset.py against a server of this machine."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from hicmae_mm.config.paths import tools_root
from tests.published_corpora import RECORD, archive_path, publish_ravdess, zip_of
from tests.test_tools.command import run_tool, wait_for
from tests.test_tools.modules import load_tool
from tests.web_site import Fault, Site, running_site

TOOL = 'misc/download_dataset.py'
SOUND = 'Audio_Speech_Actors_01-24.zip'
ARCHIVE = zip_of({'Actor_01/03-01-01-01-01-01-01.wav': os.urandom(5000)})


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setenv('no_proxy', '*')
    with running_site() as site:
        publish_ravdess(site, {SOUND: ARCHIVE})
        yield site


def _main(site: Site, folder: Path, *options: str) -> int:
    arguments = ['ravdess', '--out-dir', str(folder), '--streams', 'audio', '--base-url', site.address]
    return load_tool(TOOL).main([*arguments, *options])


def test_nothing_is_asked_for_before_the_licence_is_accepted(
    site: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _main(site, tmp_path / 'new') == 1
    printed = capsys.readouterr()
    assert 'CC BY-NC-SA 4.0' in printed.out
    assert printed.err == 'error: read the licence above; --accept-licence says that you accept it\n'
    assert site.requests == []
    assert not (tmp_path / 'new').exists()


def test_the_list_is_free(site: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _main(site, tmp_path, '--list') == 0
    assert f'{len(ARCHIVE):>13,} md5:' in capsys.readouterr().out
    assert [path for path, _ in site.requests] == [RECORD]
    assert list(tmp_path.iterdir()) == []


def test_sound_is_fetched_and_unpacked(site: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    site.faults[archive_path(SOUND)] = [Fault(num_bytes=2000)]
    assert _main(site, tmp_path, '--accept-licence') == 1
    error = capsys.readouterr().err
    assert error.startswith('error: ')
    assert error.endswith('the same command continues here\n')
    assert error.count('\n') == 1
    assert _main(site, tmp_path, '--accept-licence') == 0
    assert site.requests[-1] == (archive_path(SOUND), 'bytes=2000-')
    assert [path.name for path in tmp_path.rglob('*.wav')] == ['03-01-01-01-01-01-01.wav']
    assert [path.name for path in tmp_path.iterdir()] == [SOUND[:-4]]


def test_archives_may_stay(site: Site, tmp_path: Path) -> None:
    assert _main(site, tmp_path, '--accept-licence', '--no-extract') == 0
    assert (tmp_path / SOUND).read_bytes() == ARCHIVE


@pytest.mark.parametrize(
    ('fault', 'message'),
    [
        (Fault(status=404), '404'),
        (Fault(status=403), '403'),
        (Fault(num_bytes=0), 'was cut'),
    ],
)
def test_faults_end_in_one_line(
    fault: Fault, message: str, site: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for path in (RECORD, archive_path(SOUND)):
        site.faults = {path: [fault]}
        assert _main(site, tmp_path, '--accept-licence') == 1
        error = capsys.readouterr().err
        assert message in error
        assert path in error
        assert error.count('\n') == 1
        assert list(tmp_path.iterdir()) == []


def test_an_archive_that_leads_out_is_refused(site: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    publish_ravdess(site, {SOUND: zip_of({'../evil.wav': b'evil'})})
    assert _main(site, tmp_path / 'corpus', '--accept-licence') == 1
    assert "its member '../evil.wav' leads out of the folder" in capsys.readouterr().err
    assert list(tmp_path.rglob('evil.wav')) == []


@pytest.mark.slow
def test_ctrl_c_ends_in_one_line_and_the_same_command_continues(site: Site, tmp_path: Path) -> None:
    site.faults[archive_path(SOUND)] = [Fault(num_bytes=2000, stalls=True)]
    arguments = ['ravdess', '--out-dir', str(tmp_path), '--streams', 'audio', '--base-url', site.address]
    command = [sys.executable, str(tools_root() / TOOL), *arguments, '--accept-licence']
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    wait_for(tmp_path / f'.{SOUND}.download.json', process)
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=60)
    assert (process.returncode, error) == (130, 'error: interrupted; the same command continues here\n')
    printed = run_tool(TOOL, *arguments, '--accept-licence').stdout
    assert f'complete: {tmp_path}' in printed
    assert (tmp_path / SOUND[:-4] / 'Actor_01').is_dir()


@pytest.mark.parametrize('options', [['iemocap'], ['ravdess', '--streams', 'text'], []])
def test_the_command_line_is_checked(options: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        load_tool(TOOL).main(options)
    assert ended.value.code == 2
    assert 'usage:' in capsys.readouterr().err
