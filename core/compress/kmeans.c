#include "compress/kmeans.h"

#include "compress/kmeans_price.h"

#include <math.h>
#include <string.h>

/* Clusters from which on prices are faster. */
enum { PRICED_LEAST = 16 };

/* The dynamic program: cost[i] of the first i values in the clusters so far, and for every number of clusters
 * where the last one of them begins. */
struct line {
    const struct mls_compress_kernels *kernels;
    struct mls_cluster_sums sums;
    double *cost;     /* of the row before */
    double *next;     /* of the row being made */
    uint16_t *splits; /* rows of n + 1; a split is below n, so below 65536 */
    uint16_t *row;
    const uint16_t *row_before;
    size_t n;
};

static bool grow_sums(struct kmeans_space *space, size_t n)
{
    if (n + 1 > space->n_sums) {
        space->n_sums = 0;
        for (size_t i = 0; i < sizeof space->sums / sizeof *space->sums; i++)
            if (!(space->sums[i] = MLS_NEW_ARRAY(space->arena, n + 1 + MLS_CLUSTER_PADDING, double)))
                return false;
        if (!(space->words = MLS_NEW_ARRAY(space->arena, kmeans_price_words(n), uint32_t)))
            return false;
        space->n_sums = n + 1;
    }
    return true;
}

static bool grow_splits(struct kmeans_space *space, size_t n, unsigned k)
{
    if ((n + 1) * k > space->n_splits) {
        space->n_splits = 0;
        if (!(space->splits = MLS_NEW_ARRAY(space->arena, (n + 1) * k, uint16_t)))
            return false;
        space->n_splits = (n + 1) * k;
    }
    return true;
}

static void line_fill(const struct kmeans_values *values, struct kmeans_space *space, struct line *line)
{
    size_t n = values->n;
    double *weights = space->sums[0], *sums = space->sums[1], *squares = space->sums[2];
    double weight = 0, value = 0, square = 0;
    for (size_t i = 0; i < n; i++) {
        weight += values->weights[i];
        value += values->weights[i] * values->values[i];
    }
    double mean = value / weight; /* sums around the mean lose the least when they are subtracted */
    weight = value = 0;
    for (size_t i = 0; i <= n; i++) {
        weights[i] = weight;
        sums[i] = value;
        squares[i] = square;
        if (i == n)
            break;
        double x = values->values[i] - mean;
        weight += values->weights[i];
        value += values->weights[i] * x;
        square += values->weights[i] * x * x;
    }
    line->n = n;
    line->sums = (struct mls_cluster_sums){.weight = weights, .value = sums, .square = squares};
    line->cost = space->sums[3];
    line->next = space->sums[4];
}

/* One cluster. */
static void first_row(struct line *line)
{
    for (size_t i = 0; i <= line->n; i++) {
        double value = line->sums.value[i];
        line->splits[i] = 0;
        line->cost[i] = i ? line->sums.square[i] - value * value / line->sums.weight[i] : 0;
    }
}

/* Where the last cluster of the first i values begins: not before it did with one cluster less, nor past its
 * bounds. */
static void solve(struct line *line, size_t i, size_t low, size_t high)
{
    size_t first = line->row_before[i] > low ? line->row_before[i] : low, last = high < i ? high : i - 1;
    if (first > last)
        first = last;
    line->row[i] = (uint16_t)line->kernels->best_split(&line->sums, first, last, i, &line->next[i]);
}

/* Ends in (low_end, high_end) are between two that are solved: halves the gap again and again, and solves the last few at
 * once. */
static void solve_between(struct line *line, size_t low_end, size_t high_end)
{
    while (high_end - low_end - 1 > MLS_CLUSTER_ENDS) {
        size_t middle = low_end + (high_end - low_end) / 2;
        solve(line, middle, line->row[low_end], line->row[high_end]);
        solve_between(line, low_end, middle);
        low_end = middle;
    }
    size_t end = low_end + 1, first = line->row[low_end], last = line->row[high_end];
    if (end == high_end)
        return;
    first = line->row_before[end] > first ? line->row_before[end] : first;
    last = last < high_end - 2 ? last : high_end - 2;
    first = first < low_end ? first : low_end;
    line->kernels->best_splits(&line->sums, first, last, end, high_end - end, line->row + end, line->next + end);
}

/* A row with one cluster more: ends from `clusters` to n. */
static void make_row(struct line *line, unsigned clusters, bool last_row)
{
    line->row = line->splits + (size_t)(clusters - 1) * (line->n + 1);
    line->row_before = line->row - (line->n + 1);
    line->sums.cost = line->cost;
    if (last_row) {
        solve(line, line->n, clusters - 1, line->n - 1);
        return;
    }
    solve(line, clusters, clusters - 1, clusters - 1);
    solve(line, line->n, clusters - 1, line->n - 1);
    solve_between(line, clusters, line->n);
    double *made = line->next;
    line->next = line->cost;
    line->cost = made;
}

bool kmeans_line(const struct kmeans_values *values, unsigned k, const struct mls_compress_kernels *kernels,
                 struct kmeans_space *space, uint32_t *ret_first, unsigned *ret_k)
{
    size_t n = values->n;
    *ret_k = n < k ? (unsigned)n : k;
    if (n <= k) {
        for (size_t i = 0; i < n; i++)
            ret_first[i] = (uint32_t)i;
        return true;
    }
    if (!grow_sums(space, n))
        return false;
    struct line line = {.kernels = kernels};
    line_fill(values, space, &line);
    if (k >= PRICED_LEAST && kmeans_by_price(values, &line.sums, k, line.cost, space->words, ret_first))
        return true;
    if (!grow_splits(space, n, k))
        return false;
    line.splits = space->splits;
    first_row(&line);
    for (unsigned clusters = 2; clusters <= k; clusters++)
        make_row(&line, clusters, clusters == k);
    size_t end = n;
    for (unsigned c = k; c-- > 0;) {
        end = line.splits[(size_t)c * (n + 1) + end];
        ret_first[c] = (uint32_t)end;
    }
    return true;
}

/* ---- Vectors --------------------------------------------------------------------------------- */

enum { LLOYD_ROUNDS_MAX = 100, SEED_CANDIDATES = 4 };

struct clouds {
    const float *vectors;
    const double *weights;
    size_t n;
    size_t dim;
    unsigned k;
    float *centers;
    uint8_t *indices;
    double *nearest; /* squared distance of every vector to its center, weighted */
    double *sums;    /* k * (dim + 1) */
};

static double weight_of(const struct clouds *clouds, size_t i)
{
    return clouds->weights ? clouds->weights[i] : 1;
}

static float distance(const float *a, const float *b, size_t dim)
{
    float sum = 0;
    for (size_t i = 0; i < dim; i++)
        sum += (a[i] - b[i]) * (a[i] - b[i]);
    return sum;
}

/* A reproducible sequence: SplitMix64. */
static uint64_t next_random(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

/* A vector drawn with probability proportional to `nearest`, whose sum is `total`. */
static size_t draw(const struct clouds *clouds, double total, uint64_t *state)
{
    double at = (double)(next_random(state) >> 11) * 0x1p-53 * total;
    for (size_t i = 0; i < clouds->n; i++) {
        at -= clouds->nearest[i];
        if (at < 0)
            return i;
    }
    return clouds->n - 1;
}

static double total_with(const struct clouds *clouds, const float *center)
{
    double total = 0;
    for (size_t i = 0; i < clouds->n; i++) {
        double d =
            (double)distance(clouds->vectors + i * clouds->dim, center, clouds->dim) * weight_of(clouds, i);
        total += d < clouds->nearest[i] ? d : clouds->nearest[i];
    }
    return total;
}

static double take_center(struct clouds *clouds, unsigned c, size_t vector)
{
    float *center = clouds->centers + c * clouds->dim;
    memcpy(center, clouds->vectors + vector * clouds->dim, clouds->dim * sizeof *center);
    double total = 0;
    for (size_t i = 0; i < clouds->n; i++) {
        double d =
            (double)distance(clouds->vectors + i * clouds->dim, center, clouds->dim) * weight_of(clouds, i);
        if (c == 0 || d < clouds->nearest[i])
            clouds->nearest[i] = d;
        total += clouds->nearest[i];
    }
    return total;
}

/* k-means++ (Arthur and Vassilvitskii 2007), the best of a few draws each time. Returns the centers found:
 * fewer than k when there are fewer distinct vectors. */
static unsigned seed(struct clouds *clouds)
{
    uint64_t state = 1;
    double total = take_center(clouds, 0, (size_t)(next_random(&state) % clouds->n));
    unsigned c = 1;
    for (; c < clouds->k && total > 0; c++) {
        size_t best = 0;
        double least = (double)INFINITY;
        for (int i = 0; i < SEED_CANDIDATES; i++) {
            size_t candidate = draw(clouds, total, &state);
            double with = total_with(clouds, clouds->vectors + candidate * clouds->dim);
            if (with < least) {
                least = with;
                best = candidate;
            }
        }
        total = take_center(clouds, c, best);
    }
    return c;
}

/* Gives every vector its nearest center; whether any changed. */
static bool assign(struct clouds *clouds, unsigned k)
{
    bool moved = false;
    for (size_t i = 0; i < clouds->n; i++) {
        const float *vector = clouds->vectors + i * clouds->dim;
        float least = INFINITY;
        unsigned best = 0;
        for (unsigned c = 0; c < k; c++) {
            float d = distance(vector, clouds->centers + c * clouds->dim, clouds->dim);
            if (d < least) {
                least = d;
                best = c;
            }
        }
        moved |= clouds->indices[i] != best;
        clouds->indices[i] = (uint8_t)best;
        clouds->nearest[i] = (double)least * weight_of(clouds, i);
    }
    return moved;
}

static void move_centers(struct clouds *clouds, unsigned k)
{
    size_t stride = clouds->dim + 1;
    memset(clouds->sums, 0, k * stride * sizeof *clouds->sums);
    for (size_t i = 0; i < clouds->n; i++) {
        double *sum = clouds->sums + clouds->indices[i] * stride, weight = weight_of(clouds, i);
        for (size_t j = 0; j < clouds->dim; j++)
            sum[j] += (double)clouds->vectors[i * clouds->dim + j] * weight;
        sum[clouds->dim] += weight;
    }
    for (unsigned c = 0; c < k; c++) {
        const double *sum = clouds->sums + c * stride;
        if (sum[clouds->dim] > 0)
            for (size_t j = 0; j < clouds->dim; j++)
                clouds->centers[c * clouds->dim + j] = (float)(sum[j] / sum[clouds->dim]);
    }
}

bool kmeans_vectors(const float *vectors, const double *weights, size_t n, size_t dim, unsigned k,
                    struct mls_arena *arena, float *ret_centers, uint8_t *ret_indices)
{
    struct clouds clouds = {.vectors = vectors,
                            .weights = weights,
                            .n = n,
                            .dim = dim,
                            .k = k,
                            .centers = ret_centers,
                            .indices = ret_indices};
    clouds.nearest = MLS_NEW_ARRAY(arena, n, double);
    clouds.sums = MLS_NEW_ARRAY(arena, k * (dim + 1), double);
    if (!clouds.nearest || !clouds.sums)
        return false;
    memset(ret_centers, 0, k * dim * sizeof *ret_centers);
    memset(ret_indices, 0, n);
    unsigned found = seed(&clouds);
    assign(&clouds, found);
    for (int round = 0; round < LLOYD_ROUNDS_MAX; round++) {
        move_centers(&clouds, found);
        if (!assign(&clouds, found))
            break;
    }
    return true;
}
