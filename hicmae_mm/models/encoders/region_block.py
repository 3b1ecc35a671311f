"""Defines the block of the LGI-Former: attention within regions, between regions, and back to every token."""

from __future__ import annotations

import torch
from einops import rearrange
from torch import Tensor, nn

from hicmae_mm.models.layers.attention import CrossAttention
from hicmae_mm.models.layers.blocks import NORM_EPS, DropPath
from hicmae_mm.models.layers.mlp import Mlp

KINDS = ('self', 'cross')
SHARING = (None, 'local_read', 'all')


class RegionBlock(nn.Module):
    """Applies local attention, global interaction and redistribution over regions of tokens, then an MLP; all pre-norm.

    Each region is led by a region token. The steps are (MAE-DFER, Sun et al., 2023):

    1. inside each region, attention over the region token and the local tokens;
    2. attention among the region tokens of a clip;
    3. every local token of the clip attends to the updated region tokens;
    4. with ``gather``, the region tokens attend to all local tokens of the clip (AVF-MAE++, Wu et al., 2025);
    5. the MLP over all tokens.

    Args:
        embed_dims: Width D.
        num_heads: Number of heads.
        mlp_ratio: Hidden width of the MLP over D.
        qkv_bias: Whether queries and values are biased.
        drop_path: Probability of dropping a residual branch, per clip.
        local: Step 1. ``'self'``: all tokens of a region attend to each other. ``'cross'``: only the region token is
            updated; it attends to the local tokens.
        interact: Whether step 2 runs.
        read: Step 3. ``'cross'``: as described. ``'self'``: attention within each region instead. ``None`` means no
            step 3.
        gather: Whether step 4 runs.
        sharing: ``'local_read'``: steps 1 and 3 use the same attention. ``'all'``: steps 1 to 3 do. Norms are separate.

    Raises:
        ValueError: If the form of a step is unknown.
    """

    def __init__(
        self,
        embed_dims: int,
        num_heads: int,
        mlp_ratio: float = 4.0,
        qkv_bias: bool = True,
        drop_path: float = 0.0,
        local: str = 'self',
        interact: bool = True,
        read: str | None = 'cross',
        gather: bool = False,
        sharing: str | None = None,
    ) -> None:
        super().__init__()
        if local not in KINDS or read not in (*KINDS, None) or sharing not in SHARING:
            raise ValueError(
                f'local must be one of {KINDS}, read one of {(*KINDS, None)} and sharing one of {SHARING}, got '
                f'{local!r}, {read!r} and {sharing!r}'
            )
        self.local, self.interact, self.read, self.gather = local, interact, read, gather

        def attention() -> CrossAttention:
            return CrossAttention(embed_dims, num_heads, qkv_bias)

        def norm() -> nn.LayerNorm:
            return nn.LayerNorm(embed_dims, NORM_EPS)

        self.local_norm, self.local_attn = norm(), attention()
        if local == 'cross':
            self.local_context_norm = norm()
        if interact:
            self.interact_norm = norm()
            self.interact_attn = self.local_attn if sharing == 'all' else attention()
        if read is not None:
            self.read_norm = norm()
            self.read_attn = self.local_attn if sharing is not None else attention()
        if read == 'cross':
            self.read_context_norm = norm()
        if gather:
            self.gather_norm, self.gather_context_norm, self.gather_attn = norm(), norm(), attention()
        self.mlp_norm = norm()
        self.mlp = Mlp(embed_dims, int(embed_dims * mlp_ratio))
        self.drop_path = DropPath(drop_path) if drop_path > 0 else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """Maps ``(B, R, 1 + n, D)``, R regions of n local tokens each behind its region token, to the same shape."""
        x = self._attend_locally(x)
        regions, local = x[:, :, 0], x[:, :, 1:]  # (B, R, D), (B, R, n, D)
        if self.interact:
            normed = self.interact_norm(regions)
            regions = regions + self.drop_path(self.interact_attn(normed, normed))
        if self.read == 'cross':
            queries = self.read_norm(local.flatten(1, 2))  # (B, R * n, D)
            read = self.read_attn(queries, self.read_context_norm(regions))
            local = local + self.drop_path(read).unflatten(1, local.shape[1:3])
        if self.gather:
            context = self.gather_context_norm(local.flatten(1, 2))
            regions = regions + self.drop_path(self.gather_attn(self.gather_norm(regions), context))
        x = torch.cat([regions.unsqueeze(2), local], dim=2)
        if self.read == 'self':
            x = x + self._within_regions(self.read_attn, self.read_norm(x))
        output: Tensor = x + self.drop_path(self.mlp(self.mlp_norm(x)))
        return output

    def _attend_locally(self, x: Tensor) -> Tensor:
        if self.local == 'self':
            return x + self._within_regions(self.local_attn, self.local_norm(x))
        regions = rearrange(x[:, :, :1], 'b r one d -> (b r) one d')
        context = rearrange(x[:, :, 1:], 'b r n d -> (b r) n d')
        added = self.local_attn(self.local_norm(regions), self.local_context_norm(context))
        added = self.drop_path(rearrange(added, '(b r) one d -> b r one d', b=x.shape[0]))
        return torch.cat([x[:, :, :1] + added, x[:, :, 1:]], dim=2)

    def _within_regions(self, attention: CrossAttention, normed: Tensor) -> Tensor:
        parts = rearrange(normed, 'b r n d -> (b r) n d')
        output: Tensor = self.drop_path(rearrange(attention(parts, parts), '(b r) n d -> b r n d', b=normed.shape[0]))
        return output
