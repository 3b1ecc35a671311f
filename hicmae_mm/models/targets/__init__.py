"""What pre-training reconstructs."""

from hicmae_mm.models.targets.patch import PatchTarget, SpectrogramPatchTarget, VideoPatchTarget

__all__ = ['PatchTarget', 'SpectrogramPatchTarget', 'VideoPatchTarget']
