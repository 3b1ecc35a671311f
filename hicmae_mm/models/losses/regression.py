"""Regression losses: element-wise errors, and agreement over the batch."""

from __future__ import annotations

from abc import abstractmethod

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hicmae_mm.registry import MODELS


class RegressionLoss(nn.Module):
    """This is the base class of weighted functions of predictions and targets ``(B, D)``.

    Args:
        loss_weight: Multiplies the loss.
    """

    def __init__(self, loss_weight: float = 1.0) -> None:
        super().__init__()
        self.loss_weight = loss_weight

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Computes the weighted scalar loss of ``(B, D)`` against ``(B, D)``."""
        if prediction.shape != target.shape:
            raise ValueError(f'prediction {tuple(prediction.shape)} and target {tuple(target.shape)} differ in shape')
        return self.loss_weight * self.compute(prediction, target)

    @abstractmethod
    def compute(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Computes the unweighted loss."""


@MODELS.register_module()
class MSELoss(RegressionLoss):
    """Computes the mean squared error, with the arguments of :class:`RegressionLoss`.

    Example:
        >>> import torch
        >>> from hicmae_mm.models.losses import MSELoss
        >>> MSELoss(loss_weight=0.5)(torch.zeros(2, 1), torch.full((2, 1), 2.0)).item()
        2.0
    """

    def compute(self, prediction: Tensor, target: Tensor) -> Tensor:
        """See :meth:`RegressionLoss.compute`."""
        return F.mse_loss(prediction, target)


@MODELS.register_module()
class L1Loss(RegressionLoss):
    """Computes the mean absolute error, with the arguments of :class:`RegressionLoss`.

    Example:
        >>> import torch
        >>> from hicmae_mm.models.losses import L1Loss
        >>> L1Loss()(torch.tensor([[0.0], [2.0]]), torch.tensor([[1.0], [2.0]]))
        tensor(0.5000)
    """

    def compute(self, prediction: Tensor, target: Tensor) -> Tensor:
        """See :meth:`RegressionLoss.compute`."""
        return F.l1_loss(prediction, target)


@MODELS.register_module()
class SmoothL1Loss(RegressionLoss):
    """Computes an error that is quadratic below 1 and linear above, with the arguments of :class:`RegressionLoss`.

    Example:
        >>> import torch
        >>> from hicmae_mm.models.losses import SmoothL1Loss
        >>> SmoothL1Loss()(torch.tensor([[0.0], [2.0]]), torch.tensor([[3.0], [2.0]]))
        tensor(1.2500)
    """

    def compute(self, prediction: Tensor, target: Tensor) -> Tensor:
        """See :meth:`RegressionLoss.compute`."""
        return F.smooth_l1_loss(prediction, target)


def _moments(prediction: Tensor, target: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Computes population variances, covariance and squared difference of means, each ``(D,)``."""
    mean_p, mean_t = prediction.mean(0), target.mean(0)
    dev_p, dev_t = prediction - mean_p, target - mean_t
    return dev_p.square().mean(0), dev_t.square().mean(0), (dev_p * dev_t).mean(0), (mean_p - mean_t).square()


@MODELS.register_module()
class CCCLoss(RegressionLoss):
    """Computes one minus the concordance correlation over the batch, averaged over dimensions.

    ``ccc = 2 cov / (var_p + var_t + (mean_p - mean_t)^2)`` with population moments. The arguments are those of
    :class:`RegressionLoss`.

    Example:
        >>> import torch
        >>> from hicmae_mm.models.losses import CCCLoss, PCCLoss
        >>> target = torch.tensor([[0.0], [1.0], [2.0]])
        >>> round(CCCLoss()(target + 1, target).item(), 3)  # a shift is an error
        0.429
        >>> round(PCCLoss()(target + 1, target).item(), 3)  # here it is not
        0.0
    """

    def compute(self, prediction: Tensor, target: Tensor) -> Tensor:
        """See :meth:`RegressionLoss.compute`."""
        var_p, var_t, cov, shift = _moments(prediction, target)
        spread = (var_p + var_t + shift).clamp_min(torch.finfo(cov.dtype).tiny)  # 0 only for two equal constants
        return 1 - (2 * cov / spread).mean()


@MODELS.register_module()
class PCCLoss(RegressionLoss):
    """Computes one minus the Pearson correlation over the batch, averaged over dimensions.

    ``pcc = cov / (std_p std_t + 1e-6)`` with population moments. The arguments are those of :class:`RegressionLoss`.

    Example:
        >>> import torch
        >>> from hicmae_mm.models.losses import PCCLoss
        >>> truth = torch.tensor([[0.0], [1.0], [2.0]])
        >>> round(PCCLoss()(3 * truth + 1, truth).item(), 4)
        0.0
    """

    def compute(self, prediction: Tensor, target: Tensor) -> Tensor:
        """See :meth:`RegressionLoss.compute`."""
        var_p, var_t, cov, _ = _moments(prediction, target)
        # sqrt has no gradient at 0: a constant prediction would turn the weights into NaN
        tiny = torch.finfo(cov.dtype).tiny
        return 1 - (cov / (var_p.clamp_min(tiny).sqrt() * var_t.clamp_min(tiny).sqrt() + 1e-6)).mean()
