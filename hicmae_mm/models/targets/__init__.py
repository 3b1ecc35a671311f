"""Makes the targets that pre-training reconstructs."""

from hicmae_mm.models.targets.patch import PatchTarget, SpectrogramPatchTarget
from hicmae_mm.models.targets.video import VideoPatchTarget

__all__ = ['PatchTarget', 'SpectrogramPatchTarget', 'VideoPatchTarget']
