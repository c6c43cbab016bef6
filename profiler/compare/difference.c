#include "compare/difference.h"

#include <math.h>

#include "profiler/element.h"

enum { CHUNK = 1024 };
static const double SNR_MIN_DB = -200, SNR_MAX_DB = 300;

static void add_pair(struct difference *sum, double a, double b)
{
    bool finite_a = isfinite(a), finite_b = isfinite(b);
    sum->n_not_finite_a += !finite_a;
    sum->n_not_finite_b += !finite_b;
    if (!finite_a)
        return; /* the reference does not say what should be there */
    double size = fabs(a);
    sum->signal += a * a;
    sum->max_a = size > sum->max_a ? size : sum->max_a;
    if (!finite_b) { /* all of the element is lost */
        sum->noise += a != 0 ? a * a : 1;
        return;
    }
    double error = fabs(a - b);
    sum->noise += error * error;
    sum->power_b += b * b;
    sum->product += a * b;
    sum->max_b = fabs(b) > sum->max_b ? fabs(b) : sum->max_b;
    sum->max_error = error > sum->max_error ? error : sum->max_error;
    sum->n_lost += a != 0 && b == 0;
}

static bool is_number(enum mls_dtype dtype)
{
    return dtype != MLS_NONE && dtype != MLS_TEXT && mls_dtype_bits(dtype) >= 8 && dtype != MLS_BF16;
}

bool difference_add(struct difference *sum, const struct mls_tensor *a, const struct mls_tensor *b)
{
    size_t n = mls_element_count(a);
    if (!n || n != mls_element_count(b) || !is_number(a->type.dtype) || !is_number(b->type.dtype))
        return false;
    double left[CHUNK], right[CHUNK];
    for (size_t at = 0; at < n; at += CHUNK) {
        size_t n_here = n - at < CHUNK ? n - at : CHUNK;
        mls_elements_load(a, at, n_here, left);
        mls_elements_load(b, at, n_here, right);
        for (size_t i = 0; i < n_here; i++)
            add_pair(sum, left[i], right[i]);
    }
    sum->n_elems += n;
    return true;
}

double difference_snr_db(const struct difference *sum)
{
    if (!(sum->noise > 0))
        return (double)INFINITY;
    if (!(sum->signal > 0))
        return SNR_MIN_DB;
    double db = 10 * log10(sum->signal / sum->noise);
    return db < SNR_MIN_DB ? SNR_MIN_DB : db > SNR_MAX_DB ? SNR_MAX_DB : db;
}

double difference_relative(const struct difference *sum)
{
    if (!(sum->noise > 0))
        return 0;
    return sum->signal > 0 ? sqrt(sum->noise / sum->signal) : 1e10; /* what SNR_MIN_DB is as an amplitude */
}

double difference_cosine(const struct difference *sum)
{
    double sizes = sqrt(sum->signal) * sqrt(sum->power_b);
    return sizes > 0 ? sum->product / sizes : (double)NAN;
}
