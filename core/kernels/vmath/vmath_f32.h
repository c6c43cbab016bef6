/*
 * vmath_f32.h: elementary functions in single precision, for the functions that networks use most. Cody-Waite
 * reduction and polynomials from fit_coefficients.py; no table, no branch. NaN gives NaN. The largest errors
 * are in vmath.md; vmath_test.c checks them. Include a simd__<isa>.h and simd.h before.
 */
#pragma once

/* In place whatever the size: a call would end the overlap of several values. */
#define V_INLINE inline __attribute__((always_inline))

/* Horner's rule, lowest coefficient first; the bound of the loop is a constant at every call. */
static V_INLINE vf v_poly(vf x, const float *coefficients, int n)
{
    vf sum = v_set(coefficients[n - 1]);
    for (int i = n - 2; i >= 0; i--)
        sum = v_madd(sum, x, v_set(coefficients[i]));
    return sum;
}

/* e^r - 1 for |r| <= ln(2)/2. */
static V_INLINE vf v_expm1_reduced(vf r)
{
    /* exp_f32: (e^r - 1 - r) / r^2, |error| 6.49e-8 */
    static const float c[] = {0.500000000f, 0.166665770f, 0.0416665547f, 0.00836317307f, 0.00139261761f};
    return v_madd(r * r, v_poly(r, c, 5), r);
}

/* e^(x + low) = (1 + result) * 2^n, |result| < 1/2; |low| small beside x, but not beside the result's
 * spacing. x as v_exp_parts bounds it. */
static V_INLINE vf v_exp_bounded(vf x, vf low, vf *ret_n)
{
    vf n = v_round(x * 0x1.715476p+0f); /* 1 / ln 2 */
    vf r = v_madd(n, v_set(-0x1.62e0p-1f), x);
    r = v_madd(n, v_set(-0x1.0bfbe8p-15f), r) + low;
    *ret_n = n;
    return v_expm1_reduced(r);
}

static V_INLINE vf v_exp_parts(vf x, vf low, vf *ret_n)
{
    x = v_at_least(v_at_most(x, 89), -126); /* infinite from 88.73 on, 0 below -103.97 */
    return v_exp_bounded(x, low, ret_n);
}

static V_INLINE vf v_exp(vf x)
{
    vf n, rest = v_exp_parts(x, v_set(-0.0f), &n); /* -0 adds nothing to any number */
    return v_scale(1.0f + rest, n);
}

static inline vf v_exp2(vf x)
{
    x = v_at_least(v_at_most(x, 129), -151);
    vf n = v_round(x);
    return v_scale(1.0f + v_expm1_reduced((x - n) * 0x1.62e430p-1f), n);
}

static V_INLINE vf v_tanh(vf x)
{
    /* tanh_f32: (tanh x - x) / x^3 in x^2, |error| 1.6e-9 */
    static const float c[] = {-0.333333332f, 0.133333036f,    -0.0539592596f,
                              0.0217689187f, -0.00834394552f, 0.00229274482f};
    vf t = v_abs(x), z = x * x;
    vf small = v_madd(x * z, v_poly(z, c, 6), x);
    vf large = 1.0f - 2.0f / (v_exp(t + t) + 1.0f);
    return v_select(t < 0.625f, small, v_copysign(large, x));
}

/*
 * sigmoid(x) = result * (1 + *ret_error) * 2^n: what the quotient has lost is left to whatever is made of it,
 * so that this is rounded once; the scale comes last, so that a denormal result is too.
 */
static V_INLINE vf v_logistic(vf x, vf *ret_error, vf *ret_n)
{
    vf n, rest = v_exp_bounded(v_at_least(-v_abs(x), -126), v_set(-0.0f), &n);
    vi negative = x < 0.0f;
    vf power = v_scale(v_set(1), v_at_least(n, -60)); /* beside 1, less is nothing */
    vf one = 1.0f + power, bottom = v_madd(power, rest, one), bottom_low = v_madd(power, rest, one - bottom);
    vf quotient = 1.0f / bottom,
       lost = v_madd(quotient, bottom_low, v_product_error(quotient, bottom, v_set(1)));
    *ret_error = (vf)((vi)rest & negative) - lost;
    *ret_n = (vf)((vi)n & negative);
    return quotient;
}

static V_INLINE vf v_sigmoid(vf x)
{
    vf error, n, quotient = v_logistic(x, &error, &n);
    return v_scale(v_madd(quotient, error, quotient), n);
}

/* The product with a function that vanishes at -infinity has no value there. */
static inline vf v_nan_at_minus_infinity(vf x, vf value)
{
    return v_select(x == -INFINITY, v_set(NAN), value);
}

static V_INLINE vf v_silu(vf x)
{
    vf error, n, quotient = v_logistic(x, &error, &n);
    vf bounded = v_at_least(x, -126), product = bounded * quotient; /* the result is 0 long before */
    vf rest = v_madd(product, error, v_product_error(bounded, quotient, product));
    vf result = v_select((x > 32.0f) | (x == 0.0f), x, v_scale(product + rest, n));
    return v_nan_at_minus_infinity(x, result);
}

/* The normal distribution's upper tail Q(t) = result * 2^n for t >= 0, with a small relative error. */
static inline vf v_normal_tail(vf t, vf *ret_n)
{
    /* tail_f32: (t + 2.5) Q(t) / exp(-t^2/2) in (t - 2.5) / (t + 2.5), |error| 6.21e-9 */
    static const float c[] = {0.706656661f,     -0.433692153f,    0.131986926f,   0.00923925580f,
                              -0.0163850458f,   -0.00162269726f,  0.00251384021f, 0.000737375350f,
                              -0.000279482219f, -0.000201061826f, -3.21788365e-5f};
    t = v_select(t > 15.0f, v_set(15), t);
    /* t^2 in two parts: the upper 12 bits of t have an exact square. */
    vf high = (vf)((vi)t & (int32_t)0xfffff000);
    vf rest = (t - high) * (t + high);
    vf sum = t + 2.5f, q = 1.0f / sum;
    q = q - q * q * (t - (sum - 2.5f)); /* what the sum lost */
    vf mills = v_poly((t - 2.5f) * q, c, 11) * q;
    return (1.0f + v_exp_parts(high * high * -0.5f, rest * -0.5f, ret_n)) * mills;
}

static inline vf v_erf(vf x)
{
    /* erf_f32: erf(x) / x - 1 in x^2, |error| 3.38e-11 */
    static const float c[] = {0.128379167f,   -0.376126385f,    0.112837825f,    -0.0268654307f,
                              0.00522103181f, -0.000848408041f, 0.000112659590f, -9.66704457e-6f};
    vf t = v_abs(x);
    vf n, tail = v_normal_tail(t * 0x1.6a09e6p+0f, &n); /* sqrt(2) */
    vf large = 1.0f - 2.0f * v_scale(tail, n);
    return v_select(t < 1.0f, v_madd(x, v_poly(x * x, c, 8), x), v_copysign(large, x));
}

/*
 * x times the normal distribution function of x: near 0 by its odd part, else from the upper tail Q as max(x,
 * 0) - |x| Q(|x|).
 */
static V_INLINE vf v_gelu(vf x)
{
    /* center_f32: ((1/2 - Q(x)) / x - 1 / sqrt(2 pi)) / x^2 in x^2, |error| 1.7e-11 */
    static const float center[] = {-0.0664903800f,  0.00997355578f,  -0.00118731379f,
                                   0.000115372629f, -9.32305579e-6f, 5.54172541e-7f};
    /* gelu_f32: t Q(t) / exp(-t^2/2) in s = (t - 2.5) / (t + 2.5), less its value at 0, over s,
     * |error| 1.6e-9 */
    static const float outer[] = {0.136482257f,    -0.150852440f,   0.0706133495f,
                                  -0.00357522148f, -0.00901080248f, 0.000457802443f,
                                  0.00167669206f,  0.000182121721f, -0.000364453083f};
    const vf middle = v_set(0x1.69cee6p-2f);
    vi positive = x > 0.0f;
    vf t = v_at_most(v_abs(x), 15);
    t = v_select(positive & (t > 9.0f), v_set(9), t); /* far less than x: no denormals, which are slow */
    vf high = (vf)((vi)t & (int32_t)0xfffff000);      /* the upper 12 bits have an exact square */
    vf n, rest = v_exp_parts(high * high * -0.5f, (t - high) * (t + high) * -0.5f, &n);
    vf s = (t - 2.5f) / (t + 2.5f), part = v_madd(s, v_poly(s, outer, 9), v_set(1.10476449e-8f));
    vf tail = v_scale(v_madd(middle, rest, v_madd(part, rest, part)) + middle, n);
    vf large = v_select(positive, x - tail, -tail);
    const vf slope = v_set(0x1.988454p-2f); /* 1 / sqrt(2 pi) without its last part */
    vf z = x * x, first = x * slope, bend = v_madd(z, v_poly(z, center, 6), v_set(-1.13351701e-8f));
    vf small = v_madd(x, v_madd(x, bend, v_product_error(x, slope, first)), v_madd(x, first, x * 0.5f));
    return v_nan_at_minus_infinity(x, v_select(t < 1.0f, v_copysign(small, x), large));
}

/*
 * ---- The same for fp16 arguments and results ----
 *
 * Quicker, and for each of fp16's numbers the result of the functions above, rounded once: unary_test.c tries
 * them all. A result lies as near as 2^-24 of itself to the middle between two fp16 numbers, so where an
 * operation here is exact, or which way it rounds, is part of that. With fused multiply-add only.
 */

/* 1 + e^x = result + *ret_low; never infinite, but 1 + e^88 from there on. */
static V_INLINE vf v_one_plus_exp(vf x, vf *ret_low)
{
    vf n, rest = v_exp_bounded(v_at_least(v_at_most(x, 88), -60), v_set(-0.0f), &n); /* no denormals: slow */
    vf power = v_scale(v_set(1), n), one = 1.0f + power, sum = v_madd(power, rest, one);
    *ret_low = v_madd(power, rest, one - sum);
    return sum;
}

static V_INLINE vf v_sigmoid_half(vf x)
{
    vf low, sum = v_one_plus_exp(-x, &low), quotient = 1.0f / sum;
    return v_madd(quotient * low, -quotient, quotient);
}

static V_INLINE vf v_silu_half(vf x)
{
    vf low, sum = v_one_plus_exp(-x, &low);
    return v_nan_at_minus_infinity(x, x * (1.0f / sum));
}

/* 2^f for |f| <= 1/2. */
static inline vf v_exp2_reduced(vf f)
{
    /* exp2_f32: (2^f - 1) / f, |error| 7.8e-9 */
    static const float c[] = {0.693147188f,   0.240226508f,   0.0555035711f,
                              0.00961808256f, 0.00133908634f, 0.000154531629f};
    return v_madd(f, v_poly(f, c, 6), v_set(1));
}

/* max(x, 0) - |x| Q(|x|), where the normal distribution's tail Q(t) is 2^p(t) / 2; from -5.7 on it is 0 in
 * fp16. */
static V_INLINE vf v_gelu_half(vf x)
{
    /* log2(2 Q(t)) / t by fit_half_gelu.py: right for each argument of fp16 */
    static const float c[] = {-1.15110826f,     -0.459151953f,    -0.0527487062f,  0.00749112433f,
                              -0.000476959627f, -4.87083744e-05f, 1.19571978e-05f, -6.92896037e-07f};
    vf t = v_at_most(v_abs(x), 6);
    vf power = t * v_poly(t, c, 8), n = v_round(power);
    vf tail = v_scale(v_exp2_reduced(power - n), n);
    return v_nan_at_minus_infinity(x, v_madd(t * -0.5f, tail, v_at_least(x, 0)));
}
