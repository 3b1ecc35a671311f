"""What pre-trainer and recognizer share: encoders by stream, a fusion, depths of parameters."""

from __future__ import annotations

from collections.abc import Mapping

from mmengine.model import BaseModel
from torch import Tensor, nn

from hicmae_mm.models.encoders import BaseEncoder
from hicmae_mm.models.fusion import BaseFusion
from hicmae_mm.models.utils import build_slot


class AudioVisualModel(BaseModel):
    """Base class of models over streams. Streams are keys, usually ``video`` and ``audio``.

    Args:
        encoders: An encoder per stream.
        fusion: Fuses the streams' tokens; ``None`` passes them on unfused.
        data_preprocessor: Moves and normalises batches.
        init_cfg: MMEngine initialisation config.

    Raises:
        ValueError: No encoder.
    """

    def __init__(
        self,
        encoders: Mapping[str, dict | BaseEncoder],
        fusion: dict | BaseFusion | None = None,
        data_preprocessor: dict | nn.Module | None = None,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        # our own registry, so that names resolve without a default scope
        if data_preprocessor is not None:
            data_preprocessor = build_slot(data_preprocessor, 'data_preprocessor')
        super().__init__(data_preprocessor, init_cfg)
        if not encoders:
            raise ValueError('encoders is empty; name at least one stream, e.g. encoders=dict(video=dict(type=...))')
        self.encoders: Mapping[str, BaseEncoder] = nn.ModuleDict(  # type: ignore[assignment]
            {name: build_slot(cfg, f'encoders.{name}') for name, cfg in encoders.items()}
        )
        self.widths = {name: encoder.embed_dims for name, encoder in self.encoders.items()}
        self.fusion: BaseFusion | None = None if fusion is None else build_slot(fusion, 'fusion', streams=self.widths)
        self.fused_widths = self.widths if self.fusion is None else self.fusion.out_dims

    def check_streams(self, inputs: Mapping[str, Tensor]) -> None:
        """Raises ValueError when a stream of the model is missing from a batch."""
        missing = [name for name in self.encoders if name not in inputs]
        if missing:
            raise ValueError(
                f'the batch lacks the streams {missing} (it has {list(inputs)}); '
                "the dataset's and PackAudioVisual's streams must cover the model's encoders"
            )

    def fuse(self, tokens: dict[str, Tensor]) -> dict[str, Tensor]:
        """Fuses ``(B, N_i, D)`` by stream; without a fusion the tokens pass unchanged."""
        return tokens if self.fusion is None else self.fusion(tokens)

    def layer_depth(self, name: str) -> tuple[int, int]:
        """Depth of a parameter for layer-wise learning rates (HiCMAE, "Fine-tuning", layer decay).

        Args:
            name: Parameter name in the model.

        Returns:
            Layer id and number of layers L (encoders plus fusion): 0 for embeddings, ``i + 1`` for encoder layer ``i``,
            encoder depth ``+ i + 1`` for fusion layer ``i``, ``L + 1`` for everything else.
        """
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
