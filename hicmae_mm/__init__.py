"""Audio-visual emotion recognition on MMEngine registries."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hicmae_mm.moved import find_moved_modules
from hicmae_mm.quick_imports import leave_out_transformers
from hicmae_mm.version import __version__

if TYPE_CHECKING:
    from hicmae_mm.apis import load_encoder, load_recognizer

__all__ = ['__version__', 'load_encoder', 'load_recognizer']

find_moved_modules()
leave_out_transformers()


def __getattr__(name: str) -> Any:
    """Imports the functions for library use when they are used, because they load PyTorch and the models."""
    if name in ('load_encoder', 'load_recognizer'):
        from hicmae_mm import apis

        return getattr(apis, name)
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
