"""A detector of red squares with YuNet's inputs and outputs, written as an ONNX file byte by byte.

Protocol buffers (fields of onnx.proto3): a key is ``number << 3 | wire type``; type 0 is a variable-length integer, 2 a
length and so many bytes. The network's boxes and landmarks are constants relative to the cell that is red, so what a
cropper has to make of a picture can be computed by hand.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

STRIDES = (8, 16, 32)
BOX_CELLS = (0.5, 0.5, np.log(5.0), np.log(6.0))  # middle of the cell, 5 cells wide, 6 high
LANDMARK_CELLS = (-0.5, -0.5, 1.5, -0.5, 0.5, 0.5, -0.25, 1.5, 1.25, 1.5)  # relative to the cell's corner


def write_red_square_detector(path: Path) -> None:
    """Finds 8x8 squares of pure red whose corners lie on multiples of 8; only the finest of the three grids is used."""
    nodes, constants, outputs = [], [], []
    for stride in STRIDES:
        nodes.append(_node('AveragePool', ['input'], f'mean_{stride}', kernel_shape=[stride] * 2, strides=[stride] * 2))
        # the input's channels are blue, green, red in 0..255; (red - green) / 255 is the score
        red = [0, -1 / 255, 1 / 255] if stride == STRIDES[0] else [0, 0, 0]
        for kind, weight, bias in (
            ('cls', [red], [0]),
            ('obj', [red], [0]),
            ('bbox', np.zeros((4, 3)), BOX_CELLS),
            ('kps', np.zeros((10, 3)), LANDMARK_CELLS),
        ):
            name, width = f'{kind}_{stride}', len(bias)
            constants.append(_tensor(f'{name}.w', np.asarray(weight, np.float32).reshape(width, 3, 1, 1)))
            constants.append(_tensor(f'{name}.b', np.asarray(bias, np.float32)))
            constants.append(_tensor(f'{name}.shape', np.array([1, -1, width])))
            inputs = [f'mean_{stride}', f'{name}.w', f'{name}.b']
            nodes.append(_node('Conv', inputs, f'{name}.map', kernel_shape=[1, 1]))
            nodes.append(_node('Transpose', [f'{name}.map'], f'{name}.last', perm=[0, 2, 3, 1]))
            nodes.append(_node('Reshape', [f'{name}.last', f'{name}.shape'], name))
            outputs.append(_field(12, _value(name, [1, (640 // stride) ** 2, width])))
    # the order of outputs in which OpenCV reads them is by name, not by place
    graph = b''.join(nodes) + _field(2, b'red_squares') + b''.join(constants)
    graph += _field(11, _value('input', [1, 3, 640, 640])) + b''.join(outputs)
    opset = _field(8, _varint_field(2, 11))
    path.write_bytes(_varint_field(1, 6) + opset + _field(7, graph))


def _varint(value: int) -> bytes:
    value &= (1 << 64) - 1
    data = bytearray()
    while value > 127:
        data.append(value & 127 | 128)
        value >>= 7
    return bytes([*data, value])


def _varint_field(number: int, value: int) -> bytes:
    return _varint(number << 3) + _varint(value)


def _field(number: int, content: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _node(kind: str, inputs: list[str], output: str, **attributes: list[int]) -> bytes:
    """``GraphProto.node``; attributes are lists of integers (type 7)."""
    content = b''.join(_field(1, name.encode()) for name in inputs) + _field(2, output.encode())
    content += _field(3, f'{output}.node'.encode()) + _field(4, kind.encode())
    for name, values in attributes.items():
        body = _field(1, name.encode()) + b''.join(_varint_field(8, value) for value in values) + _varint_field(20, 7)
        content += _field(5, body)
    return _field(1, content)


def _tensor(name: str, values: np.ndarray) -> bytes:
    """``GraphProto.initializer``: float (type 1) or int64 (type 7)."""
    kind = 1 if values.dtype == np.float32 else 7
    dimensions = b''.join(_varint_field(1, size) for size in values.shape)
    return _field(5, dimensions + _varint_field(2, kind) + _field(8, name.encode()) + _field(9, values.tobytes()))


def _value(name: str, shape: list[int]) -> bytes:
    """``ValueInfoProto`` of a float tensor."""
    dimensions = b''.join(_field(1, _varint_field(1, size)) for size in shape)
    tensor_type = _varint_field(1, 1) + _field(2, dimensions)
    return _field(1, name.encode()) + _field(2, _field(1, tensor_type))
