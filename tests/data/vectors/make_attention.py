"""attention.vec: scaled dot-product attention, by NumPy. Run in this folder: python make_attention.py"""
import numpy as np

from vectors import Writer, numbers, rng

w = Writer("attention.vec")
count = 0


def case(query, keys, value_elems, dtype="fp32", mask=None, mask_dtype=None):
    global count
    q, k = numbers(*query), numbers(*query[:-2], keys, query[-1])
    v = numbers(*query[:-2], keys, value_elems)
    scores = q @ k.swapaxes(-1, -2) / np.sqrt(query[-1])
    m = None
    if mask is not None and mask_dtype == "bool":
        m = rng.integers(0, 2, mask)
        m[..., 0] = 1
        scores = np.where(np.broadcast_to(m, scores.shape), scores, -np.inf)
    elif mask is not None:
        m = numbers(*mask)
        scores = scores + m
    p = np.exp(scores - scores.max(-1, keepdims=True))
    y = p / p.sum(-1, keepdims=True) @ v
    w.begin(f"attention_{count}_{dtype}", "scaled_dot_product_attention", 8, 2e-6 if dtype == "fp32" else 0.0006)
    w.tensor("tensor", "query", dtype, q)
    w.tensor("tensor", "key", dtype, k)
    w.tensor("tensor", "value", dtype, v)
    if m is not None:
        w.tensor("tensor", "attn_mask", mask_dtype or dtype, m)
    w.out(0, dtype, y)
    w.end()
    count += 1


for dtype in ("fp32", "fp16"):
    case((1, 5, 4), 7, 3, dtype)
    case((2, 3, 5, 8), 20, 6, dtype)
    case((2, 3, 5, 8), 9, 6, dtype, (5, 9))
    case((2, 3, 5, 8), 9, 6, dtype, (2, 1, 5, 9), "bool")
    case((2, 3, 5, 8), 9, 6, dtype, (1, 3, 1, 9))
    case((2, 3, 1, 8), 9, 6, dtype, (9,), "bool")
    case((1, 2, 70, 4), 3, 2, dtype)
case((1, 2, 4, 4), 5, 6, "fp32", (4, 5), "fp16")
