"""Compound emotions, such as happily surprised, from the scores of basic ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from hicmae_mm.models.heads.classification import ClassificationHead
from hicmae_mm.registry import MODELS
from hicmae_mm.structures import Stream

RULES = ('product', 'sum')


@MODELS.register_module()
class CompoundHead(ClassificationHead):
    """Predicts classes that are pairs of basic emotions, from the scores of these.

    Its weights are those of a :class:`ClassificationHead` of the basic emotions, so that a model that was trained on
    basic emotions recognises compounds without further training. It can also be trained on compounds.

    Args:
        in_channels: Length of the feature; injected by the model.
        basic: Names of the basic emotions, in the order of the trained head.
        compounds: The two basic emotions of each class.
        rule: ``'product'``: the score of a class is the product of the two probabilities, so that both must be likely.
            ``'sum'``: it is their sum. The scores are normalised over the classes.
        loss: Loss of logits against indices of compounds, or their distributions.
        init_scale: Multiplies the linear layer's initial weights.
        level: ``'clip'``, or ``'frame'`` for a class in each time step.
        target: Name of the target in the data samples.
        ignore: Class index of clips or frames that do not count, such as the index of "other".
        norm: Whether the features pass a LayerNorm first.
        init_cfg: MMEngine initialisation config.

    Raises:
        ValueError: If a compound is not a pair of different basic emotions, occurs twice, or the rule is unknown.

    Example:
        >>> import torch
        >>> from hicmae_mm.models.heads import CompoundHead
        >>> head = CompoundHead(
        ...     in_channels=3, basic=('fear', 'joy', 'surprise'), norm=False,
        ...     compounds=(('fear', 'surprise'), ('joy', 'surprise')),
        ... )
        >>> _ = head.load_state_dict({'fc.weight': torch.eye(3), 'fc.bias': torch.zeros(3)})
        >>> head(torch.log(torch.tensor([[0.2, 0.6, 0.2]]))).softmax(dim=-1)  # 0.2 * 0.2 and 0.6 * 0.2, over their sum
        tensor([[0.2500, 0.7500]], grad_fn=<SoftmaxBackward0>)
    """

    pairs: Tensor

    def __init__(
        self,
        in_channels: int,
        basic: Sequence[str],
        compounds: Sequence[Sequence[str]],
        rule: str = 'product',
        loss: dict[str, Any] | nn.Module = {'type': 'SoftCrossEntropyLoss'},  # noqa: B006
        init_scale: float = 0.001,
        level: str = 'clip',
        target: str = 'label',
        ignore: int | None = None,
        norm: bool = True,
        init_cfg: dict[str, Any] | list[dict[str, Any]] | None = None,
    ) -> None:
        super().__init__(in_channels, len(basic), loss, init_scale, level, target, ignore, norm, init_cfg)
        if rule not in RULES:
            raise ValueError(f'rule must be one of {RULES}, got {rule!r}')
        for pair in compounds:
            if len(pair) != 2 or len({*pair} & {*basic}) != 2:
                raise ValueError(f'a compound must be two of {tuple(basic)}, got {tuple(pair)}')
        if len({frozenset(pair) for pair in compounds}) < max(len(compounds), 1):
            raise ValueError(f'compounds must list different pairs, got {tuple(map(tuple, compounds))}')
        self.rule, self.num_classes = rule, len(compounds)
        places = [[list(basic).index(name) for name in pair] for pair in compounds]
        self.register_buffer('pairs', torch.tensor(places), persistent=False)  # (C, 2)

    def forward(self, features: Stream) -> Tensor:
        """Maps ``(..., in_channels)`` to logits ``(..., C)`` of the compounds."""
        both = super().forward(features).float().log_softmax(dim=-1)[..., self.pairs]  # (..., C, 2)
        logits: Tensor = both.sum(dim=-1) if self.rule == 'product' else both.logsumexp(dim=-1)
        return logits
