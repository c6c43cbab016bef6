#include "profiler/match.h"

#include <stdlib.h>
#include <string.h>

#include "core/model.h"

enum { NAME_BYTES = 256 };
/* Cells of the table for one gap: beyond it types in a gap are not aligned. */
static const size_t GAP_CELLS_MAX = (size_t)1 << 20;

/* What conversions and compressions append to the name of the same value. */
static const char *const SUFFIXES[] = {
    "_cast_fp16", "_cast_fp32", "_cast_uint16", "_cast_int16", "_to_fp16", "_to_fp32", "_fp16",
    "_fp32",      "_quantized", "_palettized",  "_sparsified", "_pruned",  "_q",       "_promoted"};

/* An item that is not matched yet, ready to be sorted. */
struct entry {
    const char *type; /* "" when types do not matter */
    uint32_t index;
    char name[NAME_BYTES];
};

static size_t suffix_bytes(const char *name, size_t length)
{
    for (size_t i = 0; i < sizeof SUFFIXES / sizeof SUFFIXES[0]; i++) {
        size_t bytes = strlen(SUFFIXES[i]);
        if (length > bytes && !memcmp(name + length - bytes, SUFFIXES[i], bytes))
            return bytes;
    }
    return 0;
}

static void set_name(struct entry *entry, const char *name, bool whole)
{
    size_t length = strlen(name), bytes;
    while (!whole && (bytes = suffix_bytes(name, length)) != 0)
        length -= bytes;
    if (length >= NAME_BYTES) /* the ends of long names differ more than their beginnings */
        name += length - (NAME_BYTES - 1), length = NAME_BYTES - 1;
    memcpy(entry->name, name, length);
    entry->name[length] = '\0';
}

static int compare_keys(const struct entry *a, const struct entry *b)
{
    int order = strcmp(a->name, b->name);
    return order ? order : strcmp(a->type, b->type);
}

static int compare_entries(const void *a, const void *b)
{
    const struct entry *left = a, *right = b;
    int order = compare_keys(left, right);
    return order ? order : left->index < right->index ? -1 : left->index > right->index;
}

/* The items without a counterpart, sorted; `used` is by index. */
static size_t collect(const struct mls_match_item *items, size_t n, const bool *used, bool whole, bool typed,
                      struct entry *entries)
{
    size_t n_entries = 0;
    for (size_t i = 0; i < n; i++) {
        if (used[i])
            continue;
        struct entry *entry = &entries[n_entries++];
        entry->index = (uint32_t)i;
        entry->type = typed ? items[i].type : "";
        set_name(entry, items[i].name, whole);
    }
    qsort(entries, n_entries, sizeof *entries, compare_entries);
    return n_entries;
}

struct matching {
    const struct mls_match_item *a, *b;
    size_t n_a, n_b;
    struct entry *left, *right;
    bool *used_a, *used_b;
    uint32_t *b_of_a;
};

static void pair(struct matching *matching, uint32_t a, uint32_t b)
{
    matching->b_of_a[a] = b;
    matching->used_a[a] = matching->used_b[b] = true;
}

static void match_names(struct matching *matching, bool whole, bool typed)
{
    size_t n_left = collect(matching->a, matching->n_a, matching->used_a, whole, typed, matching->left);
    size_t n_right = collect(matching->b, matching->n_b, matching->used_b, whole, typed, matching->right);
    for (size_t i = 0, j = 0; i < n_left && j < n_right;) {
        int order = compare_keys(&matching->left[i], &matching->right[j]);
        if (!order)
            pair(matching, matching->left[i++].index, matching->right[j++].index);
        else if (order < 0)
            i++;
        else
            j++;
    }
}

/* Longest common sequence of the types of a[from_a, to_a) and b[from_b, to_b), all of them unmatched. */
static bool match_gap(struct matching *matching, size_t from_a, size_t to_a, size_t from_b, size_t to_b)
{
    size_t rows = to_a - from_a, columns = to_b - from_b;
    if (!rows || !columns || rows > GAP_CELLS_MAX / (columns + 1))
        return true;
    uint32_t *lengths = calloc((rows + 1) * (columns + 1), sizeof *lengths);
    if (!lengths)
        return false;
    for (size_t i = rows; i-- > 0;)
        for (size_t j = columns; j-- > 0;) {
            bool free_pair = !matching->used_a[from_a + i] && !matching->used_b[from_b + j] &&
                             !strcmp(matching->a[from_a + i].type, matching->b[from_b + j].type);
            uint32_t skip_a = lengths[(i + 1) * (columns + 1) + j],
                     skip_b = lengths[i * (columns + 1) + j + 1];
            uint32_t best = skip_a > skip_b ? skip_a : skip_b;
            uint32_t both = lengths[(i + 1) * (columns + 1) + j + 1] + 1;
            lengths[i * (columns + 1) + j] = free_pair && both > best ? both : best;
        }
    for (size_t i = 0, j = 0; i < rows && j < columns;) {
        uint32_t here = lengths[i * (columns + 1) + j];
        if (here == lengths[(i + 1) * (columns + 1) + j])
            i++;
        else if (here == lengths[i * (columns + 1) + j + 1])
            j++;
        else
            pair(matching, (uint32_t)(from_a + i++), (uint32_t)(from_b + j++));
    }
    free(lengths);
    return true;
}

/* Gaps lie between matched items that stand in the same order on both sides. */
static bool match_gaps(struct matching *matching)
{
    size_t after_a = 0, after_b = 0;
    for (size_t i = 0; i <= matching->n_a; i++) {
        size_t at_b = i == matching->n_a ? matching->n_b : matching->b_of_a[i];
        if (at_b == MLS_NO_INDEX || at_b < after_b)
            continue;
        if (!match_gap(matching, after_a, i, after_b, at_b))
            return false;
        after_a = i + 1;
        after_b = at_b + 1;
    }
    return true;
}

bool mls_match(const struct mls_match_item *a, size_t n_a, const struct mls_match_item *b, size_t n_b,
               uint32_t *ret_b_of_a)
{
    struct matching matching = {.a = a,
                                .b = b,
                                .n_a = n_a,
                                .n_b = n_b,
                                .left = calloc(n_a + 1, sizeof(struct entry)),
                                .right = calloc(n_b + 1, sizeof(struct entry)),
                                .used_a = calloc(n_a + 1, sizeof(bool)),
                                .used_b = calloc(n_b + 1, sizeof(bool)),
                                .b_of_a = ret_b_of_a};
    bool ok = matching.left && matching.right && matching.used_a && matching.used_b;
    for (size_t i = 0; i < n_a; i++)
        ret_b_of_a[i] = MLS_NO_INDEX;
    if (ok) {
        match_names(&matching, true, true);
        match_names(&matching, false, true);
        match_names(&matching, false, false);
        ok = match_gaps(&matching);
    }
    free(matching.left);
    free(matching.right);
    free(matching.used_a);
    free(matching.used_b);
    return ok;
}
