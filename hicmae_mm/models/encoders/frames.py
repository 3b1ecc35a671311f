"""Videos through encoders of single pictures: one picture per frame, tokens of all frames in one sequence."""

from __future__ import annotations

from collections.abc import Sequence

from einops import rearrange
from torch import Tensor

from hicmae_mm.models.encoders.base import EncoderOutput
from hicmae_mm.structures import Padded, Stream

EXAMPLE_FRAMES = 16
FRAME_TOKENS = ('patches', 'frames')


def check_frame_tokens(tokens: str) -> None:
    """Raises ValueError for an unknown kind of tokens."""
    if tokens not in FRAME_TOKENS:
        raise ValueError(f'tokens must be one of {FRAME_TOKENS}, got {tokens!r}')


def frames_of(x: Stream) -> tuple[Tensor, Tensor | None]:
    """Takes the frames of videos apart.

    Args:
        x: ``(B, 3, T, H, W)``, or ``Padded`` of ``(B, T, 3, H, W)``, as the data preprocessor gives them.

    Returns:
        ``(B * T, 3, H, W)``, and the padding ``(B, T)`` of the frames, if their number differs.

    Raises:
        ValueError: If the input has another shape.
    """
    values, channels = (x.values, 2) if isinstance(x, Padded) else (x, 1)
    if values.ndim != 5 or values.shape[channels] != 3:
        raise ValueError(f'expected frames (B, 3, T, H, W), or sequences (B, T, 3, H, W), got {tuple(x.shape)}')
    if isinstance(x, Padded):
        return values.flatten(0, 1), x.padding  # (B, T, 3, H, W) -> (B*T, 3, H, W)
    return rearrange(values, 'b c t h w -> (b t) c h w'), None


def split_frames(tokens: Tensor, x: Stream) -> Tensor:
    """Sorts tokens by frames: ``(B, T * N, D)`` to ``(B, T, N, D)``, where ``x`` are the frames they were made of."""
    frames = x.values.shape[1] if isinstance(x, Padded) else x.shape[2]
    steps: Tensor = tokens.unflatten(1, (frames, -1))
    return steps


def join_frames(
    layers: Sequence[Tensor],
    classes: Sequence[Tensor],
    summary: Tensor,
    padding: Tensor | None,
    tokens: str,
    batch: int,
) -> EncoderOutput:
    """Joins what an encoder of pictures gave for each frame.

    Args:
        layers: Patch tokens of every layer, ``(B * T, N, D)`` each.
        classes: One vector per frame of every layer, ``(B * T, D)`` each.
        summary: The vector that stands for a frame, ``(B * T, D)``.
        padding: ``(B, T)`` bool, True = no frame.
        tokens: ``'patches'``: all patches of all frames are tokens. ``'frames'``: every frame is one token.
        batch: Number B of clips.

    Returns:
        The tokens; ``summary`` has a vector per frame, ``(B, T, D)``.
    """
    frames = rearrange(summary, '(b t) d -> b t d', b=batch)
    if tokens == 'frames':
        hidden = [rearrange(layer, '(b t) d -> b t d', b=batch) for layer in classes[:-1]] + [frames]
        return EncoderOutput(frames, tuple(hidden), padding, frames)
    hidden = [rearrange(layer, '(b t) n d -> b (t n) d', b=batch) for layer in layers]
    if padding is not None:
        padding = padding.repeat_interleave(layers[-1].shape[1], dim=1)  # (B, T) -> (B, T * N)
    return EncoderOutput(hidden[-1], tuple(hidden), padding, frames)
