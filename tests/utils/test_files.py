from __future__ import annotations

import errno
import fcntl
import multiprocessing
import os
import resource
import signal
import stat
import time
from collections.abc import Callable
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


def test_a_partial_file_is_new_and_its_name_is_not_known_before(tmp_path: Path) -> None:
    victim, path = tmp_path / 'victim', tmp_path / 'table.md'
    victim.write_text('mine')
    (tmp_path / 'table.md.partial').symlink_to(victim)
    names = set()
    for _ in range(2):
        with replaced_file(path) as partial:
            names.add(partial.name)
            assert partial.is_file()
            assert not partial.is_symlink()
            partial.write_text('new')
    assert len(names) == 2
    assert victim.read_text() == 'mine'


def test_the_leftovers_of_the_dead_are_removed_and_those_of_the_living_kept(tmp_path: Path) -> None:
    writer = multiprocessing.get_context('fork').Process(target=_die_while_writing, args=(tmp_path / 'dead.md',))
    writer.start()
    writer.join()
    (left,) = tmp_path.glob('dead.md.*.partial')
    parents = tmp_path / f'other.md.{os.getppid()}-0123456789abcdef.partial'
    parents.touch()
    recycled = tmp_path / f'other.md.{os.getpid()}-0123456789abcdef.partial'  # of an earlier process of this number
    recycled.touch()
    with replaced_file(tmp_path / 'outer.md') as outer:
        time.sleep(0.05)
        write_text(tmp_path / 'inner.md', 'inner')
        assert outer.exists()
        outer.write_text('outer')
    assert not left.exists()
    assert {entry.name for entry in tmp_path.iterdir()} == {'outer.md', 'inner.md', parents.name}


def test_a_link_keeps_pointing_to_the_new_content(tmp_path: Path) -> None:
    (tmp_path / 'real').mkdir()
    target, link = tmp_path / 'real' / 'table.md', tmp_path / 'table.md'
    target.write_text('old')
    link.symlink_to(Path('real') / 'table.md')
    write_text(link, 'new')
    assert link.is_symlink()
    assert target.read_text() == 'new'
    assert [entry.name for entry in target.parent.iterdir()] == ['table.md']


def test_devices_pipes_and_open_descriptors_are_written_to(tmp_path: Path) -> None:
    write_text(Path(os.devnull), 'nothing')
    assert stat.S_ISCHR(Path(os.devnull).stat().st_mode)
    link = tmp_path / 'link'
    link.symlink_to(os.devnull)
    write_text(link, 'nothing')
    assert link.readlink() == Path(os.devnull)
    with (tmp_path / 'log').open('w') as log:
        log.write('before\n')
        log.flush()
        write_text(Path(f'/dev/fd/{log.fileno()}'), 'table\n')
        log.seek(0, os.SEEK_END)
        log.write('after\n')
    assert (tmp_path / 'log').read_text() == 'before\ntable\nafter\n'
    os.mkfifo(tmp_path / 'pipe')
    reader = os.open(tmp_path / 'pipe', os.O_RDONLY | os.O_NONBLOCK)
    write_text(tmp_path / 'pipe', 'through')
    assert os.read(reader, 100) == b'through'
    os.close(reader)
    assert stat.S_ISFIFO((tmp_path / 'pipe').stat().st_mode)
    assert {entry.name for entry in tmp_path.iterdir()} == {'link', 'log', 'pipe'}


@pytest.mark.parametrize(
    ('name', 'error'),
    [
        ('folder', IsADirectoryError),
        ('file/table.md', NotADirectoryError),
        (f'{"x" * 256}.md', OSError),
        ('circle', OSError),
        ('/dev/full', OSError),
        ('/proc/self/none', OSError),
    ],
)
def test_errors_name_the_file(tmp_path: Path, name: str, error: type[OSError]) -> None:
    (tmp_path / 'folder').mkdir()
    (tmp_path / 'file').touch()
    (tmp_path / 'circle').symlink_to('circle')
    before = sorted(tmp_path.rglob('*'))
    with pytest.raises(error) as caught:
        write_text(tmp_path / name, 'text')
    assert str(caught.value.filename) in (str(tmp_path / name), str((tmp_path / name).parent))
    assert sorted(tmp_path.rglob('*')) == before


def test_long_names_have_room_for_the_ending(tmp_path: Path) -> None:
    path = tmp_path / ('ä' * 127)
    write_text(path, 'text')
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


def _write_within(limit_bytes: int, path: Path) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, limit_bytes))
    try:
        write_text(path, 'x' * 100_000)
    except OSError as error:
        os._exit(0 if (error.errno, error.filename) == (errno.EFBIG, str(path)) else 1)


def _write_by_a_library(limit_bytes: int, path: Path) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, limit_bytes))
    try:
        with replaced_file(path):
            raise RuntimeError('the reason is not passed on')
    except OSError as error:
        os._exit(0 if (error.errno, error.filename) == (errno.EFBIG, str(path)) else 1)


@pytest.mark.parametrize('write', [_write_within, _write_by_a_library])
def test_a_full_disk_leaves_the_old_file(write: Callable[[int, Path], None], tmp_path: Path) -> None:
    path = tmp_path / 'table.md'
    path.write_text('old')
    writer = multiprocessing.get_context('fork').Process(target=write, args=(1000, path))
    writer.start()
    writer.join()
    assert writer.exitcode == 0
    assert path.read_text() == 'old'
    assert [entry.name for entry in tmp_path.iterdir()] == ['table.md']


@pytest.mark.skipif(os.geteuid() == 0, reason='the administrator may write everything')
def test_a_read_only_file_is_not_replaced(tmp_path: Path) -> None:
    path = tmp_path / 'table.md'
    path.write_text('old')
    path.chmod(0o444)
    with pytest.raises(PermissionError):
        write_text(path, 'new')
    assert path.read_text() == 'old'


def test_new_files_have_the_usual_rights(tmp_path: Path) -> None:
    (tmp_path / 'usual').touch()
    write_text(tmp_path / 'table.md', 'text')
    assert (tmp_path / 'table.md').stat().st_mode == (tmp_path / 'usual').stat().st_mode


def test_a_lock_that_is_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / 'victim').write_text('mine')
    (tmp_path / 'lock').symlink_to('victim')
    with pytest.raises(OSError, match='lock'), exclusive(tmp_path / 'lock'):
        pass
    assert (tmp_path / 'victim').read_text() == 'mine'


def test_a_folder_has_one_user_at_a_time(tmp_path: Path) -> None:
    lock = tmp_path / 'locks' / 'fold1'
    with exclusive(lock), pytest.raises(RuntimeError, match='another process holds .*fold1: wait'):  # noqa: SIM117
        with exclusive(lock, patience_seconds=0.05):
            pass
    with exclusive(lock, patience_seconds=0.05) as descriptor:
        assert os.fstat(descriptor).st_size == 0


def test_a_disk_without_locks_gives_the_lock_to_everybody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(descriptor: int, operation: int) -> None:
        raise OSError(errno.ENOLCK, 'No locks available')

    monkeypatch.setattr(fcntl, 'flock', refuse)
    with exclusive(tmp_path / 'lock', patience_seconds=0) as first, exclusive(tmp_path / 'lock') as second:
        assert os.path.samestat(os.fstat(first), os.fstat(second))
