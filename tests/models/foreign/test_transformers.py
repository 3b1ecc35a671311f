"""The encoder of models of transformers: equal to the library, independent of padding, clear about wrong folders."""

from __future__ import annotations

import json
import pickle
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from hicmae_mm.models.encoders import TransformersEncoder
from hicmae_mm.structures import Padded
from tests.models.foreign import tiny_transformers as tiny

pytest.importorskip('transformers')


@pytest.fixture(autouse=True)
def _offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('HF_HUB_OFFLINE', '1')


@torch.no_grad()
def library_output(name: str, model: Any, clip: Tensor, normalize: bool) -> Any:
    """What the library itself returns for one clip."""
    if name in tiny.IMAGES:
        return model(pixel_values=clip.transpose(0, 1), output_hidden_states=True)  # (3, T, H, W) -> (T, 3, H, W)
    if name in tiny.WAVEFORMS:
        clip = (clip - clip.mean()) / (clip.var(unbiased=False) + 1e-7).sqrt() if normalize else clip
        return model(input_values=clip[None], output_hidden_states=True)
    if name == 'whisper':
        return model.encoder(input_features=clip.transpose(1, 2), output_hidden_states=True)
    if name == 'clap_audio_model':
        return model.audio_model(input_features=clip[None], is_longer=torch.zeros(1, 1, dtype=torch.bool))
    if name in tiny.SPECTROGRAMS:
        return model(input_values=clip, output_hidden_states=True)
    return model(input_ids=clip[None], output_hidden_states=True)


def special_tokens(name: str) -> int:
    """Tokens that the library puts in front of those of the input."""
    counts = dict(siglip_vision_model=0, dinov3_vit=3) | {'audio-spectrogram-transformer': 2}
    return counts.get(name, 1 if name in tiny.IMAGES else 0)


@pytest.mark.parametrize('name', tiny.KINDS)
@torch.no_grad()
def test_output_is_the_librarys_own(name: str, tmp_path: Path) -> None:
    model = tiny.save(name, tmp_path)
    (tmp_path / 'preprocessor_config.json').write_text(json.dumps({'do_normalize': name != 'hubert'}))
    encoder = TransformersEncoder(str(tmp_path)).eval()
    x = tiny.inputs(name)
    output = encoder(x)
    assert len(output.hidden) == encoder.depth == (1 if name == 'clap_audio_model' else 2)
    assert output.tokens.shape[-1] == encoder.embed_dims
    if name in tiny.IMAGES:
        frame = encoder(x[1:, :, 1:2])
        torch.testing.assert_close(encoder.split_steps(output.tokens, x)[1, 1], frame.tokens[0], atol=1e-5, rtol=1e-5)
    for row in range(2):
        clip = x.values[row, : int(x.lengths[row])] if isinstance(x, Padded) else x[row]
        expected = library_output(name, model, clip, normalize=name != 'hubert')
        last = expected.last_hidden_state
        if name == 'clap_audio_model':
            last = last.flatten(2).transpose(1, 2)
        wanted = last[:, special_tokens(name) :].flatten(0, 1)
        real = output.tokens[row] if output.padding is None else output.tokens[row][~output.padding[row]]
        torch.testing.assert_close(real, wanted, atol=1e-5, rtol=1e-5)
        if encoder.depth > 1:
            first = expected.hidden_states[1][:, special_tokens(name) :].flatten(0, 1)
            real = output.hidden[0][row][: len(first)]
            torch.testing.assert_close(real, first, atol=1e-5, rtol=1e-5)
        if (name in tiny.IMAGES and name != 'vit') or name in ('audio-spectrogram-transformer', 'clap_audio_model'):
            torch.testing.assert_close(output.summary[row], expected.pooler_output, atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_patches_of_spectrograms_are_sorted_by_time() -> None:
    ast = TransformersEncoder(config=dict(tiny.config('audio-spectrogram-transformer'), time_stride=16)).eval()
    x = torch.zeros(1, 1, 64, 32)
    embed = ast.net.embeddings.patch_embeddings
    before = ast.split_steps(embed(x[:, 0]), x)
    x[:, :, 48:] = 1.0  # only the last of 4 steps of 16 frames
    changed = (ast.split_steps(embed(x[:, 0]), x) - before).abs().amax((0, 2, 3)) > 1e-3
    assert changed.tolist() == [False, False, False, True]
    clap = TransformersEncoder(config=dict(tiny.config('clap_audio_model'), num_mel_bins=32)).eval()
    x = torch.randn(2, 1, 100, 32)
    library = clap.net(input_features=x, is_longer=torch.zeros(2, 1, dtype=torch.bool)).last_hidden_state
    assert library.shape[2] == 2
    torch.testing.assert_close(clap.split_steps(clap(x).tokens, x), library.permute(0, 3, 2, 1))


@torch.no_grad()
def test_frames_as_tokens(tmp_path: Path) -> None:
    encoder = TransformersEncoder(config=tiny.config('clip_vision_model'), tokens='frames').eval()
    x = tiny.inputs('clip_vision_model')
    output = encoder(x)
    assert output.tokens.shape == (2, 2, 16)
    torch.testing.assert_close(output.tokens, output.summary)
    longer = Padded(torch.cat([x, torch.randn(2, 3, 1, 32, 32)], dim=2).transpose(1, 2), torch.tensor([2, 3]))
    padded = encoder(longer)
    assert padded.padding.tolist() == [[False, False, True], [False, False, False]]
    torch.testing.assert_close(padded.tokens[0, :2], output.tokens[0])
    with pytest.raises(ValueError, match=r"tokens must be one of \('patches', 'frames'\), got 'all'"):
        TransformersEncoder(config=tiny.config('vit'), tokens='all')


def test_parts_of_models_of_several_streams(tmp_path: Path) -> None:
    text = dict(tiny.TEXTS['bert'], eos_token_id=2, bos_token_id=1)
    both = dict(model_type='clip', vision_config=tiny.IMAGES['vit'], text_config=text)
    assert TransformersEncoder(config=both).kind == 'pixel_values'
    words = TransformersEncoder(config=both, part='text_model')
    assert words(torch.tensor([[4, 5, 2]])).tokens.shape == (1, 3, 16)
    with pytest.raises(
        ValueError, match=r"part='decoder' is not in CLIPModel; it has \['vision_model', 'text_model'\]"
    ):
        TransformersEncoder(config=both, part='decoder')


def test_weights_survive_the_initialisation_of_the_model(tmp_path: Path) -> None:
    model = tiny.save('vit', tmp_path)
    encoder = TransformersEncoder(str(tmp_path))
    encoder.init_weights()
    expected = dict(model.named_parameters())
    assert all(torch.equal(value, expected[name]) for name, value in encoder.net.named_parameters())
    assert encoder.layer_id('net.embeddings.cls_token') == 0
    assert encoder.layer_id('net.layers.1.mlp.fc1.weight') == 2
    assert encoder.layer_id('net.layernorm.weight') is None


@pytest.mark.parametrize('name', ['dinov2', 'wav2vec2', 'bert'])
def test_recomputation_changes_no_gradient(name: str) -> None:
    found = []
    for recomputes in (False, True):
        torch.manual_seed(0)
        encoder = TransformersEncoder(config=tiny.config(name), checkpoint_activations=recomputes)
        for module in encoder.modules():
            if isinstance(module, torch.nn.Dropout):
                module.p = 0.0
        encoder.train()
        assert encoder.checkpoint_activations is recomputes
        encoder(tiny.inputs(name)).tokens.square().sum().backward()
        found.append([parameter.grad for parameter in encoder.parameters() if parameter.grad is not None])
    assert len(found[0]) == len(found[1]) > 10
    for one, other in zip(*found):
        torch.testing.assert_close(one, other)


class Harmful:
    """Runs code when it is unpickled."""

    def __reduce__(self) -> Any:
        return (print, ('harm',))


def test_wrong_folders_are_refused_by_one_line(tmp_path: Path) -> None:
    with pytest.raises(
        FileNotFoundError, match=r'the folder openai/clip-vit-base-patch16 does not exist; .*nothing is'
    ):
        TransformersEncoder('openai/clip-vit-base-patch16')
    with pytest.raises(FileNotFoundError, match=r'has no config.json'):
        TransformersEncoder(str(tmp_path))
    (tmp_path / 'config.json').write_text('{"model_type": "unheard"}')
    with pytest.raises(ValueError, match=r'config.json: not the config of a known model'):
        TransformersEncoder(str(tmp_path))
    (tmp_path / 'config.json').write_text(json.dumps(tiny.config('vit')))
    with pytest.raises(FileNotFoundError, match=r'has no weights \(model.safetensors\); pretrained=False'):
        TransformersEncoder(str(tmp_path))
    assert TransformersEncoder(str(tmp_path), pretrained=False).embed_dims == 16
    pointer = tmp_path / 'model.safetensors'
    pointer.write_text('version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n')
    with pytest.raises(ValueError, match='model.safetensors is a Git LFS pointer, not the weights'):
        TransformersEncoder(str(tmp_path))
    pointer.unlink()
    (tmp_path / 'pytorch_model.bin').write_bytes(pickle.dumps(Harmful()))
    with pytest.raises(ValueError, match='weights'):
        TransformersEncoder(str(tmp_path))
    torch.save({'a': Harmful()}, tmp_path / 'pytorch_model.bin')
    with pytest.raises(ValueError, match=r'a pickle that asks for more than tensors'):
        TransformersEncoder(str(tmp_path))
    torch.save(tiny.library_model('vit').state_dict(), tmp_path / 'pytorch_model.bin')
    assert TransformersEncoder(str(tmp_path)).embed_dims == 16
    (tmp_path / 'model.safetensors').write_bytes(b'damaged')
    with pytest.raises(ValueError, match=r'the weights cannot be read'):
        TransformersEncoder(str(tmp_path))


def test_code_in_a_folder_is_neither_run_nor_offered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / 'config.json').write_text(json.dumps(dict(model_type='mine', auto_map={'AutoConfig': 'mine.Mine'})))
    (tmp_path / 'mine.py').write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\nclass Mine: pass\n")
    monkeypatch.setattr('builtins.input', lambda *_: 'y')  # what the library would ask at a terminal
    with pytest.raises(ValueError, match=r'config.json: not the config of a known model .*custom code'):
        TransformersEncoder(str(tmp_path))
    assert not (tmp_path / 'ran').exists()


def test_weights_in_several_files_are_read_without_the_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = tiny.library_model('wavlm')
    model.save_pretrained(tmp_path, max_shard_size='20KB')
    parts = sorted(tmp_path.glob('*.safetensors'))
    assert len(parts) > 1
    monkeypatch.delenv('HF_HUB_OFFLINE')
    monkeypatch.setattr('socket.socket.connect', lambda _, address: pytest.fail(f'connects to {address}'))
    found, expected = TransformersEncoder(str(tmp_path)).net.state_dict(), model.state_dict()
    assert all(torch.equal(value, expected[name]) for name, value in found.items())
    parts[1].unlink()
    with pytest.raises(ValueError, match=f'the weights cannot be read .*{parts[1].name}'):
        TransformersEncoder(str(tmp_path))


def test_weights_of_another_model_are_refused(tmp_path: Path) -> None:
    tiny.save('vit', tmp_path)
    (tmp_path / 'config.json').write_text(json.dumps(tiny.config('vit') | {'num_hidden_layers': 3}))
    with pytest.raises(ValueError, match=r'lack 16 parameters of ViTModel, such as .*layers?.2.*another model'):
        TransformersEncoder(str(tmp_path))


def test_wrong_input_is_refused_by_one_line() -> None:
    def encoder(name: str) -> TransformersEncoder:
        return TransformersEncoder(config=tiny.config(name))

    with pytest.raises(ValueError, match=r'takes no mask'):
        encoder('vit')(torch.zeros(1, 3, 1, 32, 32), torch.zeros(1, 4, dtype=torch.bool))
    with pytest.raises(ValueError, match=r'expected frames \(B, 3, T, H, W\)'):
        encoder('vit')(torch.zeros(1, 3, 32, 32))
    with pytest.raises(ValueError, match=r'expected waveforms'):
        encoder('wavlm')(torch.zeros(1, 2, 900))
    with pytest.raises(ValueError, match=r'a waveform of 20 samples is too short, the encoder needs 25'):
        encoder('wavlm')(torch.zeros(1, 20))
    with pytest.raises(ValueError, match=r'whisper: expected spectrograms \(B, 1, 100, 80\)'):
        encoder('whisper')(torch.zeros(1, 1, 100, 64))
    with pytest.raises(ValueError, match=r'expected token ids'):
        encoder('bert')(torch.zeros(1, 5))
    with pytest.raises(ValueError, match=r'config must have a model_type'):
        TransformersEncoder(config=dict(hidden_size=8))
    with pytest.raises(ValueError, match=r'is not supported: pictures, waveforms, text'):
        TransformersEncoder(config=tiny.config('vit') | dict(model_type='videomae'))


def test_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, 'transformers', None)
    with pytest.raises(ImportError, match=r'pip install "hicmae_mm\[hf\]"'):
        TransformersEncoder(config=tiny.config('vit'))
