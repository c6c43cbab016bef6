/* vmath_trig.h: sine, cosine and tangent of floats in double precision, over the whole range. Include
 * vmath_f64.h before. */
#pragma once

/* Above this, n * (pi/2) no longer splits exactly: Payne and Hanek's reduction, one lane at a time. */
#define VD_TRIG_LIMIT 0x1p25

/*
 * x = quadrant * pi/2 + *ret_rest for 2^25 <= |x| < infinity, x a float. The bits of 2/pi whose products are
 * multiples of 4 are left out; 64 bits of what remains are enough, as no float comes nearer than 2^-31 to a
 * multiple of pi/2.
 */
static inline int64_t trig_reduce_large(double x, double *ret_rest)
{
    static const uint32_t two_over_pi[] = {0xa2f9836e, 0x4e441529, 0xfc2757d1, 0xf534ddc0,
                                           0xdb629599, 0x3c439041, 0xfe5163ab, 0xdebbc561};
    int exponent;
    uint64_t m = (uint64_t)(frexp(fabs(x), &exponent) * 0x1p24); /* x = m * 2^(exponent - 24) */
    unsigned skip = (unsigned)(exponent - 24 - 2);
    unsigned word = skip / 32, shift = skip % 32;
    uint64_t high = (uint64_t)two_over_pi[word] << 32 | two_over_pi[word + 1];
    uint64_t low = (uint64_t)two_over_pi[word + 2] << 32 | two_over_pi[word + 3];
    if (shift) {
        high = high << shift | low >> (64 - shift);
        low <<= shift;
    }
    uint64_t turns = high * m + (((low >> 32) * m) >> 32); /* in units of 2^-64 full turns */
    uint64_t quadrant = (turns + (1ull << 61)) >> 62;
    int64_t rest = (int64_t)(turns - (quadrant << 62));
    double r = (double)rest * (0x1.921fb54442d18p+0 * 0x1p-62);
    *ret_rest = x < 0 ? -r : r;
    return x < 0 ? -(int64_t)quadrant : (int64_t)quadrant;
}

/* The rest in [-pi/4, pi/4] and the quadrant, in the two low bits. */
static inline vd vd_trig_reduce(vd x, vl *ret_quadrant)
{
    vd n = vd_round(x * 0x1.45f306dc9c883p-1);
    vd r = vd_madd(n, vd_set(-0x1.921fb54p+0), x); /* pi/2 in three parts: the first two products are exact */
    r = vd_madd(n, vd_set(-0x1.10b46p-30), r);
    r = vd_madd(n, vd_set(-0x1.1a62633145c07p-54), r);
    vl quadrant = vd_low_bits(n);

    double lanes[VD_LANES], rests[VD_LANES];
    int64_t quadrants[VD_LANES];
    memcpy(lanes, &x, sizeof lanes);
    bool large = false;
    for (int i = 0; i < VD_LANES; i++)
        large |= !(fabs(lanes[i]) < VD_TRIG_LIMIT);
    if (large) {
        memcpy(rests, &r, sizeof rests);
        memcpy(quadrants, &quadrant, sizeof quadrants);
        for (int i = 0; i < VD_LANES; i++) {
            if (fabs(lanes[i]) >= VD_TRIG_LIMIT && fabs(lanes[i]) < (double)INFINITY)
                quadrants[i] = trig_reduce_large(lanes[i], &rests[i]);
            else if (!(fabs(lanes[i]) < (double)INFINITY))
                rests[i] = (double)NAN;
        }
        memcpy(&r, rests, sizeof rests);
        memcpy(&quadrant, quadrants, sizeof quadrants);
    }
    *ret_quadrant = quadrant;
    return r;
}

static inline vd vd_sin_reduced(vd r)
{
    /* sin_f64: (sin r - r) / r^3 in r^2, |error| 2.78e-14 */
    static const double c[] = {-0.16666666666663886, 0.0083333333310792231, -0.00019841266916985966,
                               2.7555990929565319e-6, -2.4805636241834763e-8};
    vd z = r * r;
    return vd_madd(r * z, vd_poly(z, c, 5), r);
}

static inline vd vd_cos_reduced(vd r)
{
    /* cos_f64: (cos r - 1 + r^2/2) / r^4 in r^2, |error| 1.99e-15 */
    static const double c[] = {0.041666666666664679, -0.0013888888887277343, 2.4801585210990516e-5,
                               -2.7556369695573006e-7, 2.0700600483433118e-9};
    vd z = r * r;
    return vd_madd(z * z, vd_poly(z, c, 5), 1.0 - z * 0.5);
}

/* Sine of the angle whose quadrant is raised by `ahead`: 0 sine, 1 cosine. */
static inline vd vd_sine(vd x, int64_t ahead)
{
    vl quadrant;
    vd r = vd_trig_reduce(x, &quadrant);
    quadrant = quadrant + ahead;
    vl odd = -(quadrant & 1);
    vd value = vd_select(odd, vd_cos_reduced(r), vd_sin_reduced(r));
    return (vd)((vul)value ^ ((vul)(quadrant & 2) << 62));
}

static inline vd vd_sin(vd x)
{
    return vd_select(x == 0.0, x, vd_sine(x, 0)); /* the reduction loses the sign of -0 */
}

static inline vd vd_cos(vd x)
{
    return vd_sine(x, 1);
}

static inline vd vd_tan(vd x)
{
    vl quadrant;
    vd r = vd_trig_reduce(x, &quadrant);
    vl odd = -(quadrant & 1);
    vd s = vd_sin_reduced(r), c = vd_cos_reduced(r);
    vd value = vd_select(odd, -c, s) / vd_select(odd, s, c);
    return vd_select(x == 0.0, x, value);
}
