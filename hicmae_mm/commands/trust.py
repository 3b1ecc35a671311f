"""Adds the option of tools that can read a file which asks for code."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager


def add_trust_option(parser: argparse.ArgumentParser) -> None:
    """Adds ``--trust-source``."""
    parser.add_argument(
        '--trust-source',
        action='store_true',
        help='read a file that cannot be read safely: RUNS WHATEVER CODE THE FILE HOLDS; only for files that you '
        'would also run as a program',
    )


@contextmanager
def named_trust_option() -> Iterator[None]:
    """Adds the option to the message of a file that cannot be read safely."""
    try:
        yield
    except ValueError as error:
        if 'read safely' not in str(error):
            raise
        raise ValueError(f'{error}; --trust-source reads it, and runs whatever code it holds') from error
