"""A readable console: long listings go to the log file only."""

from __future__ import annotations

import logging

_LISTINGS = ('Config:\n', 'Hooks will be executed', '\n' + '-' * 60 + '\nSystem environment')


class ListingFilter(logging.Filter):
    """Keeps the listings of environment, config and hooks (hundreds of lines) off a handler."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Returns whether the record is to be shown."""
        return record.levelno > logging.INFO or not str(record.msg).startswith(_LISTINGS)


def shorten_console(logger: logging.Logger) -> None:
    """Adds the filter to the console handlers of a logger; its files keep everything."""
    for handler in logger.handlers:
        if isinstance(handler, logging.StreamHandler) and not isinstance(handler, logging.FileHandler):
            handler.addFilter(ListingFilter())
