"""How programs end: one line, the right exit status, nothing else."""

from __future__ import annotations

from hicmae_mm.commands.command_line import ArgumentParser, command, describe, one_line

import errno
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from mmengine.registry import Registry

from hicmae_mm.config.paths import tools_root
from hicmae_mm.datasets.errors import MediaError

PROGRAM = """
from hicmae_mm.commands.command_line import command
import sys, time
@command
def main():
    {body}
sys.exit(main())
"""


def message_of(main: Callable[[], object], capsys: pytest.CaptureFixture[str], status: int = 1) -> str:
    """The only line that a failing program prints."""
    assert command(main)() == status
    line, rest = capsys.readouterr().err.split('\n', 1)
    assert rest == ''
    assert line.startswith('error: ')
    return line.removeprefix('error: ')


def raises(error: BaseException) -> Callable[[], None]:
    def main() -> None:
        raise error

    return main


def run_program(body: str, **options: object) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, '-c', PROGRAM.format(body=body)], stderr=subprocess.PIPE, text=True, timeout=60, **options
    )


def test_the_status_of_success() -> None:
    assert command(lambda: None)() == 0
    assert command(lambda status: status)(3) == 3


@pytest.mark.parametrize(
    ('error', 'expected'),
    [
        (ValueError('no such key'), 'no such key'),
        (KeyError('no such name'), 'no such name'),
        (MediaError('clip.mp4 is broken'), 'clip.mp4 is broken'),
        (FileNotFoundError('list a.csv does not exist'), 'list a.csv does not exist'),
        (
            PermissionError(errno.EACCES, os.strerror(errno.EACCES), 'a.csv'),
            'a.csv: Permission denied (check its owner and its mode)',
        ),
        (
            OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)),
            'No space left on device (free some space, or write elsewhere)',
        ),
        (OSError(errno.EIO, 'bad block', 'a', None, 'b'), 'a -> b: bad block'),
        (MemoryError(), 'not enough memory'),
        (RuntimeError(), 'RuntimeError'),
        (ValueError('two\nlines\x1b[31m'), r'two lines\x1b[31m'),
    ],
)
def test_errors_about_the_input(error: Exception, expected: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert message_of(raises(error), capsys) == expected


def test_a_config_that_names_no_component(capsys: pytest.CaptureFixture[str]) -> None:
    message = message_of(lambda: Registry('things').build(dict(type='Thing')), capsys)
    assert message.startswith('Thing is not in the tests::things registry.')


def test_a_fault_of_the_program_keeps_its_traceback(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr('tempfile.tempdir', str(tmp_path))
    message = message_of(lambda: 1 // 0, capsys)
    (kept,) = tmp_path.iterdir()
    assert message == f'unexpected ZeroDivisionError: integer division or modulo by zero (traceback: {kept})'
    assert 'lambda: 1 // 0' in kept.read_text()
    assert re.match('hicmae_mm_test_command_line_.*txt', kept.name)
    assert message_of(lambda: {}['x'], capsys).startswith('unexpected KeyError: x (traceback: ')
    assert message_of(lambda: int('x'), capsys).startswith('unexpected ValueError: invalid literal')
    monkeypatch.setattr('tempfile.tempdir', str(tmp_path / 'absent'))
    assert message_of(lambda: {}['x'], capsys) == 'unexpected KeyError: x (HICMAE_TRACEBACK=1 shows where)'


def test_tracebacks_on_demand(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('HICMAE_TRACEBACK', '1')
    assert command(raises(ValueError('bad')))() == 1
    first, *_, last = capsys.readouterr().err.splitlines()
    assert first == 'Traceback (most recent call last):'
    assert last == 'error: bad'


def test_other_ranks_say_who_they_are(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('RANK', '2')
    assert command(raises(ValueError('bad')))() == 1
    assert capsys.readouterr().err == 'error (process 2): bad\n'


def test_the_error_of_a_loader_worker_is_unwrapped() -> None:
    text = 'Caught MediaError in DataLoader worker process 0.\nOriginal Traceback (most recent call last):\n  File x\n'
    assert describe(MediaError(f'{text}hicmae_mm.datasets.errors.MediaError: a.mp4 is broken\n')) == 'a.mp4 is broken'


@pytest.mark.parametrize('size', [2000, 10**7])
def test_long_messages_are_shortened(size: int) -> None:
    text = one_line(f'list.csv: {"x" * size} is no label')
    assert len(text) < 1000
    assert text.startswith('list.csv: xxx')
    assert text.endswith('xxx is no label')


def test_options_are_not_abbreviated(capsys: pytest.CaptureFixture[str]) -> None:
    parser = ArgumentParser()
    parser.add_argument('--show-dir')
    parser.add_subparsers().add_parser('inner').add_argument('--long-name')
    for arguments in (['--show=x'], ['inner', '--long=x'], ['--' + 'y' * 10**6]):
        with pytest.raises(SystemExit, match='2'):
            parser.parse_args(arguments)
        assert 'unrecognized arguments' in capsys.readouterr().err[:2000]


def test_ctrl_c(capsys: pytest.CaptureFixture[str]) -> None:
    assert message_of(raises(KeyboardInterrupt()), capsys, 130) == 'interrupted'
    assert message_of(raises(KeyboardInterrupt('--resume continues')), capsys, 130) == 'interrupted; --resume continues'


@pytest.mark.parametrize('is_importing', [True, False])
def test_ctrl_c_in_a_process(is_importing: bool) -> None:
    program = PROGRAM.format(body='print(0, flush=True); time.sleep(60)')
    if is_importing:
        program = program.replace('@command', 'print(0, flush=True); time.sleep(60)\n@command')
    with subprocess.Popen(
        [sys.executable, '-c', program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == '0\n'
        time.sleep(0.05)
        running.send_signal(signal.SIGINT)
        _, printed = running.communicate(timeout=30)
    assert (running.returncode, printed) == (130, 'error: interrupted\n')


def test_a_closed_pipe_is_quiet() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    for body in ('print(1)', 'print("x" * 10**6)', 'sys.exit(print(1))'):
        result = run_program(body, stdout=writing)
        assert (result.returncode, result.stderr) == (141, '')
    os.close(writing)


def test_a_broken_pipe_elsewhere_is_an_error() -> None:
    result = run_program('raise BrokenPipeError(32, "Broken pipe", "worker")', stdout=subprocess.PIPE)
    assert (result.returncode, result.stderr) == (1, 'error: worker: Broken pipe\n')


@pytest.mark.skipif(not Path('/dev/full').exists(), reason='a device of Linux')
@pytest.mark.parametrize('size', [1, 10**6])
def test_a_full_disk_is_told(size: int) -> None:
    with Path('/dev/full').open('w') as full:
        result = run_program(f'print("x" * {size})', stdout=full)
    assert result.returncode == 1
    assert re.fullmatch('error: (standard output: )?No space left on device \\(.*\\)\n', result.stderr)


def test_names_that_the_terminal_cannot_show() -> None:
    result = run_program(r'print("\udcff")', stdout=subprocess.PIPE)
    assert (result.returncode, result.stdout) == (0, '\\udcff\n')


PROGRAMS = sorted(
    path
    for folder in (tools_root(), tools_root().parent / 'demo', tools_root().parent / 'benchmarks')
    for path in folder.rglob('*.py')
    if "__name__ == '__main__'" in path.read_text()
)


@pytest.mark.parametrize('program', PROGRAMS, ids=lambda path: path.name)
def test_every_program_ends_this_way(program: Path) -> None:
    text = program.read_text()
    assert '\n@command\ndef main(' in text
    assert text.endswith("if __name__ == '__main__':\n    sys.exit(main())\n")
    assert 'argparse.ArgumentParser' not in text
    first = re.search(r'^(?:import|from) (?!__future__).*', text, re.MULTILINE)
    assert first is not None
    assert first[0].startswith('from hicmae_mm.commands.command_line import ')


def test_a_file_that_was_opened_before_the_disk_was_full(capsys: pytest.CaptureFixture[str]) -> None:
    def main() -> None:
        with open('/dev/full', 'w') as file:  # noqa: PTH123
            file.write('text')

    assert message_of(main, capsys).startswith('/dev/full: No space left on device (free some space')
