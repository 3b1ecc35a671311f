"""Recognition of the emotion of every utterance of a conversation, with its context."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from hicmae_mm.models.adapters import BaseAdapter
from hicmae_mm.models.aggregators import BaseAggregator
from hicmae_mm.models.encoders import BaseEncoder, EncoderOutput
from hicmae_mm.models.fusion import BaseFusion
from hicmae_mm.models.heads import BaseHead
from hicmae_mm.models.layers import mean_tokens
from hicmae_mm.models.objectives import BaseObjective, Pass
from hicmae_mm.models.recognizer import AudioVisualRecognizer
from hicmae_mm.registry import MODELS
from hicmae_mm.structures import EmotionDataSample, Inputs, Padded, Presence


@dataclass(frozen=True)
class Conversations:
    """States where the utterances of a batch are in its conversations.

    Attributes:
        places: ``(N,)`` int64: place of every utterance in conversations that are padded and written one after another.
        lengths: ``(B,)`` int64, utterances of every conversation.
        num_steps: U, utterances of the longest one.
        speakers: ``(N,)`` int64: who speaks, counted in each conversation by the first appearance.
    """

    places: Tensor
    lengths: Tensor
    num_steps: int
    speakers: Tensor

    def gather(self, rows: Tensor) -> Tensor:
        """Maps ``(N, ...)`` to ``(B, U, ...)``; padding is 0 or False."""
        padded = rows.new_zeros(len(self.lengths) * self.num_steps, *rows.shape[1:])
        steps: Tensor = padded.index_copy(0, self.places, rows).unflatten(0, (-1, self.num_steps))
        return steps

    def scatter(self, steps: Tensor) -> Tensor:
        """Maps ``(B, U, ...)`` to ``(N, ...)``, the inverse of :meth:`gather`."""
        return steps.flatten(0, 1).index_select(0, self.places)

    @property
    def padding(self) -> Tensor:
        """Returns ``(B, U)`` bool, True = padding."""
        return torch.arange(self.num_steps, device=self.lengths.device) >= self.lengths.unsqueeze(1)


def find_conversations(
    num_rows: int,
    data_samples: Sequence[EmotionDataSample] | None,
    conversation: str,
    speaker: str,
    device: torch.device | str = 'cpu',
) -> Conversations:
    """Finds the conversations of a batch, on the host.

    Args:
        num_rows: N, rows of the batch.
        data_samples: Utterances in their order. None means the batch is one conversation of one speaker.
        conversation: Column that names the conversation.
        speaker: Column that names the speaker. Utterances without it have one speaker.
        device: Device of the result.

    Raises:
        ValueError: If a sample lacks the column, or has several views.
    """
    names, speakers = ['' for _ in range(num_rows)], ['' for _ in range(num_rows)]
    if data_samples:
        if len(data_samples) != num_rows:
            raise ValueError(
                f'a conversation needs one view of every utterance, got {num_rows} views of {len(data_samples)} '
                'utterances; set num_clips=1 and num_views=1 in the pipeline'
            )
        columns = [sample.get('columns') or {} for sample in data_samples]
        for sample, cells in zip(data_samples, columns):
            if conversation not in cells:
                raise ValueError(
                    f'{sample.get("sample_id", "a sample")} has no column {conversation!r}, which says to which '
                    f'conversation it belongs; it has {sorted(cells)}'
                )
        names = [str(cells[conversation]) for cells in columns]
        speakers = [str(cells.get(speaker, '')) for cells in columns]
    members: dict[str, list[int]] = {}
    for row, name in enumerate(names):
        members.setdefault(name, []).append(row)
    num_steps = max(len(rows) for rows in members.values())
    places, numbers = [0] * num_rows, [0] * num_rows
    for place, rows in enumerate(members.values()):
        known: dict[str, int] = {}
        for step, row in enumerate(rows):
            places[row] = place * num_steps + step
            numbers[row] = known.setdefault(speakers[row], len(known))
    lengths = [len(rows) for rows in members.values()]
    found = (torch.tensor(values).to(device, non_blocking=True) for values in (places, lengths, numbers))
    place_of, length_of, speaker_of = found
    return Conversations(place_of, length_of, num_steps, speaker_of)


@MODELS.register_module()
class ConversationRecognizer(AudioVisualRecognizer):
    """Recognises the emotion of every utterance, and uses the other utterances of its conversation.

    A row of the batch is an utterance, and ``ConversationBatchSampler`` puts whole conversations into a batch. Encoders
    work on utterances. Then the utterances of each conversation become the time steps of a sequence: the fusion and the
    aggregator, which must be of level ``'frame'``, work on these sequences. Afterwards every step is an utterance
    again, so that the head, the metrics and the results are those of single clips. Conversations of a batch do not
    influence each other.

    An utterance is represented by the summary of its encoder, or else by the mean of its tokens. If it lacks a stream
    (``missing_streams='zero'``), no other utterance attends to that stream of it.

    Args:
        encoders: An encoder for each stream.
        head: Head of level ``'clip'``.
        fusion: Fusion of sequences of utterances, such as ``ConversationFusion`` (M2FNet).
        aggregator: Aggregator of level ``'frame'``.
        conversation: Column of the list that names the conversation. A batch without data samples is one conversation.
        speaker: Column of the list that names the speaker.
        num_speakers: Number of learned vectors that tell speakers of a conversation apart, in the order of their first
            utterances; all further speakers have the last one. They start at 0. With 0 there are none.
        data_preprocessor: Module that moves and normalises batches.
        missing_streams: ``'error'`` or ``'zero'``; see :class:`AudioVisualRecognizer`.
        objectives: Further losses by name. ``Pass.encoded`` has the sequences of utterances.
        frozen: Parts that are not trained; see :class:`~hicmae_mm.models.base.AudioVisualModel`.
        init_cfg: MMEngine initialisation config.
        adapters: Small trained parts; see :class:`~hicmae_mm.models.base.AudioVisualModel`.

    Example:
        >>> mlp = dict(type='FeatureMLPEncoder', widths=(8,))
        >>> model = ConversationRecognizer(
        ...     encoders=dict(text=dict(mlp, in_channels=6), audio=dict(mlp, in_channels=4)),
        ...     fusion=dict(type='ConversationFusion', embed_dims=8),
        ...     head=dict(type='ClassificationHead', num_classes=3),
        ... )
        >>> model(dict(text=torch.randn(5, 6), audio=torch.randn(5, 4))).shape  # five utterances of one conversation
        torch.Size([5, 3])
    """

    def __init__(
        self,
        encoders: Mapping[str, dict[str, Any] | BaseEncoder],
        head: dict[str, Any] | BaseHead,
        fusion: dict[str, Any] | BaseFusion | None = None,
        aggregator: dict[str, Any] | BaseAggregator = {'type': 'FrameTokens'},  # noqa: B006
        conversation: str = 'dialogue',
        speaker: str = 'speaker',
        num_speakers: int = 0,
        data_preprocessor: dict[str, Any] | nn.Module | None = None,
        missing_streams: str = 'error',
        objectives: Mapping[str, dict[str, Any] | BaseObjective] | None = None,
        frozen: Sequence[str] = (),
        init_cfg: dict[str, Any] | list[dict[str, Any]] | None = None,
        adapters: Sequence[dict[str, Any] | BaseAdapter] = (),
    ) -> None:
        super().__init__(
            encoders,
            head,
            fusion,
            aggregator,
            data_preprocessor,
            missing_streams,
            objectives,
            frozen,
            init_cfg=init_cfg,
            adapters=adapters,
        )
        self.conversation, self.speaker, self.num_speakers = conversation, speaker, num_speakers
        self.speaker_embed = nn.ParameterDict(
            {name: nn.Parameter(torch.zeros(num_speakers, width)) for name, width in self.widths.items()}
            if num_speakers
            else {}
        )

    def check_levels(self) -> None:
        """Refuses other parts than an aggregator of steps and a head of clips."""
        if (self.aggregator.level, self.head.level) != ('frame', 'clip'):
            raise ValueError(
                "ConversationRecognizer needs an aggregator of level 'frame' and a head of level 'clip', got "
                f'{type(self.aggregator).__name__} of level {self.aggregator.level!r} and {type(self.head).__name__} '
                f'of level {self.head.level!r}; the steps are utterances, so FrameTokens and ClassificationHead suit'
            )

    def example_columns(self, index: int) -> dict[str, Any]:
        """See :meth:`AudioVisualModel.example_columns`; two speakers talk in turn."""
        return {self.conversation: 'noise', self.speaker: f'speaker {index % 2}'}

    @property
    def facts(self) -> dict[str, Any]:
        """Returns what components may ask for; behind the encoders there is one token per utterance, and no grid."""
        return {**super().facts, 'grids': {}, 'num_layers': dict.fromkeys(self.widths, 1)}

    def run_pass(
        self,
        inputs: Inputs,
        data_samples: list[EmotionDataSample] | None = None,
        present: Mapping[str, Tensor | Presence] | None = None,
    ) -> Pass:
        """Runs all parts but the head; fused tokens and padding are those of the sequences of utterances."""
        presence = self.check_inputs(inputs, present)
        utterances = self.encode(inputs, presence)
        first = next(iter(utterances.values())).tokens
        talk = find_conversations(first.shape[0], data_samples, self.conversation, self.speaker, first.device)
        encoded = {name: self._sequence(name, talk, output) for name, output in utterances.items()}
        padding = {name: self._padding(talk, presence.get(name)) for name in encoded}
        fused = self.fuse(encoded, padding)
        ends = dict.fromkeys(fused, talk.padding)  # absent streams are 0 by now, and do not shorten a sequence
        steps = self._aggregate(encoded, fused, ends, {})
        features = talk.scatter(steps.values if isinstance(steps, Padded) else steps)
        return self.make_pass(inputs, data_samples, present, encoded, fused, padding, features)

    def _sequence(self, name: str, talk: Conversations, output: EncoderOutput) -> EncoderOutput:
        """Makes sequences ``(B, U, D)`` of the utterances of a stream."""
        if output.summary is None:
            vectors = mean_tokens(output.tokens, output.padding)  # (N, D)
        else:
            vectors = output.summary.mean(dim=1)
        if self.num_speakers:
            vectors = vectors + self.speaker_embed[name][talk.speakers.clamp(max=self.num_speakers - 1)]
        tokens = talk.gather(vectors)
        return EncoderOutput(tokens, (tokens,), talk.padding)

    def _padding(self, talk: Conversations, presence: Presence | None) -> Tensor:
        """Returns ``(B, U)``: what lies behind the end of a conversation, and utterances that lack the stream."""
        if presence is None:
            return talk.padding
        has_stream = ~presence.padding(1)[:, 0]  # (N,)
        return ~talk.gather(has_stream)
