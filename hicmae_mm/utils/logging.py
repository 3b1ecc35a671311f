"""A readable console: long listings and notes that nobody can act on go to the log file only."""

from __future__ import annotations

import logging

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
