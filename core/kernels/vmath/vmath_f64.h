/*
 * vmath_f64.h: elementary functions of floats computed in double precision and rounded once: the less
 * frequent ones, where being right to the last bit is worth more than speed. Arguments and results are floats
 * held in doubles: nothing here meets a double's denormals or overflow. Polynomials from fit_coefficients.py.
 * Include a simd__<isa>.h and simd.h before.
 */
#pragma once

#define VD_LANES (V_LANES / 2)

static inline __attribute__((always_inline)) vd vd_poly(vd x, const double *coefficients, int n)
{
    vd sum = vd_set(coefficients[n - 1]);
    for (int i = n - 2; i >= 0; i--)
        sum = vd_madd(sum, x, vd_set(coefficients[i]));
    return sum;
}

/* The integer in n (|n| < 2^31) in the low bits of the lane. */
static inline vl vd_low_bits(vd n)
{
    return (vl)(n + 0x1.8p52);
}

/* e^x; beyond +-200 as at +-200, which is out of a float's range. */
static inline vd vd_exp(vd x)
{
    /* exp_f64: (e^r - 1 - r) / r^2, |error| 4.63e-13 */
    static const double c[] = {0.49999999999955107,   0.16666666666662587,   0.041666666786265734,
                               0.0083333333442029799, 0.0013888839110572008, 0.00019841224599656012,
                               2.4867870179687726e-5, 2.7617564785876086e-6};
    x = vd_select(x > 200.0, vd_set(200), x);
    x = vd_select(x < -200.0, vd_set(-200), x);
    vd n = vd_round(x * 0x1.71547652b82fep+0);
    vd r = vd_madd(n, vd_set(-0x1.62e42fefa2p-1), x);
    r = vd_madd(n, vd_set(-0x1.9ef35793c7673p-41), r);
    vd mantissa = vd_madd(r * r, vd_poly(r, c, 8), r) + 1.0;
    return (vd)((vul)mantissa + ((vul)vd_low_bits(n) << 52));
}

/* 2 atanh(s) for |s| <= (sqrt(2) - 1)^2. */
static inline vd vd_atanh2(vd s)
{
    /* log_f64: (2 atanh s - 2 s) / s^3 in s^2, |error| 4.71e-14 */
    static const double c[] = {0.66666666666662083, 0.40000000011206506, 0.28571424138324161,
                               0.22222862280108716, 0.18140193802865991, 0.16621817152858928};
    vd z = s * s;
    return vd_madd(s * z, vd_poly(z, c, 6), s + s);
}

/* ln x: NaN below 0, -infinity at 0. */
static inline vd vd_log(vd x)
{
    const int64_t sqrt_half = 0x3fe6a09e667f3bcd;
    vul bits = (vul)x + (uint64_t)(0x3ff0000000000000 - sqrt_half);
    vd n = (vd)((bits >> 52) | 0x4330000000000000u) - (0x1p52 + 1023.0);
    vd m = (vd)((bits & 0x000fffffffffffffu) + (uint64_t)sqrt_half); /* sqrt(1/2) <= m < sqrt(2) */
    vd f = m - 1.0;
    vd result = vd_madd(n, vd_set(0x1.62e42fefa39efp-1), vd_atanh2(f / (f + 2.0)));
    result = vd_select(x == (double)INFINITY, x, result);
    result = vd_select(x == 0.0, vd_set(-(double)INFINITY), result);
    return vd_select((x < 0.0) | (x != x), vd_set((double)NAN), result);
}

/* ln(1 + e) for 0 <= e <= 1. */
static inline vd vd_log1p_unit(vd e)
{
    vl big = e > 0.4140625;
    vd u = vd_select(big, (e - 1.0) * 0.5, e); /* 1 + e = 2 (1 + u) */
    vd result = vd_atanh2(u / (u + 2.0));
    return result + (vd)((vl)vd_set(0x1.62e42fefa39efp-1) & big);
}

static inline vd vd_softplus(vd x)
{
    vd positive = vd_select(x < 0.0, vd_set(0), x);
    return positive + vd_log1p_unit(vd_exp(-vd_abs(x)));
}

/* e^x - 1. */
static inline vd vd_expm1(vd x)
{
    static const double c[] = {1.0 / 2, 1.0 / 6, 1.0 / 24, 1.0 / 120, 1.0 / 720, 1.0 / 5040};
    vd small = vd_madd(x * x, vd_poly(x, c, 6), x);
    return vd_select(vd_abs(x) < 0.0625, small, vd_exp(x) - 1.0);
}

static inline vd vd_sinh(vd x)
{
    static const double c[] = {1.0 / 6, 1.0 / 120, 1.0 / 5040};
    vd t = vd_abs(x), z = x * x;
    vd e = vd_exp(t);
    vd large = (e - 1.0 / e) * 0.5;
    return vd_select(t < 0.125, vd_madd(x * z, vd_poly(z, c, 3), x), vd_copysign(large, x));
}

static inline vd vd_cosh(vd x)
{
    vd e = vd_exp(vd_abs(x));
    return (e + 1.0 / e) * 0.5;
}

static inline vd vd_atanh(vd x)
{
    vd t = vd_abs(x);
    vd large = vd_log((1.0 + t) / (1.0 - t)) * 0.5;
    vd small = vd_atanh2(t) * 0.5;
    return vd_copysign(vd_select(t < 0.171875, small, large), x);
}

/* atan(x) by atan(t) = pi/4 + atan((t - 1) / (t + 1)) and atan(t) = pi/2 - atan(1/t). */
static inline vd vd_atan(vd x)
{
    /* atan_f64: (atan x - x) / x^3 in x^2, |error| 2.4e-14 */
    static const double c[] = {-0.33333333333330926,  0.19999999997724887,   -0.14285713930378567,
                               0.11111089649211055,   -0.090902559526906562, 0.076810452027429473,
                               -0.065509073075630907, 0.051688349359193619,  -0.027232884060574882};
    vd t = vd_abs(x);
    vl middle = t > 0.41421356237309503, high = t > 2.414213562373095;
    vd top = vd_select(high, vd_set(-1), vd_select(middle, t - 1.0, t));
    vd bottom = vd_select(high, t, vd_select(middle, t + 1.0, vd_set(1)));
    vd offset =
        vd_select(high, vd_set(0x1.921fb54442d18p+0), (vd)((vl)vd_set(0x1.921fb54442d18p-1) & middle));
    vd r = top / bottom, z = r * r;
    return vd_copysign(offset + vd_madd(r * z, vd_poly(z, c, 9), r), x);
}

/* asin of s, 0 <= s <= 1/2, from s and z = s^2. */
static inline vd vd_asin_small(vd s, vd z)
{
    /* asin_f64: (asin x - x) / x^3 in x^2, |error| 5.78e-14 */
    static const double c[] = {0.16666666666662181,  0.075000000035845581, 0.044642852437938716,
                               0.030382182776212485, 0.022366065938885008, 0.017441495685492856,
                               0.013187916136753730, 0.015675662527070935, -0.0029397929067241964,
                               0.027907031432666100};
    return vd_madd(s * z, vd_poly(z, c, 10), s);
}

static inline vd vd_asin(vd x)
{
    vd t = vd_abs(x);
    vl big = t > 0.5;
    vd z = vd_select(big, (1.0 - t) * 0.5, t * t);
    vd p = vd_asin_small(vd_select(big, vd_sqrt(z), t), z);
    return vd_copysign(vd_select(big, 0x1.921fb54442d18p+0 - (p + p), p), x);
}

static inline vd vd_acos(vd x)
{
    vd t = vd_abs(x);
    vl big = t > 0.5;
    vd z = vd_select(big, (1.0 - t) * 0.5, t * t);
    vd p = vd_asin_small(vd_select(big, vd_sqrt(z), t), z);
    vd outer = vd_select(x < 0.0, 0x1.921fb54442d18p+1 - (p + p), p + p);
    return vd_select(big, outer, 0x1.921fb54442d18p+0 - vd_copysign(p, x));
}

/* x times 1 / (1 + e^-y). */
static inline vd vd_times_sigmoid(vd x, vd y)
{
    vd e = vd_exp(-vd_abs(y));
    e = vd_select(x == -(double)INFINITY, vd_set((double)NAN), e); /* -infinity times 0 */
    return vd_select(y < 0.0, x * e, x) / (1.0 + e);
}

static inline vd vd_gelu_tanh(vd x)
{
    /* 0.5 (1 + tanh a) = sigmoid(2 a), a = sqrt(2/pi) (x + 0.044715 x^3) */
    vd y = 2.0 * 0x1.9884533d43651p-1 * vd_madd(x * x * x, vd_set(0.044715), x);
    return vd_times_sigmoid(x, y);
}

static inline vd vd_gelu_sigmoid(vd x)
{
    return vd_times_sigmoid(x, x * 1.702);
}

/*
 * x to the power y as C's powf: 1 for y = 0 and for x = 1 whatever the other is; NaN for negative x unless y
 * is an integer. Infinities and zeros come out of log and exp.
 */
static inline vd vd_pow(vd x, vd y)
{
    vd t = vd_abs(x);
    vd result = vd_exp(y * vd_log(t));
    vl integer = vd_round(y) == y;
    vd half = y * 0.5;
    vl odd = integer & (vd_round(half) != half);
    vl negative = ((vl)x >> 63);
    result = (vd)((vl)result ^ (negative & odd & INT64_MIN));
    result = vd_select((x < 0.0) & ~integer & (t != (double)INFINITY), vd_set((double)NAN), result);
    vl one = (y == 0.0) | (x == 1.0) | ((t == 1.0) & (vd_abs(y) == (double)INFINITY));
    return vd_select(one, vd_set(1), result);
}
