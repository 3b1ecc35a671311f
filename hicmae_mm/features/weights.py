"""Computes the identity of weights, which tells whether stored features belong to them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import torch
from torch import Tensor


def weights_sha256(state_dict: Mapping[str, Tensor]) -> str:
    """Computes the SHA-256 of names and values; it does not depend on the file format of the weights.

    Args:
        state_dict: Weights by name.

    Returns:
        The value in hexadecimal digits.

    Example:
        >>> import torch
        >>> from hicmae_mm.features.weights import weights_sha256
        >>> weights_sha256({'a': torch.ones(1), 'b': torch.ones(2)}) == weights_sha256(
        ...     {'b': torch.ones(2), 'a': torch.ones(1)}
        ... )
        True
    """
    digest = hashlib.sha256()
    for name in sorted(state_dict):
        value = state_dict[name].detach().cpu().contiguous()
        digest.update(f'{name} {value.dtype} {tuple(value.shape)}\n'.encode())
        digest.update(value.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
