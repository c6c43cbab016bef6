#include "compress/kmeans_price.h"

#include <math.h>

enum { PRICES_MAX = 40, VALUES_TOGETHER = 8 };

/* Where the last cluster of some values begins, for ends from `from` on. */
struct begin {
    uint32_t at;
    uint32_t from;
};

struct walk {
    const struct mls_cluster_sums *sums;
    size_t n;
    double *cost;         /* [end]: the least, prices included */
    uint32_t *split;      /* [end]: where its last cluster begins */
    uint32_t *count;      /* [end]: its clusters */
    struct begin *queue;  /* in ascending order of both */
};

/* The cost of all values before `end` when the last cluster begins at `at`, without the price of the last. */
static inline double cost_with(const struct walk *walk, size_t at, size_t end)
{
    const struct mls_cluster_sums *sums = walk->sums;
    double value = sums->value[end] - sums->value[at], weight = sums->weight[end] - sums->weight[at];
    return walk->cost[at] + (sums->square[end] - sums->square[at] - value * value / weight);
}

static inline bool is_better(const struct walk *walk, size_t at, size_t other, size_t end)
{
    return cost_with(walk, at, end) < cost_with(walk, other, end);
}

/* The first end after `low` for which the later begin is better: from there on it stays so. n + 1: there is none. */
static size_t first_better(const struct walk *walk, size_t later, size_t earlier, size_t low)
{
    size_t step = 16, high = low + step;
    while (high <= walk->n && !is_better(walk, later, earlier, high)) {
        low = high;
        step *= 2;
        high = low + step;
    }
    if (high > walk->n) {
        if (low == walk->n || !is_better(walk, later, earlier, walk->n))
            return walk->n + 1;
        high = walk->n;
    }
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (is_better(walk, later, earlier, middle))
            high = middle;
        else
            low = middle;
    }
    return high;
}

/* The best number of clusters at a price for each: costs of one cluster are a Monge array, so that a begin that is better than
 * an earlier one stays better. */
static uint32_t clusters_at(struct walk *walk, double price)
{
    size_t head = 0, tail = 1;
    walk->cost[0] = 0;
    walk->count[0] = 0;
    walk->queue[0] = (struct begin){0, 1};
    for (uint32_t end = 1;; end++) {
        while (head + 1 < tail && walk->queue[head + 1].from <= end)
            head++;
        uint32_t at = walk->queue[head].at;
        walk->cost[end] = cost_with(walk, at, end) + price;
        walk->split[end] = at;
        walk->count[end] = walk->count[at] + 1;
        if (end == walk->n)
            return walk->count[end];
        size_t from = end + 1; /* where this end, as a begin, takes over */
        while (tail > head) {
            const struct begin *last = &walk->queue[tail - 1];
            size_t since = last->from > end ? last->from : end + 1;
            if (!is_better(walk, end, last->at, since)) {
                from = first_better(walk, end, last->at, since);
                break;
            }
            from = since;
            tail--;
        }
        if (from <= walk->n)
            walk->queue[tail++] = (struct begin){end, (uint32_t)from};
    }
}

/* The price at which k clusters would be best if there were very many: the derivative of S^3 / (12 k^2), S the integral of the
 * cube root of the density (Panter and Dite 1951). */
static double price_of(const struct kmeans_values *values, unsigned k)
{
    double integral = 0, weight = 0, low = values->values[0];
    for (size_t i = 0; i < values->n; i++) {
        weight += values->weights[i];
        if ((i + 1) % VALUES_TOGETHER && i + 1 < values->n)
            continue;
        double high = values->values[i + 1 < values->n ? i + 1 : i], width = high - low;
        integral += cbrt(weight * width * width);
        weight = 0;
        low = high;
    }
    return integral * integral * integral / (6.0 * k * k * k);
}

bool kmeans_by_price(const struct kmeans_values *values, const struct mls_cluster_sums *sums, unsigned k, double *cost,
                     uint32_t *words, uint32_t *ret_first)
{
    size_t n = values->n;
    struct walk walk = {.sums = sums,
                        .n = n,
                        .cost = cost,
                        .split = words,
                        .count = words + n + 2,
                        .queue = (struct begin *)(void *)(words + 2 * (n + 2))};
    double low = 0, high = 0, price = price_of(values, k);
    uint32_t found = 0;
    for (int i = 0; i < PRICES_MAX && price > 0 && isfinite(price); i++) {
        found = clusters_at(&walk, price);
        if (found == k)
            break;
        *(found > k ? &low : &high) = price;
        double ratio = (double)found / k; /* clusters go with the cube root of the price */
        price *= ratio * ratio * ratio;
        if (low > 0 && high > 0 && !(price > low && price < high))
            price = sqrt(low * high);
    }
    if (found != k)
        return false;
    for (size_t c = k, end = n; c-- > 0;) {
        end = walk.split[end];
        ret_first[c] = (uint32_t)end;
    }
    return true;
}
