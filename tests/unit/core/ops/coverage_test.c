/* Every row of the table of operations is run by a test: op_coverage.h says how that is known. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ops/op.h"
#include "support/op_coverage.h"

static bool covered[OP_COVERAGE_ROWS];

static void take_line(const char *name, unsigned since)
{
    for (uint32_t i = 0; i < mls_op_count(); i++)
        if (mls_op_at(i)->since == since && !strcmp(mls_op_at(i)->name, name))
            covered[i] = true;
}

static void take_file(const char *folder, const char *name)
{
    char path[4096], row[128];
    unsigned since;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "r");
    while (file && fscanf(file, "%127s %u", row, &since) == 2)
        take_line(row, since);
    if (file)
        fclose(file);
}

static void every_row_has_been_run(void **state)
{
    (void)state;
    const char *folder = getenv("MLS_OP_COVERAGE");
    DIR *directory = folder ? opendir(folder) : NULL;
    if (!directory)
        skip(); /* not run by ctest */
    for (struct dirent *entry; (entry = readdir(directory));)
        if (entry->d_name[0] != '.')
            take_file(folder, entry->d_name);
    closedir(directory);
    unsigned n_missing = 0;
    for (uint32_t i = 0; i < mls_op_count(); i++) {
        if (covered[i])
            continue;
        print_error("no test runs %s of opset %u\n", mls_op_at(i)->name, (unsigned)mls_op_at(i)->since);
        n_missing++;
    }
    print_message("%u of %u rows are run by tests\n", (unsigned)mls_op_count() - n_missing,
                  (unsigned)mls_op_count());
    assert_int_equal(n_missing, 0);
}

/* The lines "| name | 17 | …" of the list of operations by system: iOS 15 to 18 and 26 are opsets 5 to 9. */
static void every_operation_of_the_reference_has_its_row(void **state)
{
    (void)state;
    FILE *file = fopen(MLS_SHARED "/reference/mil_ops.md", "r");
    if (!file)
        skip();
    char line[4096], name[128];
    unsigned system, n = 0, n_missing = 0;
    while (fgets(line, sizeof line, file)) {
        if (sscanf(line, "| %127s | %u |", name, &system) != 2 || system < 15 ||
            name[0] == '_') /* those never leave the converter */
            continue;
        uint32_t opset = system == 26 ? 9 : system - 10;
        const struct mls_op_row *row = mls_op_find(name, opset);
        n++;
        if (!row || row->since != opset) {
            print_error("%s of opset %u has no row of its own\n", name, (unsigned)opset);
            n_missing++;
        }
    }
    fclose(file);
    assert_true(n > 200);
    assert_int_equal(n_missing, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_has_been_run),
        cmocka_unit_test(every_operation_of_the_reference_has_its_row),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
