"""Reading of options and reporting of errors for all command-line programs.

A program imports this module first. After that, Ctrl-C ends it with one line, also while it still imports packages.
"""

from __future__ import annotations

import argparse
import dis
import errno
import functools
import io
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

INTERRUPTED = 130  # exit status of shells for a program that Ctrl-C ended
OUTPUT_CLOSED = 141  # exit status of shells for a program whose output is no longer read
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
_WRITING_FAILED = (errno.EDQUOT, errno.EFBIG, errno.EIO, errno.ENOSPC)
# Classes of errors that always mean that an input is wrong.
_DATA_ERRORS = (OSError, EOFError, ImportError, UnicodeError, UnpicklingError, zipfile.BadZipFile, tarfile.TarError)
_CHECK_CONFIGS = ('hicmae_mm', 'mmengine.config', 'mmengine.registry')  # their messages say what is wrong in a config
_DATA_PACKAGES = {'av', 'cv2', 'decord', 'hicmae_mm', 'json', 'safetensors', 'soundfile', 'yaml'}


class ArgumentParser(argparse.ArgumentParser):
    """Accepts only complete option names, so that a new option never changes the meaning of an old command line.

    Example:
        >>> parser = ArgumentParser()
        >>> _ = parser.add_argument('--show-dir')
        >>> parser.parse_known_args(['--show', 'x'])
        (Namespace(show_dir=None), ['--show', 'x'])
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{'allow_abbrev': False, **kwargs})

    def error(self, message: str) -> NoReturn:
        """Prints the usage and the message, and exits with status 2."""
        super().error(one_line(message))


class _Elsewhere(argparse.Action):
    """Ends the program with a line that names the alternative to an option."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,  # noqa: ARG002 (argparse's signature)
        values: Any,  # noqa: ARG002
        option_string: str | None = None,
    ) -> None:
        parser.error(f'{option_string} is not offered: {self.const}')


def point_elsewhere(parser: argparse.ArgumentParser, places: Mapping[str, str]) -> None:
    """Adds options of other OpenMMLab packages that end the program with a line that says what to do instead.

    Args:
        parser: The parser of a tool.
        places: Option, or several options separated by spaces, and text about the alternative.
    """
    for options, place in places.items():
        parser.add_argument(*options.split(), action=_Elsewhere, nargs='*', const=place, help=argparse.SUPPRESS)


def command(main: Callable[..., int | None]) -> Callable[..., int]:
    """Wraps the main function of a program so that it always returns an exit status, and reports errors in one line.

    An error about the input of the user prints ``error: MESSAGE`` on stderr. Any other error is a fault of the program.
    Its line names a file with the traceback, because repeating a long run only to see the traceback would take too
    long. With ``HICMAE_TRACEBACK=1`` in the environment every traceback is printed as well.

    Args:
        main: Function that takes the arguments of the command line and returns the exit status; None means success.

    Returns:
        The wrapped function. It returns 1 after an error, 130 after Ctrl-C, and 141 if its output is no longer read.
    """

    @functools.wraps(main)
    def run(*args: Any, **kwargs: Any) -> int:
        reconfigure = getattr(sys.stdout, 'reconfigure', None)
        if reconfigure is not None:
            reconfigure(errors='backslashreplace')  # file names may contain characters that the terminal cannot show
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
    """Converts a message to one printable line. The middle of a long message is left out."""
    if len(text) > 100 * longest:
        text = text[:longest] + text[-longest:]
    text = ' '.join(text.split())
    text = ''.join(character if character.isprintable() else ascii(character)[1:-1] for character in text)
    if len(text) <= longest:
        return text
    return f'{text[: longest * 2 // 3]} ... {text[-(longest // 4) :]}'


def describe(error: BaseException) -> str:
    """Returns the message of an error in one line, with the file if the error knows it."""
    if isinstance(error, OSError) and error.strerror:
        known = [str(name) for name in (error.filename, error.filename2) if name is not None]
        name = ' -> '.join(known) or _written_file(error)
        fix = _FIXES.get(error.errno or 0)
        if error.strerror.startswith('No usable temporary directory'):
            fix = 'free some space in one of them, or set TMPDIR to another folder'
        return one_line(': '.join(filter(None, [name, error.strerror])) + (f' ({fix})' if fix else ''))
    if isinstance(error, MemoryError):
        return 'not enough memory' + one_line(f': {error}' if str(error) else '')
    text = str(error.args[0]) if isinstance(error, KeyError) and error.args else str(error)
    in_worker = re.match(r'Caught \w+ in .*?Original Traceback.*\n(?:[\w.]+: )?(.+)', text, re.DOTALL)
    return one_line(in_worker[1] if in_worker else text) or type(error).__name__


def _written_file(error: OSError) -> str:
    """Finds the file that could not be written. The system does not name a file that was opened before."""
    if error.errno not in _WRITING_FAILED:
        return ''
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    if frames and frames[-1].f_globals.get('__name__') == 'multiprocessing.synchronize':
        return '/dev/shm'  # it holds the locks of processes
    values = (value for frame in reversed(frames) for value in [*frame.f_locals.values()])
    names = (getattr(value, 'name', None) for value in values if isinstance(value, io.IOBase))
    return next((name for name in names if isinstance(name, str)), '')


def _flush_output() -> None:
    """Writes out the printed text while an error can still be reported."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        _discard_output()
        error.filename = 'standard output'
        raise


def _is_output_closed() -> bool:
    """Tells whether the reading end of the standard output is closed."""
    poll = select.poll()
    poll.register(sys.__stdout__ or 1, select.POLLOUT)
    return any(events & select.POLLERR for _, events in poll.poll(0))


def _discard_output() -> None:
    """Redirects the standard output to nowhere, so that the last flush of the interpreter succeeds."""
    with suppress(OSError):  # the output is not a file
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _print_error(message: str) -> None:
    rank = os.environ.get('RANK', '0')
    process = '' if rank == '0' else f' (process {rank})'
    print(f'error{process}: {message}', file=sys.stderr, flush=True)


def _report(error: Exception, program: str) -> None:
    """Prints one line about an error, and the traceback if it is requested."""
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
    """Tells whether an error is about the input of the user, so that its message is enough."""
    if isinstance(error, _DATA_ERRORS) or type(error).__module__.partition('.')[0] in _DATA_PACKAGES:
        return True
    last = _last_step(error.__traceback__)
    if last is None:
        return False
    code = last.tb_frame.f_code
    is_on_purpose = code.co_code[last.tb_lasti] == dis.opmap['RAISE_VARARGS']  # a raise statement
    module = str(last.tb_frame.f_globals.get('__name__', ''))
    return is_on_purpose and (module.startswith(_CHECK_CONFIGS) or not _is_installed(code.co_filename))


def _is_installed(file: str) -> bool:
    """Tells whether code belongs to Python or an installed package, and not to a program or a plug-in of the user."""
    folders = (sysconfig.get_path(name) for name in ('stdlib', 'purelib', 'platlib'))
    return file.startswith('<') or any(Path(file).is_relative_to(folder) for folder in folders)


def _last_step(step: TracebackType | None) -> TracebackType | None:
    """Returns the step of a traceback in which the error was raised."""
    while step is not None and step.tb_next is not None:
        step = step.tb_next
    return step


def _end_interrupted(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Replaces the exception hook of the interpreter, so that Ctrl-C during imports prints one line."""
    if not issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)
        return
    _print_error('interrupted')
    os._exit(INTERRUPTED)  # nothing has started that would need a clean-up


if sys.excepthook is sys.__excepthook__:
    sys.excepthook = _end_interrupted
