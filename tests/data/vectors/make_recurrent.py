"""recurrent.vec: lstm, gru, rnn, by NumPy in float64. Run in this folder: python make_recurrent.py"""
import numpy as np

from vectors import Writer, numbers

w = Writer("recurrent.vec")
count = 0
ACTIVATIONS = {
    "tanh": np.tanh, "scaled_tanh": np.tanh, "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "relu": lambda x: np.maximum(x, 0), "linear": lambda x: x,
    "hard_sigmoid": lambda x: np.clip(0.2 * x + 0.5, 0, 1), "sigmoid_hard": lambda x: np.clip(0.2 * x + 0.5, 0, 1),
}


def write(op, opset, dtype, tensors, texts, flags, ys, states):
    global count
    w.begin(f"{op}_{count}_{dtype}", op, opset, 5e-6 if dtype == "fp32" else 0.001)
    for name, value in tensors.items():
        if value is not None:
            w.tensor("tensor", name, dtype, value)
    for name, value in texts.items():
        w.text(name, value)
    for name, value in flags.items():
        if value is not None:
            w.bool(name, value)
    w.out(0, dtype, ys)
    for i, state in enumerate(states):
        w.out(1 + i, dtype, state)
    w.end()
    count += 1


def lstm_direction(x, h, c, wi, wh, b, p, act, clip):
    rec, cell, out = (ACTIVATIONS[a] for a in act)
    ys = []
    n = h.shape[1]
    for step in x:
        g = step @ wi.T + h @ wh.T + b
        i, f, o, z = (g[:, k * n:(k + 1) * n] for k in range(4))
        c_next = rec(f + p[n:2 * n] * c) * c + rec(i + p[:n] * c) * cell(z)
        c = c_next if clip is None else np.clip(c_next, -clip, clip)
        h = rec(o + p[2 * n:] * c) * out(c)
        ys.append(h)
    return np.array(ys), h, c


def lstm(s, b, i, n, dtype="fp32", direction="forward", sequence=True, bias=True, peephole=False, clip=None,
         act=("sigmoid", "tanh", "tanh"), opset=7):
    x = numbers(s, b, i) / 2
    ways = 2 if direction == "bidirectional" else 1
    h, c = numbers(b, ways * n) / 2, numbers(b, ways * n) / 2
    tensors = {"x": x, "initial_h": h, "initial_c": c}
    ys, hs, cs = [], [], []
    for way in range(ways):
        wi, wh = numbers(4 * n, i) / 4, numbers(4 * n, n) / 4
        bb = numbers(4 * n) / 4 if bias else None
        pp = numbers(3 * n) / 4 if peephole else None
        back = "_back" if way else ""
        tensors |= {"weight_ih" + back: wi, "weight_hh" + back: wh, "bias" + back: bb, "peephole" + back: pp}
        backward = way == 1 or direction == "reverse"
        part = slice(way * n, (way + 1) * n)
        y, h1, c1 = lstm_direction(x[::-1] if backward else x, h[:, part], c[:, part], wi, wh,
                                   bb if bias else np.zeros(4 * n), pp if peephole else np.zeros(3 * n), act, clip)
        ys.append(y[::-1] if way == 1 and sequence else y)
        hs.append(h1)
        cs.append(c1)
    y = np.concatenate(ys, 2)
    if clip is not None:
        tensors["clip"] = np.array(clip)
    texts = {"direction": direction, "recurrent_activation": act[0], "cell_activation": act[1], "activation": act[2]}
    write("lstm", opset, dtype, tensors, texts, {"output_sequence": sequence},
          y if sequence else y[-1:], [np.concatenate(hs, 1), np.concatenate(cs, 1)])


def gru(s, b, i, n, dtype="fp32", direction="forward", sequence=True, bias=True, act=("sigmoid", "tanh"), opset=7,
        reset_after=None, input_bias=False):
    rec, out = (ACTIVATIONS[a] for a in act)
    x, first = numbers(s, b, i) / 2, numbers(b, n) / 2
    h = first
    wi, wh = numbers(3 * n, i) / 4, numbers(3 * n, n) / 4
    bb, ib = (numbers(3 * n) / 4 if bias else None), (numbers(3 * n) / 4 if input_bias else None)
    tensors = {"x": x, "initial_h": first, "weight_ih": wi, "weight_hh": wh, "bias": bb, "input_bias": ib}
    part = [slice(k * n, (k + 1) * n) for k in range(3)]
    hb, xb = (np.zeros(3 * n) if bb is None else bb), (np.zeros(3 * n) if ib is None else ib)
    ys = []
    for step in x[::-1] if direction == "reverse" else x:
        gi = step @ wi.T + xb
        gh = h @ wh.T + hb
        r, z = rec(gi[:, part[0]] + gh[:, part[0]]), rec(gi[:, part[2]] + gh[:, part[2]])
        if reset_after:
            o = out(gi[:, part[1]] + r * gh[:, part[1]])
        else:
            o = out(gi[:, part[1]] + (r * h) @ wh[part[1]].T + hb[part[1]])
        h = (1 - z) * o + z * h
        ys.append(h)
    y = np.array(ys)
    write("gru", opset, dtype, tensors,
          {"direction": direction, "recurrent_activation": act[0], "activation": act[1]},
          {"output_sequence": sequence, "reset_after": reset_after}, y if sequence else y[-1:], [h])


def rnn(s, b, i, n, dtype="fp32", direction="forward", sequence=True, bias=True, act="tanh", opset=7):
    x, first = numbers(s, b, i) / 2, numbers(b, n) / 2
    wi, wh, bb = numbers(n, i) / 4, numbers(n, n) / 4, numbers(n) / 4 if bias else None
    ys, h = [], first
    for step in x[::-1] if direction == "reverse" else x:
        h = ACTIVATIONS[act](step @ wi.T + h @ wh.T + (0 if bb is None else bb))
        ys.append(h)
    y = np.array(ys)
    write("rnn", opset, dtype, {"x": x, "initial_h": first, "weight_ih": wi, "weight_hh": wh, "bias": bb},
          {"direction": direction, "activation": act}, {"output_sequence": sequence}, y if sequence else y[-1:], [h])


for dtype in ("fp32", "fp16"):
    lstm(4, 2, 3, 5, dtype)
    lstm(3, 1, 4, 6, dtype, "reverse", peephole=True)
    lstm(5, 2, 3, 4, dtype, "bidirectional", peephole=True)
    lstm(5, 2, 3, 4, dtype, "bidirectional", sequence=False, bias=False)
    lstm(3, 2, 3, 4, dtype, "reverse", sequence=False, clip=0.25, act=("hard_sigmoid", "relu", "linear"))
    gru(4, 2, 3, 5, dtype)
    gru(4, 1, 3, 5, dtype, "reverse", bias=False)
    gru(3, 2, 2, 4, dtype, "reverse", sequence=False, act=("hard_sigmoid", "sigmoid"))
    gru(3, 2, 2, 4, dtype, opset=8, reset_after=True, input_bias=True)
    gru(3, 2, 2, 4, dtype, opset=8, reset_after=False, input_bias=True)
    rnn(4, 2, 3, 5, dtype)
    rnn(4, 2, 3, 5, dtype, "reverse", sequence=False, bias=False, act="relu")
    rnn(4, 1, 3, 5, dtype, "reverse", act="scaled_tanh")
lstm(4, 2, 3, 5, opset=5)
gru(4, 2, 3, 5, opset=5)
rnn(4, 2, 3, 5, opset=5)
