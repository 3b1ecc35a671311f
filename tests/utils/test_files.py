from __future__ import annotations

import multiprocessing
import os
import signal
from pathlib import Path

import pytest

from hicmae_mm.utils.files import exclusive, replaced_file, write_text


def _fail_while_writing(path: Path) -> None:
    with replaced_file(path) as partial:
        partial.write_text('half')
        raise InterruptedError


def test_a_file_is_replaced_only_once_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / 'folder' / 'table.md'
    write_text(path, 'old ä')
    with pytest.raises(InterruptedError):
        _fail_while_writing(path)
    assert path.read_text() == 'old ä'
    write_text(path, 'new')
    assert path.read_text() == 'new'
    assert [entry.name for entry in path.parent.iterdir()] == ['table.md']


def _die_while_writing(path: Path) -> None:
    with replaced_file(path) as partial:
        partial.write_text('half')
        os.kill(os.getpid(), signal.SIGKILL)


def test_a_killed_writer_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / 'table.md'
    write_text(path, 'old')
    writer = multiprocessing.get_context('fork').Process(target=_die_while_writing, args=(path,))
    writer.start()
    writer.join()
    assert writer.exitcode == -signal.SIGKILL
    assert path.read_text() == 'old'
    write_text(path, 'new')
    assert [entry.name for entry in tmp_path.iterdir()] == ['table.md']


def test_a_folder_has_one_user_at_a_time(tmp_path: Path) -> None:
    lock = tmp_path / 'locks' / 'fold1'
    with exclusive(lock), pytest.raises(RuntimeError, match='another process holds .*fold1: wait'):  # noqa: SIM117
        with exclusive(lock, patience_seconds=0.05):
            pass
    with exclusive(lock, patience_seconds=0.05) as descriptor:
        assert os.fstat(descriptor).st_size == 0
