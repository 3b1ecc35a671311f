"""What all command-line programs have in common: how they read options, and how they end.

A program imports this module first. From then on Ctrl-C ends it in one line, also while it still imports packages.
"""

from __future__ import annotations

import argparse
import dis
import errno
import functools
import os
import re
import select
import sys
import sysconfig
import tarfile
import tempfile
import traceback
import zipfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from pickle import UnpicklingError
from types import TracebackType
from typing import Any, NoReturn

INTERRUPTED = 130  # as shells report a program that was ended by Ctrl-C
OUTPUT_CLOSED = 141  # as shells report a program whose reader went away
_LONGEST_MESSAGE = 1000
_TRACEBACK_SWITCH = 'HICMAE_TRACEBACK'
_FIXES = {
    errno.EACCES: 'check its owner and its mode',
    errno.EPERM: 'check its owner and its mode',
    errno.EADDRINUSE: 'choose another port',
    errno.EDQUOT: 'free some space, or write elsewhere',
    errno.EFBIG: 'raise the limit (ulimit -f), or write elsewhere',
    errno.EISDIR: 'name a file',
    errno.ELOOP: 'its links lead in a circle',
    errno.EMFILE: 'raise the limit (ulimit -n)',
    errno.ENAMETOOLONG: 'choose a shorter name',
    errno.ENOENT: 'check the path',
    errno.ENOSPC: 'free some space, or write elsewhere',
    errno.ENOTDIR: 'a part of this path is a file',
    errno.EROFS: 'write elsewhere',
}
# Errors that readers of files raise about what they read; the class alone tells.
_DATA_ERRORS = (OSError, EOFError, ImportError, UnicodeError, UnpicklingError, zipfile.BadZipFile, tarfile.TarError)
_CHECK_CONFIGS = ('hicmae_mm', 'mmengine.config', 'mmengine.registry')  # and say what is wrong with a config
_DATA_PACKAGES = {'av', 'cv2', 'decord', 'hicmae_mm', 'json', 'safetensors', 'soundfile', 'yaml'}


class ArgumentParser(argparse.ArgumentParser):
    """A parser that takes options by their whole names only, so that a new option never changes what an old line means.

    Example:
        >>> parser = ArgumentParser()
        >>> _ = parser.add_argument('--show-dir')
        >>> parser.parse_known_args(['--show', 'x'])
        (Namespace(show_dir=None), ['--show', 'x'])
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{'allow_abbrev': False, **kwargs})

    def error(self, message: str) -> NoReturn:
        """Prints the usage and what is wrong with the command line, and exits with status 2."""
        super().error(one_line(message))


class _Elsewhere(argparse.Action):
    """Ends the program with the line that says what stands in the place of an option."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,  # noqa: ARG002 (argparse's signature)
        values: Any,  # noqa: ARG002
        option_string: str | None = None,
    ) -> None:
        parser.error(f'{option_string} is not offered: {self.const}')


def point_elsewhere(parser: argparse.ArgumentParser, places: Mapping[str, str]) -> None:
    """Makes options that people know from other OpenMMLab packages end in a line that says what to do instead.

    Args:
        parser: The parser of a tool.
        places: Option, or several separated by a blank, and what stands in its place.
    """
    for options, place in places.items():
        parser.add_argument(*options.split(), action=_Elsewhere, nargs='*', const=place, help=argparse.SUPPRESS)


def command(main: Callable[..., int | None]) -> Callable[..., int]:
    """Makes every way in which a program can end an exit status and, unless all went well, one line on stderr.

    An error about the user's input prints ``error: MESSAGE``. Any other error is a fault of the program: the line names
    a file that holds the traceback, since a long run cannot simply be repeated to see it. With ``HICMAE_TRACEBACK=1``
    in the environment every traceback is printed instead.

    Args:
        main: Takes the arguments of the command line and returns the exit status, None for success.

    Returns:
        The same function, which returns 1 after an error, 130 after Ctrl-C, and 141 if the reader of its output left.
    """

    @functools.wraps(main)
    def run(*args: Any, **kwargs: Any) -> int:
        reconfigure = getattr(sys.stdout, 'reconfigure', None)
        if reconfigure is not None:
            reconfigure(errors='backslashreplace')  # file names may hold what the terminal cannot show
        try:
            try:
                return main(*args, **kwargs) or 0
            finally:
                _flush_output()
        except KeyboardInterrupt as interrupt:
            _print_error('; '.join(['interrupted', *map(str, interrupt.args)]))
            return INTERRUPTED
        except Exception as error:
            if isinstance(error, BrokenPipeError) and _is_output_closed():
                _discard_output()
                return OUTPUT_CLOSED
            _report(error, Path(main.__code__.co_filename).stem)
            return 1

    return run


def one_line(text: str, longest: int = _LONGEST_MESSAGE) -> str:
    """A message in one printable line; the middle of a long one is left out."""
    if len(text) > 100 * longest:
        text = text[:longest] + text[-longest:]
    text = ' '.join(text.split())
    text = ''.join(character if character.isprintable() else ascii(character)[1:-1] for character in text)
    if len(text) <= longest:
        return text
    return f'{text[: longest * 2 // 3]} ... {text[-(longest // 4) :]}'


def describe(error: BaseException) -> str:
    """What an error says, in one line that names the file it is about."""
    if isinstance(error, OSError) and error.strerror:
        name = ' -> '.join(str(name) for name in (error.filename, error.filename2) if name is not None)
        fix = _FIXES.get(error.errno or 0)
        return one_line(': '.join(filter(None, [name, error.strerror])) + (f' ({fix})' if fix else ''))
    if isinstance(error, MemoryError):
        return 'not enough memory' + one_line(f': {error}' if str(error) else '')
    text = str(error.args[0]) if isinstance(error, KeyError) and error.args else str(error)
    in_worker = re.match(r'Caught \w+ in .*?Original Traceback.*\n(?:[\w.]+: )?(.+)', text, re.DOTALL)
    return one_line(in_worker[1] if in_worker else text) or type(error).__name__


def _flush_output() -> None:
    """Writes out what has been printed, while an error can still be told."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        _discard_output()
        error.filename = 'standard output'
        raise


def _is_output_closed() -> bool:
    """Whether nobody reads the standard output any more."""
    poll = select.poll()
    poll.register(sys.__stdout__ or 1, select.POLLOUT)
    return any(events & select.POLLERR for _, events in poll.poll(0))


def _discard_output() -> None:
    """Lets the interpreter's own last flush succeed."""
    with suppress(OSError):  # of an output that is no file
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _print_error(message: str) -> None:
    rank = os.environ.get('RANK', '0')
    process = '' if rank == '0' else f' (process {rank})'
    print(f'error{process}: {message}', file=sys.stderr, flush=True)


def _report(error: Exception, program: str) -> None:
    """Says what went wrong."""
    if os.environ.get(_TRACEBACK_SWITCH, '0') not in ('', '0'):
        traceback.print_exception(error)
    if _is_about_input(error):
        _print_error(describe(error))
        return
    text = describe(error)
    kind = type(error).__name__
    kind = '' if text.startswith(kind) else f'{kind}: '
    _print_error(f'unexpected {kind}{text} ({_keep_traceback(error, program)})')


def _keep_traceback(error: Exception, name: str) -> str:
    try:
        handle, path = tempfile.mkstemp(prefix=f'hicmae_mm_{name}_', suffix='.txt')
        with os.fdopen(handle, 'w', encoding='utf-8', errors='backslashreplace') as file:
            file.writelines(traceback.format_exception(error))
    except OSError:
        return f'{_TRACEBACK_SWITCH}=1 shows where'
    return f'traceback: {path}'


def _is_about_input(error: BaseException) -> bool:
    """Whether the message was written for the user: by this project, or by a reader about what it read."""
    if isinstance(error, _DATA_ERRORS) or type(error).__module__.partition('.')[0] in _DATA_PACKAGES:
        return True
    last = _last_step(error.__traceback__)
    if last is None:
        return False
    code = last.tb_frame.f_code
    is_on_purpose = code.co_code[last.tb_lasti] == dis.opmap['RAISE_VARARGS']  # else an operation went wrong
    module = str(last.tb_frame.f_globals.get('__name__', ''))
    return is_on_purpose and (module.startswith(_CHECK_CONFIGS) or not _is_installed(code.co_filename))


def _is_installed(file: str) -> bool:
    """Whether code is part of Python or of an installed package, rather than a program or a plug-in of the user."""
    folders = (sysconfig.get_path(name) for name in ('stdlib', 'purelib', 'platlib'))
    return file.startswith('<') or any(Path(file).is_relative_to(folder) for folder in folders)


def _last_step(step: TracebackType | None) -> TracebackType | None:
    """Where the error was raised."""
    while step is not None and step.tb_next is not None:
        step = step.tb_next
    return step


def _end_interrupted(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Handles what reaches the interpreter: Ctrl-C during imports ends in one line."""
    if not issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)
        return
    _print_error('interrupted')
    os._exit(INTERRUPTED)  # nothing has been begun that would need an orderly end


if sys.excepthook is sys.__excepthook__:
    sys.excepthook = _end_interrupted
