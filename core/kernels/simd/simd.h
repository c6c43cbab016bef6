/* simd.h: what the vectors of every instruction set share. Include a simd__<isa>.h before it. */
#pragma once

#if !defined(V_BYTES)
#error "include a simd__<isa>.h first"
#endif

/* V_NAME(add_fp16) is add_fp16__avx2 in an AVX2 file; V_TEXT(add_fp16) is that name as text. */
#define V_GLUE_(name, isa) name##__##isa
#define V_GLUE(name, isa) V_GLUE_(name, isa)
#define V_NAME(name) V_GLUE(name, V_ISA)
#define V_QUOTE_(name) #name
#define V_QUOTE(name) V_QUOTE_(name)
#define V_TEXT(name) V_QUOTE(V_NAME(name))

static inline vf v_set(float value)
{
    return value - (vf){0}; /* x - 0 is x, also for -0: a plain broadcast */
}
static inline vd vd_set(double value)
{
    return value - (vd){0};
}

static inline vf v_load(const float *from)
{
    vf a;
    memcpy(&a, from, sizeof a);
    return a;
}
static inline void v_store(float *to, vf a)
{
    memcpy(to, &a, sizeof a);
}

#if !defined(V_OWN_TAILS)
/* The first n < V_LANES elements; the other lanes are 0. Nothing past them is read or written. */
static inline vf v_load_tail(const float *from, size_t n)
{
    float lanes[V_LANES] = {0};
    for (size_t i = 0; i < n && i < V_LANES; i++)
        lanes[i] = from[i];
    return v_load(lanes);
}
static inline void v_store_tail(float *to, size_t n, vf a)
{
    float lanes[V_LANES];
    v_store(lanes, a);
    for (size_t i = 0; i < n && i < V_LANES; i++)
        to[i] = lanes[i];
}
static inline vf v_load_tail_fp16(const uint16_t *from, size_t n)
{
    uint16_t lanes[V_LANES] = {0};
    for (size_t i = 0; i < n && i < V_LANES; i++)
        lanes[i] = from[i];
    return v_load_fp16(lanes);
}
static inline void v_store_tail_fp16(uint16_t *to, size_t n, vf a)
{
    uint16_t lanes[V_LANES];
    v_store_fp16(lanes, a);
    for (size_t i = 0; i < n && i < V_LANES; i++)
        to[i] = lanes[i];
}
#endif

/* Where the mask is set a, else b. */
static inline vf v_select(vi mask, vf a, vf b)
{
    return (vf)(((vi)a & mask) | ((vi)b & ~mask));
}
static inline vd vd_select(vl mask, vd a, vd b)
{
    return (vd)(((vl)a & mask) | ((vl)b & ~mask));
}

static inline vf v_abs(vf a)
{
    return (vf)((vi)a & INT32_MAX);
}
static inline vd vd_abs(vd a)
{
    return (vd)((vl)a & INT64_MAX);
}

/* |a| with the sign of b. */
static inline vf v_copysign(vf a, vf b)
{
    return (vf)(((vi)a & INT32_MAX) | ((vi)b & INT32_MIN));
}
static inline vd vd_copysign(vd a, vd b)
{
    return (vd)(((vl)a & INT64_MAX) | ((vl)b & INT64_MIN));
}

#if !defined(V_OWN_MAX)
/* The larger and the smaller; NaN when either is NaN, as NumPy's maximum and minimum. */
static inline vf v_max(vf a, vf b)
{
    return v_select((a > b) | (a != a), a, b);
}
static inline vf v_min(vf a, vf b)
{
    return v_select((a < b) | (a != a), a, b);
}
#endif

#if !defined(V_OWN_LIMITS)
/* a, or the limit where a is above (below) it; NaN stays NaN. */
static inline vf v_at_most(vf a, float limit)
{
    return v_select(a > limit, v_set(limit), a);
}
static inline vf v_at_least(vf a, float limit)
{
    return v_select(a < limit, v_set(limit), a);
}

/* The larger one; b when either is NaN. */
static inline vf v_larger(vf a, vf b)
{
    return v_select(a > b, a, b);
}

/* mantissa * 2^n, 1/4 < |mantissa| < 4, n an integer in [-200, 130]; denormal results are rounded once. */
static inline vf v_scale(vf mantissa, vf n)
{
    vi whole = v_to_int(n);
    vi half = whole >> 1;
    vf first = (vf)((half + 127) << 23);
    vf second = (vf)((whole - half + 127) << 23);
    return mantissa * first * second;
}
#endif

static inline vf v_floor(vf a)
{
    vf near = v_round(a);
    return v_copysign(near - (vf)((vi)v_set(1) & (near > a)), a);
}
static inline vf v_ceil(vf a)
{
    vf near = v_round(a);
    return v_copysign(near + (vf)((vi)v_set(1) & (near < a)), a);
}

/* The mask of the first n lanes. */
static inline vi v_first(size_t n)
{
    static const int32_t lanes[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    vi index;
    memcpy(&index, lanes, sizeof index);
    return index < (int32_t)(n < V_LANES ? n : V_LANES);
}

#if !defined(V_OWN_FOLDS)
/* Whether any lane of a mask is set. */
static inline bool v_any(vi mask)
{
    int32_t lanes[V_LANES], any = 0;
    memcpy(lanes, &mask, sizeof lanes);
    for (int i = 0; i < V_LANES; i++)
        any |= lanes[i];
    return any != 0;
}

/* The largest of all lanes; none is NaN. */
static inline float v_fold_larger(vf a)
{
    float lanes[V_LANES];
    v_store(lanes, a);
    for (int i = 1; i < V_LANES; i++)
        lanes[0] = lanes[i] > lanes[0] ? lanes[i] : lanes[0];
    return lanes[0];
}

/* The sum of all lanes, in a fixed tree. */
static inline float v_sum(vf a)
{
    float lanes[V_LANES];
    v_store(lanes, a);
    for (int half = V_LANES / 2; half > 0; half /= 2)
        for (int i = 0; i < half; i++)
            lanes[i] += lanes[i + half];
    return lanes[0];
}
#endif
