"""Shorten the output on the console, and end a run whose log file cannot be written.

Long lists and notes without use for readers go only to the log file.
"""

from __future__ import annotations

import logging
import sys
import warnings
from types import MethodType
from typing import Any

_FILE_ONLY = (
    # lists of hundreds of lines
    'Config:\n',
    'Hooks will be executed',
    '\n' + '-' * 60 + '\nSystem environment',
    # notes of MMEngine about itself
    '"FileClient" will be deprecated',
    '"HardDiskBackend" is the alias',
    'Distributed training is not used, all SyncBatchNorm',
    'Exp name: ',
    'Loads checkpoint by local backend',
)


class ConsoleFilter(logging.Filter):
    """Removes lists of environment, config and hooks, and notes of MMEngine about itself, from a handler."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Decides whether a record is shown.

        Args:
            record: The record.

        Returns:
            Whether it is shown.
        """
        return not str(record.msg).startswith(_FILE_ONLY)


def shorten_console(logger: logging.Logger) -> None:
    """Adds the filter to the console handlers of a logger. Its files still get all records.

    Args:
        logger: The logger.
    """
    for handler in logger.handlers:
        if isinstance(handler, logging.StreamHandler) and not isinstance(handler, logging.FileHandler):
            handler.addFilter(ConsoleFilter())


def raise_log_errors(logger: logging.Logger) -> None:
    """Lets a logger raise an OSError that names its file, for example if the disk is full.

    Python's handlers print a traceback for each record instead, and go on.

    Args:
        logger: The logger.
    """
    for handler in logger.handlers:
        if isinstance(handler, logging.StreamHandler):
            handler.handleError = MethodType(_raise_error, handler)  # type: ignore[method-assign]


def _raise_error(handler: logging.StreamHandler[Any], record: logging.LogRecord) -> None:
    error = sys.exc_info()[1]
    if not isinstance(error, OSError):
        logging.Handler.handleError(handler, record)
        return
    standard = 'standard output' if handler.stream is sys.stdout else 'standard error'
    error.filename = error.filename or getattr(handler, 'baseFilename', standard)
    raise error


def silence_known_warnings() -> None:
    """Hides warnings of third-party packages about their own code, which users cannot fix."""
    # MMEngine 0.10 creates its GradScaler by the old name
    warnings.filterwarnings('ignore', r'`torch\.cuda\.amp\.GradScaler', FutureWarning)
    # MMCV may lack its compiled operators, which this package does not use
    warnings.filterwarnings('ignore', 'Fail to import ``MultiScaleDeformableAttention``', UserWarning)
