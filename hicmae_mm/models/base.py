"""Holds what pre-trainer and recognizer share: encoders by stream, a fusion, frozen parts, depths of parameters."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

from mmengine.model import BaseModel, BaseModule, ModuleDict
from torch import Tensor, nn

from hicmae_mm.models.adapters import (
    BaseAdapter,
    add_adapters,
    build_adapters,
    layer_weight_name,
    reset_adapters,
    set_adapter_mode,
)
from hicmae_mm.models.building import build_slot
from hicmae_mm.models.encoders import BaseEncoder, EncoderOutput
from hicmae_mm.models.fusion import BaseFusion
from hicmae_mm.models.objectives import BaseObjective
from hicmae_mm.models.tying import tie_parts
from hicmae_mm.structures import Inputs, Padded


@runtime_checkable
class _HasGrid(Protocol):
    """Declares a maskable encoder, or one of version 0.1, when all encoders had a grid."""

    grid: tuple[int, ...]


def stream_order(names: Iterable[str]) -> list[str]:
    """Returns the order of a model's streams: video, audio, then others by name.

    It decides which part of the clip feature is whose, so it must not hang on the order in a config: MMEngine sorts the
    keys of a config that it dumps or stores in a checkpoint.
    """
    first = ('video', 'audio')
    return sorted(names, key=lambda name: (first.index(name) if name in first else len(first), name))


class AudioVisualModel(BaseModel):
    """This is the base class of models over streams. Streams are keys, usually ``video`` and ``audio``.

    Args:
        encoders: An encoder per stream.
        fusion: Fuses the streams' tokens; ``None`` passes them on unfused.
        data_preprocessor: Moves and normalises batches.
        frozen: Names of parts that are not trained, such as ``('encoders', 'fusion')`` or ``('encoders.audio',)``. They
            get no gradient and stay in evaluation mode (no drop path). What only they compute stores nothing for the
            backward pass: freezing the encoders gives their memory back. Subclasses call :meth:`prepare_parts` once
            they are built.
        checkpoint_activations: Set the option of that name in every part that has it: memory for time. A part's own
            option does the same for that part.
        init_cfg: MMEngine initialisation config.
        tied: Parts that are one module, as names: ``{'encoders.audio.blocks': 'encoders.video.blocks'}`` puts the video
            encoder's blocks in the place of the audio encoder's. Checkpoints hold them once.
        adapters: Small trained parts beside layers of parts that are not trained themselves, such as
            ``[dict(type='LoRA', target='encoders', modules=r'attn\\.(qkv|proj)')]``.

    Raises:
        ValueError: If there is no encoder, or a frozen, tied or adapted part does not exist.
    """

    def __init__(
        self,
        encoders: Mapping[str, dict[str, Any] | BaseEncoder],
        fusion: dict[str, Any] | BaseFusion | None = None,
        data_preprocessor: dict[str, Any] | nn.Module | None = None,
        frozen: Sequence[str] = (),
        checkpoint_activations: bool = False,
        init_cfg: dict[str, Any] | list[dict[str, Any]] | None = None,
        tied: Mapping[str, str] | None = None,
        adapters: Sequence[dict[str, Any] | BaseAdapter] = (),
    ) -> None:
        # our own registry, so that names resolve without a default scope
        if data_preprocessor is not None:
            data_preprocessor = build_slot(data_preprocessor, 'data_preprocessor')
        super().__init__(data_preprocessor, init_cfg)
        if not encoders:
            raise ValueError('encoders is empty; name at least one stream, e.g. encoders=dict(video=dict(type=...))')
        self.checkpoint_activations, self.tied = checkpoint_activations, dict(tied or {})
        self.frozen = (frozen,) if isinstance(frozen, str) else tuple(frozen)
        self.adapters = build_adapters(adapters)
        # MMEngine's own dictionary, which hands init_weights on
        self.encoders: Mapping[str, BaseEncoder] = ModuleDict(
            {name: build_slot(encoders[name], f'encoders.{name}') for name in stream_order(encoders)}
        )
        for name, encoder in self.encoders.items():
            encoder.stream = name
        self.widths = {name: encoder.embed_dims for name, encoder in self.encoders.items()}
        self.fused_widths = self.widths
        self.fusion: BaseFusion | None = None if fusion is None else build_slot(fusion, 'fusion', **self.facts)
        if self.fusion is not None:
            self.fused_widths = self.fusion.out_dims
            self._fusion_takes = set(inspect.signature(self.fusion.forward).parameters)

    def build_objectives(self, objectives: Mapping[str, dict[str, Any] | BaseObjective] | None, **facts: Any) -> None:
        """Builds ``objectives``; ``facts`` are injected as into any slot."""
        self.objectives: Mapping[str, BaseObjective] = ModuleDict(
            {
                name: build_slot(objective, f'objectives.{name}', **self.facts, **facts)
                for name, objective in (objectives or {}).items()
            }
        )

    @property
    def facts(self) -> dict[str, Any]:
        """Returns what components may ask for in their constructors."""
        encoders = self.encoders.items()
        return dict(
            streams=self.widths,
            num_layers={name: encoder.depth for name, encoder in encoders},
            fused=self.fused_widths,
            without_summary=tuple(name for name, encoder in encoders if encoder.gives_summary is False),
            grids={
                name: getattr(encoder, 'output_grid', encoder.grid)
                for name, encoder in encoders
                if isinstance(encoder, _HasGrid)
            },
        )

    def example_columns(self, index: int) -> dict[str, Any]:  # noqa: ARG002 (of models that read columns)
        """Returns the columns that the model reads of a sample, to count and to time it with.

        Args:
            index: Number of the sample in its batch.
        """
        return {}

    def init_weights(self) -> None:
        """Initialises the parts, and leaves modules alone that are not MMEngine's.

        MMEngine calls every method ``init_weights`` that it finds. Modules of other libraries often have one, and it
        would overwrite the weights that they have loaded.
        """
        for part in self.modules():
            if hasattr(part, 'init_weights') and not isinstance(part, (BaseModule, ModuleDict)):
                part.is_init = True
        super().init_weights()
        reset_adapters(self)

    def prepare_parts(self) -> None:
        """Ties parts, takes the frozen ones out of the training, adds adapters, and sets ``checkpoint_activations``.

        Raises:
            ValueError: If a part does not exist, tied parts differ, or nothing is left to train.
        """
        tie_parts(self, self.tied)
        for name, part in self._frozen_parts():
            if part is None:
                known = [key for key, _ in self.named_children() if key != 'data_preprocessor']
                raise ValueError(f'frozen names {name!r}, which the model lacks; it has {known} and what is below them')
            part.requires_grad_(False)
        add_adapters(self, self.adapters)
        if self.frozen and not any(parameter.requires_grad for parameter in self.parameters()):
            raise ValueError(f'frozen={self.frozen} leaves nothing to train')
        if self.checkpoint_activations:
            for part in self.modules():
                if hasattr(part, 'checkpoint_activations'):
                    part.checkpoint_activations = True

    def _frozen_parts(self) -> Iterator[tuple[str, nn.Module | nn.Parameter | None]]:
        parts = dict(self.named_modules()) | dict(self.named_parameters()) if self.frozen else {}
        for name in self.frozen:
            yield name, parts.get(name)

    def train(self, mode: bool = True) -> AudioVisualModel:
        """Switches the training mode of everything that is not frozen or adapted; adapters follow it."""
        super().train(mode)
        for _, part in self._frozen_parts():
            if isinstance(part, nn.Module):
                part.eval()
        set_adapter_mode(self, self.adapters, mode)
        return self

    def encode_each(self, encode: Callable[[str], EncoderOutput]) -> dict[str, EncoderOutput]:
        """Calls ``encode(stream)`` for every stream, the one with the most to store last.

        The backward pass takes the encoders the other way round. It thus frees the most at a time when the gradients of
        the other encoders' parameters do not exist yet.

        Returns:
            The results by stream, in the order of the streams.
        """
        encoded = {name: encode(name) for name in sorted(self.encoders, key=lambda name: self.encoders[name].size)}
        return {name: encoded[name] for name in self.encoders}

    def check_streams(self, inputs: Inputs, present: Mapping[str, object] | None = None) -> None:
        """Raises ValueError when a stream of the model is missing from a batch, or from some of its clips."""
        missing = [name for name in self.encoders if name not in inputs]
        if missing:
            raise ValueError(
                f'the batch lacks the streams {missing} (it has {list(inputs)}); '
                "the dataset's and PackAudioVisual's streams must cover the model's encoders "
                "(model.missing_streams='zero' makes a recognizer do without)"
            )
        partial = sorted(set(present or {}) & set(self.encoders))
        if partial:
            raise ValueError(
                f"some clips lack the streams {partial}; model.missing_streams='zero' makes a recognizer do without"
            )

    def check_forms(self, inputs: Inputs) -> None:
        """Raises ValueError when sequences of different lengths reach an encoder whose tokens lie on one grid."""
        for name, encoder in self.encoders.items():
            has_grid = isinstance(encoder, _HasGrid) or isinstance(getattr(encoder, 'patch_embed', None), _HasGrid)
            if has_grid and isinstance(inputs.get(name), Padded):
                raise ValueError(
                    f'{name} came as sequences of different lengths, but {type(encoder).__name__} needs input of one '
                    'size; pack the stream by PackStreams(arrays=...)'
                )

    def fuse(self, encoded: Mapping[str, EncoderOutput], padding: dict[str, Tensor] | None = None) -> dict[str, Tensor]:
        """Fuses the encoders' tokens; without a fusion they pass unchanged.

        Args:
            encoded: Output of each encoder. A fusion gets the parts of it that its forward names.
            padding: ``(B, N_i)`` bool, True = padding, for streams of different lengths or that some clips lack.

        Returns:
            Fused tokens ``(B, N_i, D)`` by stream, 0 where padding is.
        """
        tokens = {name: output.tokens for name, output in encoded.items()}
        if self.fusion is None:
            return tokens
        more: dict[str, Any] = {}
        if 'summary' in self._fusion_takes:
            more['summary'] = {name: out.summary for name, out in encoded.items() if out.summary is not None}
        if 'hidden' in self._fusion_takes:
            more['hidden'] = {name: output.hidden for name, output in encoded.items()}
        if not padding:
            return self.fusion(tokens, **more)
        fused = self.fusion(tokens, padding, **more)
        return fused | {name: fused[name].masked_fill(rows.unsqueeze(-1), 0) for name, rows in padding.items()}

    def layer_depth(self, name: str) -> tuple[int, int]:
        """Returns the depth of a parameter for layer-wise learning rates (HiCMAE, "Fine-tuning", layer decay).

        Args:
            name: Parameter name in the model.

        Returns:
            Layer id and number of layers L (encoders plus fusion): 0 for embeddings, ``i + 1`` for encoder layer ``i``,
            encoder depth ``+ i + 1`` for fusion layer ``i``, ``L + 1`` for everything else. An adapter has the depth of
            its layer.
        """
        name = layer_weight_name(self, name)
        encoder_depth = max(encoder.depth for encoder in self.encoders.values())
        total = encoder_depth + (0 if self.fusion is None else self.fusion.depth)
        role, _, rest = name.partition('.')
        layer = None
        if role == 'encoders':
            stream, _, rest = rest.partition('.')
            layer = self.encoders[stream].layer_id(rest)
        elif role == 'fusion' and self.fusion is not None:
            layer = self.fusion.layer_id(rest)
            layer = None if layer is None else layer + encoder_depth + 1
        return (total + 1 if layer is None else layer), total
