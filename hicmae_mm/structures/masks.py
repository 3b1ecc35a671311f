"""How the masks of a batch are named."""

from __future__ import annotations


def decoder_mask_name(stream: str) -> str:
    """Name of the mask that chooses what a stream's decoder predicts; the encoder's has the name of the stream.

    True = not predicted.

    Example:
        >>> decoder_mask_name('video')
        'decoders.video'
    """
    return f'decoders.{stream}'
