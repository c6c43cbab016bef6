#include "unit/core/format/fixture.h"

static enum mls_status load(const uint8_t *bytes, size_t size_bytes, struct mls_error *reterr)
{
    struct mls_model *model = NULL;
    enum mls_status status = mls_model_load_spec((struct mls_bytes){bytes, size_bytes}, "model.mlmodel", NULL,
                                                 NULL, &model, reterr);
    mls_model_free(model);
    return status;
}

static void every_truncation_is_refused(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    uint8_t packed[2048];
    size_t size_bytes = pb__model__pack(&f.model, packed);
    for (size_t n = 0; n < size_bytes; n++) {
        uint8_t *cut = malloc(n ? n : 1); /* so that a sanitizer sees a read past the end */
        assert_non_null(cut);
        memcpy(cut, packed, n);
        assert_int_not_equal(load(cut, n, NULL), MLS_OK);
        free(cut);
    }
    assert_int_equal(load(packed, size_bytes, NULL), MLS_OK);
}

static void the_byte_where_it_breaks_is_named(void **state)
{
    (void)state;
    const uint8_t spec[] = {0x08, 0x07, 0x12, 0x7f, 0x00};
    struct mls_error error = {0};
    assert_int_equal(load(spec, sizeof spec, &error), MLS_ERR_SPEC_INVALID);
    assert_int_equal(error.byte_offset, 2);
    assert_string_equal(error.file, "model.mlmodel");
}

static void an_empty_specification_has_no_version(void **state)
{
    (void)state;
    assert_int_equal(load(NULL, 0, NULL), MLS_ERR_SPEC_VERSION_MISSING);
}

/* Puts `tag` and the length of the `n` bytes at the end of bytes[size] before them; returns the new length.
 */
static size_t wrap(uint8_t *bytes, size_t size_bytes, size_t n, const uint8_t *tag, size_t n_tag)
{
    uint8_t length[10];
    size_t n_length = 0;
    for (size_t rest = n; n_length == 0 || rest; rest >>= 7)
        length[n_length++] = (uint8_t)((rest & 0x7f) | (rest > 0x7f ? 0x80 : 0));
    n += n_length;
    memcpy(bytes + size_bytes - n, length, n_length);
    n += n_tag;
    memcpy(bytes + size_bytes - n, tag, n_tag);
    return n;
}

static void deep_nesting_is_refused_before_it_is_unpacked(void **state)
{
    (void)state;
    enum { SIZE = 1 << 20, DEPTH = 50000 };
    static uint8_t bytes[SIZE];
    const uint8_t block[] = {0x22}, operation[] = {0x1a}, value[] = {0x12}, entry[] = {0x1a},
                  program[] = {0xb2, 0x1f};
    const uint8_t functions[] = {0x12}, description[] = {0x12, 0x00}, version[] = {0x08, 0x07};
    size_t n = 0;
    for (size_t i = 0; i < DEPTH; i++) {
        n = wrap(bytes, SIZE, n, block, 1);
        n = wrap(bytes, SIZE, n, operation, 1);
    }
    n = wrap(bytes, SIZE, n, value, 1);     /* block specialisation: the block */
    n = wrap(bytes, SIZE, n, entry, 1);     /* function: its specialisation */
    n = wrap(bytes, SIZE, n, value, 1);     /* entry: the function */
    n = wrap(bytes, SIZE, n, functions, 1); /* program: the entry */
    n = wrap(bytes, SIZE, n, program, 2);
    memcpy(bytes + SIZE - n - 2, description, 2);
    memcpy(bytes + SIZE - n - 4, version, 2);
    n += 4;
    struct mls_error error = {0};
    assert_int_equal(load(bytes + SIZE - n, n, &error), MLS_ERR_LIMIT);
    assert_non_null(strstr(error.text, "nested deeper"));
}

static void empty_messages_do_not_eat_the_memory(void **state)
{
    (void)state;
    enum { N = 1 << 22, HEAD = 32 };
    uint8_t *bytes = calloc(1, 2 * N + HEAD);
    assert_non_null(bytes);
    for (size_t i = 0; i < N; i++)
        bytes[HEAD + 2 * i] = 0x12; /* an entry of length 0 */
    const uint8_t program[] = {0xb2, 0x1f};
    size_t n = wrap(bytes, 2 * N + HEAD, 2 * N, program, 2);
    const uint8_t head[] = {0x08, 0x07, 0x12, 0x00};
    n += sizeof head;
    memcpy(bytes + 2 * N + HEAD - n, head, sizeof head);
    assert_int_equal(load(bytes + 2 * N + HEAD - n, n, NULL), MLS_ERR_LIMIT);
    free(bytes);
}

static void unknown_fields_are_skipped(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    uint8_t packed[2048];
    size_t size_bytes = pb__model__pack(&f.model, packed);
    const uint8_t unknown[] = {0x78, 0x2a, 0x7d, 1, 2, 3, 4, 0x79, 1, 2, 3, 4, 5, 6, 7, 8};
    memcpy(packed + size_bytes, unknown, sizeof unknown);
    assert_int_equal(load(packed, size_bytes + sizeof unknown, NULL), MLS_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_truncation_is_refused),
        cmocka_unit_test(the_byte_where_it_breaks_is_named),
        cmocka_unit_test(an_empty_specification_has_no_version),
        cmocka_unit_test(deep_nesting_is_refused_before_it_is_unpacked),
        cmocka_unit_test(empty_messages_do_not_eat_the_memory),
        cmocka_unit_test(unknown_fields_are_skipped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
