"""Replaces pickle in ``torch.load`` of trusted files, and also reads objects of classes that no longer exist.

Training scripts often store objects of a class that they define themselves, such as MMA-DFER's recorder of curves. The
class belongs to ``__main__`` of that script, so that no other program can find it.
"""

from __future__ import annotations

import pickle
from pickle import UnpicklingError, dump, dumps
from typing import Any

__all__ = ['Unpickler', 'UnpicklingError', 'dump', 'dumps', 'load', 'loads']


class StandIn:
    """Takes the place of an object whose class cannot be found; it holds the stored attributes."""

    def __init__(self, *arguments: Any) -> None:
        self.arguments = arguments

    def __setstate__(self, state: Any) -> None:
        self.__dict__.update(state if isinstance(state, dict) else {'state': state})


class Unpickler(pickle.Unpickler):
    """Reads a pickle, and puts :class:`StandIn` in the place of classes of ``__main__`` that it cannot find."""

    def find_class(self, module: str, name: str) -> Any:
        """See :meth:`pickle.Unpickler.find_class`."""
        try:
            return super().find_class(module, name)
        except AttributeError:
            if module != '__main__':
                raise
            return StandIn


def load(file: Any, **options: Any) -> Any:
    """See :func:`pickle.load`."""
    return Unpickler(file, **options).load()


loads = pickle.loads
