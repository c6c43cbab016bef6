#!/usr/bin/env python3
"""Fits the polynomials of vmath.h (Chebyshev approximation in 100 digits) and prints them with their errors.

Needs mpmath. The output is pasted into vmath.h; run it again to check or to change a degree.
"""
import mpmath as mp

mp.mp.dps = 100


def atanh_tail(z):
    """(2 atanh(s) - 2 s) / s^3 as a function of z = s^2."""
    return mp.nsum(lambda k: 2 * z**k / (2 * k + 3), [0, mp.inf]) if z else mp.mpf(2) / 3


def odd_tail(f):
    """(f(x) - x) / x^3 as a function of z = x^2; by Taylor's formula near 0."""
    c = mp.taylor(f, 0, 9)

    def tail(z):
        x = mp.sqrt(z)
        if x < mp.mpf("1e-8"):
            return c[3] + c[5] * z + c[7] * z * z
        return (f(x) - x) / x**3

    return tail


def mills(k):
    """(t + k) * Q(t) / exp(-t^2/2) as a function of s = (t - k) / (t + k); Q is the normal distribution's upper tail."""

    def f(s):
        t = k * (1 + s) / (1 - s)
        return (t + k) * mp.erfc(t / mp.sqrt(2)) / 2 * mp.exp(t * t / 2)

    return f


def gelu_outer(k):
    """(g(s) - g(0)) / s, where g is t * Q(t) / exp(-t^2/2) as a function of s = (t - k) / (t + k)."""

    def g(s):
        t = k * (1 + s) / (1 - s)
        return t * mp.erfc(t / mp.sqrt(2)) / 2 * mp.exp(t * t / 2)

    center, slope = g(mp.mpf(0)), mp.diff(g, mp.mpf(0))
    return lambda s: (g(s) - center) / s if abs(s) > mp.mpf("1e-12") else slope


LN2H = mp.log(2) / 2
K = mp.mpf("2.5")
FITS = [
    # name, bits, function, interval, number of coefficients
    ("exp_f32: (e^r - 1 - r) / r^2", 32,
     lambda r: (mp.exp(r) - 1 - r) / r**2 if abs(r) > mp.mpf("1e-12") else mp.mpf(1) / 2 + r / 6, [-LN2H, LN2H], 5),
    ("tanh_f32: (tanh x - x) / x^3 in x^2", 32, odd_tail(mp.tanh), [0, mp.mpf("0.625")**2], 6),
    ("erf_f32: erf(x) / x - 1 in x^2", 32,
     lambda z: mp.erf(mp.sqrt(z)) / mp.sqrt(z) - 1 if z > mp.mpf("1e-16") else 2 / mp.sqrt(mp.pi) * (1 - z / 3) - 1,
     [0, 1], 8),
    ("center_f32: ((1/2 - Q(x)) / x - 1 / sqrt(2 pi)) / x^2 in x^2", 32,
     lambda z: (mp.erf(mp.sqrt(z / 2)) / mp.sqrt(z) / 2 - 1 / mp.sqrt(2 * mp.pi)) / z
     if z > mp.mpf("1e-20") else -1 / mp.sqrt(2 * mp.pi) / 6, [0, 1], 6),
    ("gelu_f32: t Q(t) / exp(-t^2/2) in s = (t - 2.5) / (t + 2.5), less its value at 0, over s", 32, gelu_outer(K),
     [(1 - K) / (1 + K), (15 - K) / (15 + K)], 9),
    ("tail_f32: (t + 2.5) Q(t) / exp(-t^2/2) in (t - 2.5) / (t + 2.5)", 32, mills(K),
     [-1, (15 - K) / (15 + K)], 11),
    ("exp_f64: (e^r - 1 - r) / r^2", 64,
     lambda r: (mp.exp(r) - 1 - r) / r**2 if abs(r) > mp.mpf("1e-12") else mp.mpf(1) / 2 + r / 6, [-LN2H, LN2H], 8),
    ("log_f64: (2 atanh s - 2 s) / s^3 in s^2", 64, atanh_tail, [0, (mp.sqrt(2) - 1)**4], 6),
    ("sin_f64: (sin r - r) / r^3 in r^2", 64, odd_tail(mp.sin), [0, (mp.pi / 4)**2], 5),
    ("cos_f64: (cos r - 1 + r^2/2) / r^4 in r^2", 64,
     lambda z: (mp.cos(mp.sqrt(z)) - 1 + z / 2) / z**2 if z > mp.mpf("1e-10") else mp.mpf(1) / 24 - z / 720,
     [0, (mp.pi / 4)**2], 5),
    ("asin_f64: (asin x - x) / x^3 in x^2", 64, odd_tail(mp.asin), [0, mp.mpf(1) / 4], 10),
    ("atan_f64: (atan x - x) / x^3 in x^2", 64, odd_tail(mp.atan), [0, (mp.sqrt(2) - 1)**2], 9),
]


def main():
    for name, bits, function, interval, n in FITS:
        coefficients, error = mp.chebyfit(function, interval, n, error=True)
        print(f"/* {name}, |error| {mp.nstr(error, 3)} */")
        digits = 9 if bits == 32 else 17
        suffix = "f" if bits == 32 else ""
        for c in reversed(coefficients):
            print(f"    {mp.nstr(c, digits, strip_zeros=False)}{suffix},")
    print("2/pi in words of 32 bits:", [hex(int(mp.floor(2 / mp.pi * mp.mpf(2)**(32 * (i + 1)))) & 0xffffffff) for i in range(8)])
    ln2, pio2 = mp.log(2), mp.pi / 2
    for label, value, keep in (("ln2 f32", ln2, 12), ("ln2 f64", ln2, 40), ("pi/2 f64", pio2, 26)):
        high = mp.floor(value * mp.mpf(2)**keep) / mp.mpf(2)**keep
        print(label, float(high).hex(), float(value - high).hex())
    mid = mp.floor((pio2 - mp.floor(pio2 * mp.mpf(2)**26) / mp.mpf(2)**26) * mp.mpf(2)**53) / mp.mpf(2)**53
    print("pi/2 middle and low", float(mid).hex(), float(pio2 - mp.floor(pio2 * mp.mpf(2)**26) / mp.mpf(2)**26 - mid).hex())


if __name__ == "__main__":
    main()
