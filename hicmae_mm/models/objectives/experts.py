"""Even use of experts as an objective."""

from __future__ import annotations

from torch import Tensor

from hicmae_mm.models.objectives.base import BaseObjective, Pass
from hicmae_mm.registry import MODELS


@MODELS.register_module()
class ExpertBalance(BaseObjective):
    """Sums the balances of all routers, of the encoders that have experts (``ExpertViTEncoder``).

    For every clip and expert, the share of tokens that chose the expert times the mean of its noisy logits. Source:
    S4D, whose code leaves it out in training on several GPUs. Arguments as in :class:`BaseObjective`.
    """

    def loss(self, this: Pass) -> dict[str, Tensor]:
        """See :meth:`BaseObjective.loss`.

        Raises:
            ValueError: If no encoder has experts.
        """
        auxiliary = [output.auxiliary or {} for output in this.encoded.values()]
        balances = [values['balance'] for values in auxiliary if 'balance' in values]
        if not balances:
            raise ValueError(
                'ExpertBalance needs an encoder with experts, such as ExpertViTEncoder; none of '
                f'{list(this.encoded)} has any'
            )
        return {'loss': sum(balances[1:], balances[0])}
