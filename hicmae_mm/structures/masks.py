"""Names the masks of a batch."""

from __future__ import annotations


def decoder_mask_name(stream: str) -> str:
    """Returns the name of the mask for a stream's decoder; the encoder's mask has the name of the stream.

    True = not predicted.

    Example:
        >>> decoder_mask_name('video')
        'decoders.video'
    """
    return f'decoders.{stream}'
