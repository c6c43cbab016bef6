"""Makes the networks that coremltools' tests of layers do not have small enough: expected outputs are PyTorch's, or plain to see.

    python make_networks.py networks      # needs coremltools 9 and torch
"""
import json
import os
import sys

import numpy as np
import torch
from coremltools.models import datatypes, neural_network
from coremltools.models.neural_network import quantization_utils

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


def quantized(spec, mode, n_bits):
    """The specification with its weights as codes."""
    quantization_utils._quantize_spec_weights(spec, n_bits, mode)
    return spec


def values_of(weights, shape):
    """What codes of weights stand for, by the format's own formulas: a table, or scale and bias by row."""
    about = weights.quantization
    codes = np.unpackbits(np.frombuffer(weights.rawValue, np.uint8)).reshape(-1, about.numberOfBits)
    codes = codes.dot(1 << np.arange(about.numberOfBits)[::-1])[: int(np.prod(shape))].reshape(shape)
    if about.HasField("lookupTableQuantization"):
        return np.array(about.lookupTableQuantization.floatValue, np.float32)[codes]
    by_row = lambda values: np.array(values, np.float32).reshape((-1,) + (1,) * (len(shape) - 1))
    linear = about.linearQuantization
    return codes * by_row(linear.scale) + by_row(linear.bias)


def quantized_lstm(name, mode, n_bits, steps=5, size=6, hidden=4):
    torch.manual_seed(3)
    cell = torch.nn.LSTM(size, hidden)
    x = random.standard_normal((steps, 1, size)).astype(np.float32)
    builder = network({"x": x[..., None, None]}, ["y"])
    order = (0, 1, 3, 2)
    zeros = np.zeros((1, 1, hidden, 1, 1))
    for state in ("h0", "c0"):
        builder.add_load_constant_nd(state, state, constant_value=zeros, shape=zeros.shape)
    builder.add_unilstm(
        "lstm", gates(cell.weight_hh_l0, 4, order), gates(cell.weight_ih_l0, 4, order),
        gates(cell.bias_ih_l0 + cell.bias_hh_l0, 4, order), hidden, size, ["x", "h0", "c0"], ["y", "h", "c"], output_all=True)
    builder.spec = quantized(builder.spec, mode, n_bits)
    params = builder.spec.neuralNetwork.layers[-1].uniDirectionalLSTM.weightParams
    gate_names = ("inputGate", "forgetGate", "blockInput", "outputGate")  # in PyTorch's order
    joined = lambda kind, shape: torch.tensor(
        np.concatenate([values_of(getattr(params, gate + kind), shape) for gate in gate_names]), dtype=torch.float32)
    with torch.no_grad():
        cell.weight_ih_l0.copy_(joined("WeightMatrix", (hidden, size)))
        cell.weight_hh_l0.copy_(joined("RecursionMatrix", (hidden, hidden)))
        cell.bias_ih_l0.copy_(joined("BiasVector", (hidden,)))
        cell.bias_hh_l0.zero_()
        expected, _ = cell(torch.from_numpy(x))
    write(name, builder, {"x": x[..., None, None]}, {"y": expected.numpy()[..., None, None]})


def convolution_and_batch_norm(name, mode=None, n_bits=8):
    """A convolution, plain or of codes, whose bias and scale an inference may take together with the normalisation after it."""
    torch.manual_seed(4)
    conv, norm = torch.nn.Conv2d(3, 8, 3, stride=2, padding=1), torch.nn.BatchNorm2d(8, eps=1e-3)
    with torch.no_grad():
        for values in (norm.weight, norm.bias, norm.running_mean):
            values.copy_(torch.randn(8))
        norm.running_var.copy_(torch.rand(8) + 0.1)
    norm.eval()
    x = random.standard_normal((1, 3, 9, 7)).astype(np.float32)
    builder = network({"x": x}, ["y"])
    builder.add_convolution(
        "conv", 3, 8, 3, 3, 2, 2, "valid", 1, conv.weight.detach().numpy().transpose(2, 3, 1, 0), conv.bias.detach().numpy(), True,
        input_name="x", output_name="a", padding_top=1, padding_bottom=1, padding_left=1, padding_right=1)
    if mode:  # before the normalisation comes: coremltools would join the two
        quantized(builder.spec, mode, n_bits)
        params = builder.spec.neuralNetwork.layers[0].convolution
        with torch.no_grad():
            conv.weight.copy_(torch.tensor(values_of(params.weights, tuple(conv.weight.shape))))
            conv.bias.copy_(torch.tensor(values_of(params.bias, (8,))))
    builder.add_batchnorm(
        "norm", 8, norm.weight.detach().numpy(), norm.bias.detach().numpy(), norm.running_mean.numpy(), norm.running_var.numpy(), "a",
        "b", epsilon=1e-3)
    builder.add_activation("relu", "RELU", "b", "y")
    with torch.no_grad():
        expected = torch.relu(norm(conv(torch.from_numpy(x))))
    write(name, builder, {"x": x}, {"y": expected.numpy()})


bidirectional_lstm()
simple_recurrent()
loop_with_jumps()
preprocessed_image()
quantized_lstm("lstm_linear_8_bits", "_linear_quantization", 8)
quantized_lstm("lstm_table_4_bits", "_lookup_table_quantization_linear", 4)
convolution_and_batch_norm("conv_batch_norm")
convolution_and_batch_norm("conv_batch_norm_linear_8_bits", "_linear_quantization", 8)
