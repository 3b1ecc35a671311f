"""Defines what a model of several streams does with clips that lack some of them.

An absent stream is *nothing*, not silence or a black picture, which a model may take for evidence:

* its encoder is not run for the clip (and not at all where no clip of the batch has the stream);
* its share of the clip feature is 0, the layer mix and the pooled fused tokens alike;
* in the fusion its tokens are padding: attention to them adds exactly 0 to the other stream, biases included.

The prediction for a clip depends neither on what stands in its place in the batch nor on the other clips. A model
trained on both streams is not used to it: see docs/modalities.md.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from hicmae_mm.models.encoders import BaseEncoder, EncoderOutput
from hicmae_mm.structures import Inputs, Presence, Stream, as_presence


def find_presence(
    encoders: Mapping[str, BaseEncoder],
    inputs: Inputs,
    present: Mapping[str, Tensor | Presence] | None = None,
) -> dict[str, Presence]:
    """Rows that have a stream, for the streams that are not complete.

    Args:
        encoders: Encoders by stream.
        inputs: ``(B, ...)`` by stream; streams that no row has may be left out.
        present: ``(B,)`` bool on the host, or its indexed form, by stream that some rows lack.

    Raises:
        ValueError: If there is no stream of the model at all, or a mask has another batch.
    """
    given = [inputs[name] for name in encoders if name in inputs]
    if not given:
        raise ValueError(f'the batch has none of the streams {list(encoders)}, only {list(inputs)}')
    num_rows, device = given[0].shape[0], given[0].device  # not len(), which would fix the batch size of an export
    presence = {}
    for name in encoders:
        if name not in inputs:
            presence[name] = Presence.nowhere(num_rows, device)
        elif present and name in present:
            part = as_presence(present[name], name)
            if part.num_rows != num_rows:
                raise ValueError(f'present[{name!r}] is for {part.num_rows} rows, the batch has {num_rows}')
            if len(part.rows) < num_rows:
                presence[name] = part.to(device)
    return presence


def encode_present(encoder: BaseEncoder, x: Stream | None, presence: Presence | None) -> EncoderOutput:
    """Encodes the rows that have the stream; the others are 0 in every layer, and padding where tokens can be padding.

    Args:
        encoder: The stream's encoder.
        x: ``(B, C, ...)`` input, or ``Padded``; not looked at where the stream is absent.
        presence: Rows that have the stream; ``None`` means all.

    Returns:
        ``(B, N, D)`` per layer; one token of 0 per row, ``(B, 1, D)``, where the stream is missing altogether.
    """
    if presence is None and x is not None:
        return encoder(x)
    assert presence is not None
    if x is None or presence.is_missing:
        weight = next(encoder.parameters(), None)  # an encoder of features may have none
        dtype = torch.get_default_dtype() if weight is None else weight.dtype
        nothing = torch.zeros(presence.num_rows, 1, encoder.embed_dims, dtype=dtype, device=presence.rows.device)
        return EncoderOutput(nothing, (nothing,) * encoder.depth)
    part = encoder(presence.select(x))
    hidden = tuple(presence.spread(layer) for layer in part.hidden)
    # most often the tokens are the last layer's, and need not be spread twice
    tokens = hidden[-1] if part.tokens is part.hidden[-1] else presence.spread(part.tokens)
    padding = None if part.padding is None else ~presence.spread(~part.padding)
    summary = None if part.summary is None else presence.spread(part.summary)
    return EncoderOutput(tokens, hidden, padding, summary, part.auxiliary)
