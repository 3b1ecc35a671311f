"""What is wrong when a config cannot be read: the config, or the folder for temporary files."""

from __future__ import annotations

from hicmae_mm.commands.command_line import describe

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from hicmae_mm.config.reading import read_config


@contextmanager
def no_growing_files() -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_folder_for_temporary_files_is_blamed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = tmp_path / 'config.py'
    config.write_text('a = 1  # and more than eight bytes')
    assert read_config(config).a == 1
    monkeypatch.setattr('tempfile.tempdir', str(tmp_path))
    with no_growing_files(), pytest.raises(OSError, match='no temporary file can be written') as caught:
        read_config(config)
    assert describe(caught.value) == (
        f'{tmp_path}: no temporary file can be written there, TMPDIR selects another folder: File too large '
        '(raise the limit (ulimit -f), or write elsewhere)'
    )


def test_without_any_folder_for_temporary_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = tmp_path / 'config.py'
    config.write_text('a = 1')
    monkeypatch.setattr('tempfile.tempdir', None)
    monkeypatch.setattr('tempfile._candidate_tempdir_list', lambda: ['/dev/null'])
    with pytest.raises(FileNotFoundError) as caught:
        read_config(config)
    assert describe(caught.value) == (
        "No usable temporary directory found in ['/dev/null'] (free some space in one of them, or set TMPDIR to "
        'another folder)'
    )


def test_an_error_of_the_config_itself(tmp_path: Path) -> None:
    config = tmp_path / 'config.py'
    config.write_text("open('/dev/null/a')")
    with pytest.raises(ValueError, match=r'config.py cannot be read: NotADirectoryError'):
        read_config(config)
