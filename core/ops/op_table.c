#include "ops/op.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "ops/op_family.h"

static const struct mls_op_family *const families[] = {
#define X(family) &mls_ops_##family,
#include "ops/families.def"
#undef X
    NULL};

enum { ROWS_MAX = 512 };

/* All rows by name, then opset; written once, under sorted_once. */
static const struct mls_op_row *sorted[ROWS_MAX];
static uint32_t n_sorted;
static pthread_once_t sorted_once = PTHREAD_ONCE_INIT;

static int compare_rows(const void *a, const void *b)
{
    const struct mls_op_row *left = *(const struct mls_op_row *const *)a;
    const struct mls_op_row *right = *(const struct mls_op_row *const *)b;
    int order = strcmp(left->name, right->name);
    if (order)
        return order;
    return (left->since > right->since) - (left->since < right->since);
}

static void sort_rows(void)
{
    for (size_t f = 0; families[f]; f++)
        for (uint32_t r = 0; r < families[f]->n_rows && n_sorted < ROWS_MAX; r++)
            sorted[n_sorted++] = &families[f]->rows[r];
    qsort(sorted, n_sorted, sizeof sorted[0], compare_rows);
}

const struct mls_op_row *mls_op_find(const char *type, uint32_t opset)
{
    pthread_once(&sorted_once, sort_rows);
    uint32_t low = 0, high = n_sorted; /* the first row after (type, opset) lies in [low, high] */
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int order = strcmp(sorted[middle]->name, type);
        if (order < 0 || (order == 0 && sorted[middle]->since <= opset))
            low = middle + 1;
        else
            high = middle;
    }
    if (low == 0 || strcmp(sorted[low - 1]->name, type) != 0)
        return NULL;
    return sorted[low - 1];
}

const char *mls_op_row_name(const struct mls_op_row *row)
{
    return row->name;
}

uint32_t mls_op_row_since(const struct mls_op_row *row)
{
    return row->since;
}

uint32_t mls_op_count(void)
{
    pthread_once(&sorted_once, sort_rows);
    return n_sorted;
}

const struct mls_op_row *mls_op_at(uint32_t index)
{
    return index < mls_op_count() ? sorted[index] : NULL;
}
