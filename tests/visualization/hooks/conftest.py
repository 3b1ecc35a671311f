"""The corpus of the tests of the engine."""

from tests.engine.conftest import corpus

__all__ = ['corpus']
