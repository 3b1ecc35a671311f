from __future__ import annotations

from tests.apis.conftest import cfg, corpus, weights

__all__ = ['cfg', 'corpus', 'weights']
