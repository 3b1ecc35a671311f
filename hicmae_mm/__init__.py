"""Audio-visual emotion recognition on MMEngine registries."""

from hicmae_mm.moved import find_moved_modules
from hicmae_mm.version import __version__

__all__ = ['__version__']

find_moved_modules()
