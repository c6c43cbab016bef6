"""Makes three networks that coremltools' tests of layers do not have small enough: expected outputs are PyTorch's, or plain to see.

    python make_networks.py networks      # needs coremltools 9 and torch
"""
import json
import os
import sys

import numpy as np
import torch
from coremltools.models import datatypes, neural_network

folder = sys.argv[1]
random = np.random.default_rng(5)


def write(name, builder, inputs, outputs, images=()):
    path = os.path.join(folder, name)
    os.makedirs(os.path.join(path, "inputs"), exist_ok=True)
    with open(os.path.join(path, "model.mlmodel"), "wb") as file:
        file.write(builder.spec.SerializeToString())
    listed = []
    for i, (feature, value) in enumerate(inputs.items()):
        image = feature in images
        np.save(os.path.join(path, "inputs", f"{i:02d}.npy"), value.astype(np.uint8 if image else np.float32))
        listed.append({"name": feature, "file": f"{i:02d}.npy"})
    with open(os.path.join(path, "inputs", "inputs.json"), "w") as file:
        json.dump({"inputs": listed}, file, indent=1)
    listed = []
    for i, (feature, value) in enumerate(outputs.items()):
        value = value.astype(np.float64)
        np.save(os.path.join(path, f"{i:02d}.npy"), value)
        listed.append({"name": feature, "kind": "tensor", "dtype": "float64", "shape": list(value.shape), "file": f"{i:02d}.npy"})
    with open(os.path.join(path, "outputs.json"), "w") as file:
        json.dump({"schema": "mlscope.outputs", "version": 1, "outputs": listed}, file, indent=1)
    with open(os.path.join(path, "case.json"), "w") as file:
        json.dump({"model": "model.mlmodel", "snr_db": 80}, file, indent=1)


def network(inputs, outputs):
    return neural_network.NeuralNetworkBuilder(
        [(name, datatypes.Array(*value.shape)) for name, value in inputs.items()],
        [(name, None) for name in outputs],
        disable_rank5_shape_mapping=True,
    )


def gates(weight, n, order):
    parts = np.split(weight.detach().numpy(), n)
    return [parts[i] for i in order]


def bidirectional_lstm(steps=5, batch=2, size=3, hidden=4):
    torch.manual_seed(1)
    cell = torch.nn.LSTM(size, hidden, bidirectional=True)
    x = random.standard_normal((steps, batch, size)).astype(np.float32)
    expected, (h, c) = cell(torch.from_numpy(x))
    builder = network({"x": x[..., None, None]}, ["y", "h", "c", "h_back", "c_back"])
    order = (0, 1, 3, 2)  # PyTorch: input, forget, cell, output; the builder wants the cell last
    weights = {}
    for suffix, end in (("", ""), ("_reverse", "_back")):
        weights["W_x" + end] = gates(getattr(cell, "weight_ih_l0" + suffix), 4, order)
        weights["W_h" + end] = gates(getattr(cell, "weight_hh_l0" + suffix), 4, order)
        bias = getattr(cell, "bias_ih_l0" + suffix) + getattr(cell, "bias_hh_l0" + suffix)
        weights["b" + end] = gates(bias, 4, order)
    zeros = np.zeros((1, batch, hidden, 1, 1))
    names = []
    for name in ("h0", "c0", "h0_back", "c0_back"):
        builder.add_load_constant_nd(name, name, constant_value=zeros, shape=zeros.shape)
        names.append(name)
    builder.add_bidirlstm(
        "lstm", hidden_size=hidden, input_size=size, input_names=["x"] + names,
        output_names=["y", "h", "c", "h_back", "c_back"], output_all=True, **weights)
    last = lambda state, i: state[i].detach().numpy()[None, :, :, None, None]
    write("lstm_bidirectional", builder, {"x": x[..., None, None]}, {
        "y": expected.detach().numpy()[..., None, None], "h": last(h, 0), "c": last(c, 0), "h_back": last(h, 1),
        "c_back": last(c, 1)})


def simple_recurrent(steps=6, size=3, hidden=5):
    torch.manual_seed(2)
    cell = torch.nn.RNN(size, hidden)
    x = random.standard_normal((steps, 1, size)).astype(np.float32)
    expected, _ = cell(torch.from_numpy(x))
    builder = network({"x": x[..., None, None]}, ["y"])
    bias = (cell.bias_ih_l0 + cell.bias_hh_l0).detach().numpy()
    builder.add_simple_rnn(
        "rnn", cell.weight_hh_l0.detach().numpy(), cell.weight_ih_l0.detach().numpy(), bias, hidden, size, "TANH", ["x"],
        ["y"], output_all=True)
    write("rnn_tanh", builder, {"x": x[..., None, None]}, {"y": expected.detach().numpy()[..., None, None]})


def loop_with_jumps():
    """n counts to 10; from 7 on it breaks; odd numbers are left out of the sum: 0 + 2 + 4 + 6."""
    x = np.zeros((1,), np.float32)
    builder = network({"x": x}, ["sum", "n"])
    builder.add_activation("start_sum", "LINEAR", "x", "sum", [1, 0])
    builder.add_activation("start_n", "LINEAR", "x", "n", [1, -1])
    loop = builder.add_loop("loop", max_iterations=10)
    body = neural_network.NeuralNetworkBuilder(nn_spec=loop.loop.bodyNetwork, disable_rank5_shape_mapping=True)
    body.rank_dict = {"n": 1, "sum": 1}
    body.add_activation("next", "LINEAR", "n", "n_next", [1, 1])
    body.add_copy("keep_n", "n_next", "n")
    body.add_greater_than("is_past", ["n"], "past", use_greater_than_equal=True, alpha=7)
    stop = body.add_branch("stop", "past")
    neural_network.NeuralNetworkBuilder(nn_spec=stop.branch.ifBranch, disable_rank5_shape_mapping=True).add_loop_break("break")
    body.add_load_constant_nd("two", "two", constant_value=np.array([2.0]), shape=[1])
    body.add_mod_broadcastable("odd", ["n", "two"], "is_odd")
    skip = body.add_branch("skip", "is_odd")
    neural_network.NeuralNetworkBuilder(nn_spec=skip.branch.ifBranch, disable_rank5_shape_mapping=True).add_loop_continue("continue")
    body.add_add_broadcastable("add", ["sum", "n"], "sum_next")
    body.add_copy("keep_sum", "sum_next", "sum")
    write("loop_jumps", builder, {"x": x}, {"sum": np.array([12.0]), "n": np.array([7.0])})


def preprocessed_image():
    """Blue first, each channel with its bias: the format's own formula."""
    pixels = random.integers(0, 256, (2, 3, 3))  # height, width, red-green-blue
    builder = network({"image": np.zeros((3, 2, 3))}, ["y"])
    builder.add_activation("linear", "LINEAR", "image", "y", [1, 0])
    builder.set_pre_processing_parameters(
        image_input_names=["image"], is_bgr=True, red_bias=1, green_bias=2, blue_bias=3, image_scale=0.5)
    planes = pixels.transpose(2, 0, 1)[::-1] * 0.5 + np.array([3, 2, 1])[:, None, None]
    write("image_bgr", builder, {"image": pixels}, {"y": planes[None]}, images=["image"])


bidirectional_lstm()
simple_recurrent()
loop_with_jumps()
preprocessed_image()
