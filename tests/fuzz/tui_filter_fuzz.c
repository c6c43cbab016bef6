/* Filter expressions: what is accepted can be asked of every row; what is not says where in the text it is wrong. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "unit/tui/fake_rows.h"
#include "widget/filter.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    if (!text)
        return 0;
    memcpy(text, data, size);
    text[size] = '\0';
    struct mls_rows rows = fake_rows_make();
    struct mls_filter filter;
    struct mls_filter_error error;
    size_t n = 0;
    if (mls_filter_parse(text, rows.columns, rows.n_columns, &filter, &error)) {
        for (size_t row = 0; row < rows.n_rows; row++)
            n += mls_filter_matches(&filter, &rows, row);
    } else if (error.position > strlen(text) || !error.reason) {
        abort();
    }
    free(text);
    return n > rows.n_rows;
}
