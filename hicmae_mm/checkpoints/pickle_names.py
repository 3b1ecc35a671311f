"""Finds the names of classes and functions in a pickle without running it."""

from __future__ import annotations

import contextlib
import pickletools

MAX_BYTES = 1 << 20  # names are in the first part of a pickle; this bounds the time


def asked_names(content: bytes) -> list[str]:
    """Lists the classes and functions that a pickle asks for.

    Args:
        content: Bytes of the pickle. It may be damaged: then the names before the damage are returned.

    Returns:
        Names with their modules, in the order of the file, each of them once.

    Example:
        >>> import pickle, pathlib
        >>> asked_names(pickle.dumps(pathlib.PurePosixPath('a'), protocol=2))
        ['pathlib.PurePosixPath']
    """
    names: list[str] = []
    texts: list[str] = []  # every text that was put on the stack; a name takes the last two
    memo: list[str] = []
    with contextlib.suppress(ValueError, IndexError, OverflowError):
        for operation, value, _ in pickletools.genops(content[:MAX_BYTES]):
            if operation.name in ('GLOBAL', 'INST'):
                names.append(str(value).replace(' ', '.'))
            elif operation.name == 'STACK_GLOBAL':
                names.append('.'.join(texts[-2:]))
            elif operation.name == 'MEMOIZE':
                memo.append(texts[-1] if texts else '')
            elif operation.name in ('BINGET', 'LONG_BINGET') and type(value) is int and value < len(memo):
                texts.append(memo[value])
            elif isinstance(value, str):
                texts.append(value)
    return list(dict.fromkeys(names))
