#!/usr/bin/env python3
"""Fits the polynomial of v_gelu_half (vmath_f32.h) so that every fp16 argument gives the fp32 result rounded once.

A linear program keeps p(t) = log2(2 Q(t)) between the bounds that each argument sets; where rounding inside the formula still
spoils a result, the argument's bound is tightened and the program solved again. Needs NumPy and SciPy. Prints coefficients and
how many results they spoil; the ones in vmath_f32.h spoil none (unary_test.c).
"""
import numpy as np
from scipy.optimize import linprog
from scipy.special import erfc

N = 8
EXP2 = [0.693147188, 0.240226508, 0.0555035711, 0.00961808256, 0.00133908634, 0.000154531629]
ROUNDING = 1e-7  # of fp32 results, relative


def fma(a, b, c):
    return np.float32(np.float64(a) * np.float64(b) + np.float64(c))


def poly(x, coefficients):
    total = np.full_like(x, np.float32(coefficients[-1]))
    for c in coefficients[-2::-1]:
        total = fma(total, x, np.float32(c))
    return total


def gelu_half(x, coefficients):
    """v_gelu_half, operation by operation."""
    x = np.float32(x)
    t = np.minimum(np.abs(x), np.float32(6))
    power = t * poly(t, coefficients)
    n = np.rint(power)
    tail = np.ldexp(fma(power - n, poly(power - n, EXP2), np.float32(1)), n.astype(int))
    return np.float16(fma(t * np.float32(-0.5), tail, np.maximum(x, np.float32(0))))


def main():
    x = np.arange(65536, dtype=np.uint16).view(np.float16)
    x = x[np.isfinite(x) & (np.abs(x) < 6) & (np.abs(np.float64(x)) > 2.0**-20)]
    exact = np.float64(x)
    t, positive = np.abs(exact), np.maximum(exact, 0)
    tail = erfc(t / np.sqrt(2)) / 2
    wanted = np.float16(np.float32(positive - t * tail))
    value = np.float64(wanted)
    above = (value + np.float64(np.nextafter(wanted, np.float16(np.inf)))) / 2
    below = (value + np.float64(np.nextafter(wanted, np.float16(-np.inf)))) / 2
    least = np.log2(np.maximum((positive - above) / t, 1e-300)) + 1
    most = np.log2(np.maximum((positive - below) / t, 1e-300)) + 1
    unit = ROUNDING * np.abs(positive - t * tail) / (t * tail * np.log(2))
    p = np.log2(tail) + 1
    distance = np.minimum(most - p, p - least)
    active = (distance < 60 * unit) | ((t > 3) & (distance < 3e-4)) | (np.arange(t.size) % 37 == 0)
    random = np.random.default_rng(1)
    for _ in range(80):
        powers = (t[active, None] / 6) ** np.arange(1, N + 1) / unit[active, None]
        ones = np.ones((active.sum(), 1))
        rows = np.vstack([np.hstack([powers, ones]), np.hstack([-powers, ones])])
        bounds = np.concatenate([most[active] / unit[active], -least[active] / unit[active]])
        found = linprog([0] * N + [-1], A_ub=rows, b_ub=bounds, bounds=[(None, None)] * N + [(None, 0.6)], method="highs")
        coefficients = found.x[:N] / 6.0 ** np.arange(1, N + 1)
        got = gelu_half(x, coefficients)
        wrong = got != wanted
        print(wrong.sum(), "wrong:", ", ".join(f"{np.float32(c):.9g}f" for c in coefficients), flush=True)
        if not wrong.any():
            return
        active |= wrong
        shift = random.uniform(0.1, 0.5, t.size) * unit
        least = np.where(wrong & (got > wanted), least + shift, least)
        most = np.where(wrong & (got < wanted), most - shift, most)


if __name__ == "__main__":
    main()
