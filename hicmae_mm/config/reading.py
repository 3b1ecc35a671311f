"""Reads config files. Every problem of a file ends in one error that names the file.

A Python config is a program and may do anything. JSON and YAML configs are data, and no code in them is executed.
"""

from __future__ import annotations

import ast
import tempfile
from pathlib import Path

from mmengine.config import Config

from hicmae_mm.utils.files import read_regular

_MOST_BYTES = 1 << 22
_SUFFIXES = ('.py', '.json', '.yaml', '.yml')


def read_config(path: str | Path) -> Config:
    """Reads a config and the configs that it inherits from.

    Args:
        path: Config file, ``.py``, ``.json``, ``.yaml`` or ``.yml``.

    Raises:
        FileNotFoundError: If the file, or one that it inherits from, does not exist.
        ImportError: If the config imports a module that does not exist.
        OSError: If the file cannot be read, or no temporary file can be written.
        ValueError: If the file is not a config, inherits from itself, or raises an error while it is read.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f'config file {path} does not exist')
    if path.suffix not in _SUFFIXES and not path.is_dir():
        raise ValueError(f'{path} is not a config file: its name must end in one of {", ".join(_SUFFIXES)}')
    _check_bases(path, [])
    try:
        return Config.fromfile(path)
    except (FileNotFoundError, ImportError):
        raise
    except Exception as error:  # a config runs as Python, so it can raise any error
        _check_temporary_folder()  # MMEngine reads a copy of the config, which is written there
        reason = str(error) if isinstance(error, ValueError) else f'{type(error).__name__}: {error}'
        raise ValueError(f'config file {path} cannot be read: {reason}') from error


def _check_bases(path: Path, heirs: list[Path]) -> None:
    """Raises ValueError if a config inherits from itself. MMEngine would follow such a chain without end."""
    resolved = path.resolve()
    if resolved in heirs:
        chain = ' -> '.join(heir.name for heir in [*heirs[heirs.index(resolved) :], resolved])
        raise ValueError(f'config file {path} inherits from itself: {chain}; remove one of these _base_ entries')
    read_regular(path, _MOST_BYTES)
    for base in base_files(path):
        _check_bases(base, [*heirs, resolved])


def base_files(path: Path) -> list[Path]:
    """Files that a config names in ``_base_``, as paths beside its own.

    Imports of other packages are left out, and so are imports that are not literal or do not exist; reading the config
    reports them.

    Raises:
        OSError: If it cannot be read.
        ValueError: If it is no regular file, or too large for a config.
    """
    if path.suffix != '.py':
        return []
    text = read_regular(path, _MOST_BYTES)
    found = (_plain_path(path.parent / name) for name in _bases(text) if '::' not in name and '{{' not in name)
    return [base for base in found if base.is_file()]


def _plain_path(path: Path) -> Path:
    """Simplifies ``a/./b`` and ``a/b/../c`` as people write such paths."""
    parts: list[str] = []
    for part in path.parts:
        if part == '..' and parts and parts[-1] not in ('..', '/'):
            parts.pop()
        else:
            parts.append(part)
    return Path(*parts)


def _bases(text: bytes) -> list[str]:
    """Lists the texts in the assignment ``_base_ = ...``."""
    try:
        statements = ast.parse(text).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []  # reading the file will report the error with its line
    for statement in statements:
        if isinstance(statement, ast.Assign) and any(getattr(t, 'id', None) == '_base_' for t in statement.targets):
            names = [node.value for node in ast.walk(statement.value) if isinstance(node, ast.Constant)]
            return [name for name in names if isinstance(name, str)]
    return []


def _check_temporary_folder() -> None:
    """Checks that a temporary file of 64 KiB can be written.

    Raises:
        OSError: If it cannot. It names the folder, and the variable that selects another one.
    """
    folder = tempfile.gettempdir()
    try:
        with tempfile.TemporaryFile() as file:
            file.write(b' ' * (1 << 16))
    except OSError as error:
        text = f'no temporary file can be written there, TMPDIR selects another folder: {error.strerror}'
        raise OSError(error.errno, text, folder) from error
