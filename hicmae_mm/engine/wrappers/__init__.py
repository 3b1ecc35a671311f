"""Model wrappers, which distribute a model over several processes."""

from hicmae_mm.engine.wrappers.data_parallel import DataParallelModel
from hicmae_mm.engine.wrappers.fully_sharded import FullyShardedModel

__all__ = ['DataParallelModel', 'FullyShardedModel']
