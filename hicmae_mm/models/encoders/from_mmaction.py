"""Video backbones of MMAction2, on clips or frame by frame."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MethodType
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hicmae_mm.models.encoders.base import EncoderOutput, ForeignEncoder
from hicmae_mm.models.encoders.expected_input import ExpectedInput
from hicmae_mm.models.encoders.frames import check_frame_tokens, frames_of, join_frames, split_frames
from hicmae_mm.models.encoders.weight_file import load_weight_file
from hicmae_mm.registry import MODELS
from hicmae_mm.structures import Padded, Stream, TokenMask

# what would make a backbone fetch weights when it is initialised
_FETCHING = {'pretrained': None, 'pretrained2d': False, 'clip_pretrained': False, 'pretrained_type': None}


@MODELS.register_module()
class MMActionEncoder(ForeignEncoder):
    """Runs a video backbone of MMAction2 with the weights of a local file. Nothing is downloaded.

    Backbones of clips (3D convolutions, video transformers) take a clip of one size. Backbones of pictures (ResNet,
    TSM, MobileNetV2) take every frame; those that mix frames have ``num_segments`` frames. Tokens are the cells of the
    last feature map, or the one vector that a backbone returns. ``hidden`` has one layer per output if all have the
    same width, else only the last one. Pathways (SlowFast) are joined on the grid of the first one.
    ``summary`` is the class token, or the mean of the last feature map, which MMAction2's heads classify.

    Args:
        backbone: Config of the backbone, such as ``dict(type='ResNet3dSlowOnly', depth=50)``. With ``config``, entries
            that replace those of that file.
        config: Path of a config of MMAction2. Its ``model.backbone`` is built, and the mean and standard deviation in
            its ``model.data_preprocessor`` are compared with this package's config.
        weights: File of a backbone or of a whole recognizer; None starts with random weights.
        input_size: Frames, height and width of a clip.
        tokens: ``'patches'`` makes all cells tokens. ``'frames'`` makes every time step one token, the mean of its
            cells.
        init_cfg: MMEngine initialisation config.

    Raises:
        FileNotFoundError: If the config or the weights do not exist.
        ValueError: If the backbone is unknown, it does not take such clips, or the weights are those of another model.

    Example:
        >>> backbone = dict(type='VisionTransformer', img_size=32, num_frames=4, embed_dims=16, depth=1, num_heads=2)
        >>> encoder = MMActionEncoder(backbone | dict(return_feat_map=True), input_size=(4, 32, 32))
        >>> encoder(torch.zeros(1, 3, 4, 32, 32)).tokens.shape
        torch.Size([1, 8, 16])
    """

    gives_summary = True

    def __init__(
        self,
        backbone: Mapping[str, Any] | None = None,
        config: str | None = None,
        weights: str | None = None,
        input_size: Sequence[int] = (16, 224, 224),
        tokens: str = 'patches',
        init_cfg: dict[str, Any] | list[dict[str, Any]] | None = None,
    ) -> None:
        check_frame_tokens(tokens)
        model = {} if config is None else _model_of(config)
        settings = dict(model.get('backbone') or {}, **dict(backbone or {}))
        net = _build(settings)
        if weights is not None:
            load_weight_file(net, weights, prefix='backbone.')
        _mend_video_mae(net)
        super().__init__(
            net,
            layer_pattern=r'\b(?:res)?(?:blocks|layers?|stages|conv(?=[2-5][ab]))\.?(\d+)[._ab]',
            embedding_pattern=r'embed|cls_token|\bconv1|\bstem|\bln_pre',
            init_cfg=init_cfg,
            is_loaded=weights is not None,
        )
        self.reads_weights = weights is not None
        self.name, self.tokens = str(settings['type']), tokens
        frames, height, width = input_size
        self.input_size = (int(frames), int(height), int(width))
        self.num_segments: int | None = getattr(net, 'num_segments', None)
        self.takes_pictures = _takes_pictures(net, str(model.get('type', '')))
        if self.takes_pictures and self.num_segments not in (None, self.input_size[0]):
            raise ValueError(
                f'{self.name} mixes num_segments={self.num_segments} frames, and input_size has {self.input_size[0]}'
            )
        self.in_channels = int(settings.get('in_channels', 3))
        layers, _ = self._try_on_a_clip()
        self.embed_dims, self.depth = int(layers[-1].shape[1]), len(layers)
        if not self.takes_pictures:
            grid = tuple(layers[-1].shape[2:]) or (1,)
            self.output_grid = grid[:1] if tokens == 'frames' else grid
        normalisation = model.get('data_preprocessor') or {}
        if normalisation.get('mean') is not None:
            mean, std = (tuple(map(float, normalisation[key])) for key in ('mean', 'std'))
            self.expected_input = ExpectedInput(str(config), mean, std)

    @torch.no_grad()
    def _try_on_a_clip(self) -> tuple[list[Tensor], Tensor]:
        """Runs the backbone on the meta device, which gives the shapes of its outputs without computing them."""
        frames, height, width = self.input_size
        size = (frames, height, width)
        shape = (frames, self.in_channels, *size[1:]) if self.takes_pictures else (1, self.in_channels, *size)
        state = {name: value.to('meta') for name, value in self.net.state_dict(keep_vars=True).items()}
        state |= {name: value.to('meta') for name, value in self.net.named_buffers()}
        self.net.eval()
        try:
            output = torch.func.functional_call(self.net, state, (torch.empty(shape, device='meta'),))
        except Exception as error:  # every backbone fails in its own way
            reason = ' '.join(str(error).split())[:160]
            raise ValueError(
                f'{self.name} of MMAction2 does not encode clips of {frames} frames of {height} x {width} pixels '
                f'(input_size): {reason}'
            ) from error
        self.net.train()
        return self._read(output)

    def forward(self, x: Stream, mask: Tensor | TokenMask | None = None) -> EncoderOutput:
        """Encodes clips ``(B, C, T, H, W)``; a backbone of pictures also ``Padded`` of ``(B, T, 3, H, W)``.

        Raises:
            ValueError: If there is a mask, or the input has another size.
        """
        if mask is not None:
            raise ValueError('MMActionEncoder takes no mask; it serves training and inference, not pre-training')
        if self.takes_pictures:
            return self._encode_frames(x)
        expected = (self.in_channels, *self.input_size)
        if isinstance(x, Padded) or tuple(x.shape[1:]) != expected:
            given = 'sequences of different lengths' if isinstance(x, Padded) else tuple(x.shape)
            raise ValueError(
                f'MMActionEncoder needs input of one size (B, {", ".join(map(str, expected))}), got {given}; '
                'input_size says what it takes'
            )
        layers, summary = self._read(self.net(x))
        if self.tokens == 'frames':  # (B, D, T', H', W') -> (B, D, T')
            layers = [layer.flatten(3).mean(3) if layer.ndim == 5 else layer for layer in layers]
        hidden = tuple(_tokens_of(layer) for layer in layers)
        return EncoderOutput(hidden[-1], hidden, summary=summary.unsqueeze(1))

    def _encode_frames(self, x: Stream) -> EncoderOutput:
        images, padding = frames_of(x)
        if self.num_segments is not None and (padding is not None or x.shape[2] != self.num_segments):
            given = 'sequences of different lengths' if padding is not None else f'{x.shape[2]} frames'
            raise ValueError(f'{self.name} needs clips of num_segments={self.num_segments} frames, got {given}')
        layers, summary = self._read(self.net(images))
        vectors = [layer.flatten(2).mean(2) if layer.ndim > 2 else layer for layer in layers]  # (B*T, D)
        patches = [_tokens_of(layer) for layer in layers]
        return join_frames(patches, vectors, summary, padding, self.tokens, x.shape[0])

    def _read(self, output: Any) -> tuple[list[Tensor], Tensor]:
        """Returns the layers, ``(B, D, ...)`` or ``(B, D)``, and one vector ``(B, D)`` per clip or frame."""
        parts = list(output) if isinstance(output, (tuple, list)) else [output]
        summary: Any = None
        if isinstance(parts[-1], (tuple, list)):  # MViT: a feature map and a class token for every scale
            summary = parts[-1][1]
            parts = [part[0] for part in parts]
        if not all(isinstance(part, Tensor) and part.ndim in (2, 4, 5) for part in parts):
            shapes = [tuple(part.shape) if isinstance(part, Tensor) else type(part).__name__ for part in parts]
            raise ValueError(f'{self.name} returns {shapes}; expected feature maps (B, D, T, H, W) or vectors (B, D)')
        if hasattr(self.net, 'fast_path'):
            size = parts[0].shape[2:]
            parts = [torch.cat([F.adaptive_avg_pool3d(part, size) for part in parts], dim=1)]
        if any(part.shape[1] != parts[-1].shape[1] for part in parts):
            parts = parts[-1:]  # layers of different widths cannot be mixed
        if summary is None:
            summary = parts[-1].flatten(2).mean(2) if parts[-1].ndim > 2 else parts[-1]
        return parts, summary

    def split_steps(self, tokens: Tensor, x: Stream) -> Tensor:
        """See :meth:`BaseEncoder.split_steps`; a step of a backbone of pictures is a frame."""
        return split_frames(tokens, x) if self.takes_pictures else super().split_steps(tokens, x)

    def example_input(self, batch_size: int, generator: torch.Generator | None = None) -> Tensor:
        """See :meth:`BaseEncoder.example_input`."""
        return torch.randn(batch_size, self.in_channels, *self.input_size, generator=generator)


def _tokens_of(layer: Tensor) -> Tensor:
    return layer.flatten(2).transpose(1, 2) if layer.ndim > 2 else layer.unsqueeze(1)  # (B, N, D)


def _model_of(path: str) -> dict[str, Any]:
    """Returns the model in a config of MMAction2."""
    from mmengine.config import Config

    if not Path(path).is_file():
        raise FileNotFoundError(f'the config of MMAction2 {path} does not exist (nothing is downloaded)')
    model = Config.fromfile(path).to_dict().get('model') or {}
    if not model.get('backbone'):
        raise ValueError(f'{path} is no config of a recognizer of MMAction2: it has no model.backbone')
    return dict(model)


def _build(settings: Mapping[str, Any]) -> nn.Module:
    """Builds a backbone that fetches no weights."""
    from mmaction.models import backbones
    from mmaction.registry import MODELS as BACKBONES
    from mmengine.registry import DefaultScope

    name = str(settings.get('type')).removeprefix('mmaction.')
    if name not in BACKBONES.module_dict:
        raise ValueError(f'MMAction2 has no backbone {name!r}; it has {", ".join(sorted(backbones.__all__))}')
    with DefaultScope.overwrite_default_scope('mmaction'):
        try:
            net: nn.Module = BACKBONES.build(_without_pretrained(dict(settings, type=name)))
        except Exception as error:  # every backbone checks its arguments in its own way
            raise ValueError(f'{name} of MMAction2 cannot be built: {" ".join(str(error).split())[:200]}') from error
    part: Any
    for part in net.modules():
        for attribute, off in _FETCHING.items():
            if hasattr(part, attribute):
                setattr(part, attribute, off)
        if 'Pretrained' in str(getattr(part, 'init_cfg', None)):
            part.init_cfg = None
    return net


def _mend_video_mae(net: nn.Module) -> None:
    """Makes VideoMAE's vision transformer fit for adapters and for training on several devices.

    Its attention reads the weight of a layer instead of calling the layer, which would skip adapters of that layer. Its
    last norm is for pooled tokens, and without pooling it would never get a gradient.
    """
    from mmaction.models.backbones.vit_mae import Attention

    part: Any = net
    if getattr(part, 'return_feat_map', False):
        part.fc_norm = None
    for part in net.modules():
        if isinstance(part, Attention) and hasattr(part, 'q_bias'):
            part.forward = MethodType(_attend, part)


def _attend(layer: Any, x: Tensor) -> Tensor:
    bias = torch.cat([layer.q_bias, torch.zeros_like(layer.v_bias), layer.v_bias])
    joint = (layer.qkv(x) + bias).unflatten(-1, (3, layer.num_heads, -1))  # (B, N, 3, heads, D / heads)
    query, key, value = joint.permute(2, 0, 3, 1, 4).unbind(0)
    drop = layer.attn_drop.p if layer.training else 0.0
    mixed = F.scaled_dot_product_attention(query, key, value, dropout_p=drop, scale=layer.scale)
    result: Tensor = layer.proj_drop(layer.proj(mixed.transpose(1, 2).flatten(2)))
    return result


def _without_pretrained(settings: Any) -> Any:
    """Copies a config without the names of weights, which some backbones fetch while they are built."""
    if not isinstance(settings, Mapping):
        return settings
    return {
        name: None
        if name == 'pretrained' or (name == 'init_cfg' and 'Pretrained' in str(value))
        else _without_pretrained(value)
        for name, value in settings.items()
    }


def _takes_pictures(net: nn.Module, recognizer: str) -> bool:
    """Returns whether a backbone takes single pictures: those of MMAction2's ``Recognizer2D``."""
    from mmaction.models import backbones

    if recognizer.startswith('Recognizer'):
        return recognizer == 'Recognizer2D'
    is_picture = isinstance(net, (backbones.ResNet, backbones.MobileNetV2))
    return is_picture and not isinstance(net, backbones.C2D)
