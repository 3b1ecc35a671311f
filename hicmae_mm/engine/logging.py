"""A readable console: long listings and notes that nobody can act on go to the log file only."""

from __future__ import annotations

import logging
import warnings

_FILE_ONLY = (
    # listings of hundreds of lines
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
    """Keeps listings of environment, config and hooks, and MMEngine's notes about itself, off a handler."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Returns whether the record is to be shown."""
        return not str(record.msg).startswith(_FILE_ONLY)


def shorten_console(logger: logging.Logger) -> None:
    """Adds the filter to the console handlers of a logger; its files keep everything."""
    for handler in logger.handlers:
        if isinstance(handler, logging.StreamHandler) and not isinstance(handler, logging.FileHandler):
            handler.addFilter(ConsoleFilter())


def silence_known_warnings() -> None:
    """Hides warnings that third-party packages raise about their own code, on which a user cannot act."""
    # MMEngine 0.10 makes its GradScaler by the old name
    warnings.filterwarnings('ignore', r'`torch\.cuda\.amp\.GradScaler', FutureWarning)
    # MMCV without compiled operators, which nothing here uses
    warnings.filterwarnings('ignore', 'Fail to import ``MultiScaleDeformableAttention``', UserWarning)
