"""Audio-visual emotion recognition on MMEngine registries."""

from hicmae_mm.version import __version__

__all__ = ['__version__']
