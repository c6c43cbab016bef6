#include "support.h"

#include "package/form.h"
#include "package/rtfd.h"

/* Bytes under construction. */
struct bytes {
    uint8_t data[4096];
    size_t size;
};

static void put_u32(struct bytes *out, uint32_t value)
{
    for (unsigned i = 0; i < 4; i++)
        out->data[out->size++] = (uint8_t)(value >> (8 * i));
}

static void put(struct bytes *out, const void *data, size_t size)
{
    if (size)
        memcpy(out->data + out->size, data, size);
    out->size += size;
}

static void put_sized(struct bytes *out, const void *data, size_t size)
{
    put_u32(out, (uint32_t)size);
    put(out, data, size);
}

static struct bytes file_node(const char *text)
{
    struct bytes node = {.size = 0};
    put_u32(&node, 1);
    put_sized(&node, text, strlen(text));
    return node;
}

/* The attributes of one child. */
static struct bytes attributes_node(const char *name, uint32_t flags)
{
    struct bytes body = {.size = 0}, node = {.size = 0};
    put_u32(&body, 1);
    put_sized(&body, name, strlen(name));
    put_u32(&body, 16);
    put_u32(&body, 0);
    put_u32(&body, 0644);
    put_u32(&body, flags);
    put_u32(&body, 0);
    put_u32(&node, 1);
    put_sized(&node, body.data, body.size);
    return node;
}

/* A dictionary of up to two entries; the second is left out when its name is NULL. */
static struct bytes folder_node(const char *name1, size_t name1_bytes, struct bytes node1, const char *name2,
                                struct bytes node2)
{
    struct bytes node = {.size = 0};
    put_u32(&node, 3);
    put_u32(&node, name2 ? 2 : 1);
    put_sized(&node, name1, name1_bytes);
    if (name2)
        put_sized(&node, name2, strlen(name2));
    put_u32(&node, (uint32_t)node1.size);
    if (name2)
        put_u32(&node, (uint32_t)node2.size);
    put(&node, node1.data, node1.size);
    if (name2)
        put(&node, node2.data, node2.size);
    return node;
}

static struct bytes one_entry(const char *name, struct bytes node)
{
    return folder_node(name, strlen(name), node, NULL, node);
}

static struct bytes whole(struct bytes root)
{
    struct bytes out = {.size = 0};
    put(&out, "rtfd\0\0\0", 8);
    put(&out, root.data, root.size);
    return out;
}

/* Parses without looking for a manifest; the package, or NULL with the error. */
static struct mls_package *parse(struct bytes *bytes, struct mls_error *error)
{
    struct mls_package *package = package_create("x.rtfd");
    assert_non_null(package);
    if (rtfd_parse(package, (struct mls_bytes){bytes->data, bytes->size}, error)) {
        mls_package_release(package);
        return NULL;
    }
    package_sort_entries(package);
    return package;
}

static void expect_refusal(struct bytes bytes, const char *says)
{
    struct mls_error error;
    assert_null(parse(&bytes, &error));
    assert_int_equal(error.status, MLS_ERR_RTFD_INVALID);
    assert_true(error.byte_offset >= 0 && error.byte_offset <= (int64_t)bytes.size);
    if (!strstr(error.text, says))
        fail_msg("\"%s\" does not say \"%s\"", error.text, says);
}

static void reads_nested_folders(void **state)
{
    (void)state;
    struct mls_error error;
    struct bytes bytes = whole(one_entry("a", one_entry("b", file_node("content"))));
    struct mls_package *package = parse(&bytes, &error);
    assert_non_null(package);
    assert_int_equal(mls_package_entry_count(package), 1);
    assert_string_equal(mls_package_entry_at(package, 0).path, "a/b");
    assert_memory_equal(mls_package_entry_at(package, 0).bytes.data, "content", 7);
    mls_package_release(package);
}

static void padding_comes_from_the_file(void **state)
{
    (void)state;
    struct bytes node = {.size = 0};
    struct mls_error error;
    put_u32(&node, 1);
    put_u32(&node, 0x80000000u);
    put_u32(&node, 3);
    put_u32(&node, 5);
    put(&node, "\0\0\0\0\0abc", 8);
    struct bytes bytes = whole(one_entry("f", node));
    struct mls_package *package = parse(&bytes, &error);
    assert_non_null(package);
    assert_int_equal(mls_package_entry_at(package, 0).bytes.size_bytes, 3);
    assert_memory_equal(mls_package_entry_at(package, 0).bytes.data, "abc", 3);
    mls_package_release(package);
}

static void broken_rules_are_named_with_their_place(void **state)
{
    (void)state;
    struct bytes file = file_node("x"), good = whole(one_entry("a", file)), bytes;
    bytes = good;
    bytes.data[4] = 1;
    expect_refusal(bytes, "unknown version");
    bytes = good;
    bytes.size--;
    expect_refusal(bytes, "longer than what holds them");
    bytes = good;
    bytes.size++;
    expect_refusal(bytes, "left over");
    bytes = good;
    bytes.size = 10;
    expect_refusal(bytes, "shorter than a header");
    bytes = good;
    memset(bytes.data + 12, 0xff, 4);
    expect_refusal(bytes, "number of entries");
    expect_refusal(whole(file), "root is not a dictionary");
    expect_refusal(whole(one_entry("", file)), "empty");
    expect_refusal(whole(one_entry("a/b", file)), "'/'");
    expect_refusal(whole(folder_node("a\0b", 3, file, NULL, file)), "zero byte");
    expect_refusal(whole(one_entry("d", one_entry("..", file))), "\"..\"");
    expect_refusal(whole(folder_node("a", 1, file, "a", file)), "same name");
    expect_refusal(whole(folder_node("..", 2, file, "a", file)), "single file");
    expect_refusal(whole(folder_node("a", 1, file, ".", attributes_node("a", 4))), "symbolic link");
    struct bytes longer = file;
    longer.data[longer.size++] = 0;
    expect_refusal(whole(one_entry("a", longer)), "not what its content uses");
    struct bytes other = file;
    other.data[0] = 4;
    expect_refusal(whole(one_entry("a", other)), "not of type 1");
    struct bytes empty = {.size = 0};
    expect_refusal(whole(one_entry("a", empty)), "too short");
}

static void deep_nesting_is_refused(void **state)
{
    (void)state;
    struct bytes node = file_node("x");
    for (int i = 0; i < 40; i++)
        node = one_entry("d", node);
    expect_refusal(whole(node), "nested too deep");
}

static void a_wrapped_single_file_is_its_model(void **state)
{
    (void)state;
    struct bytes node = {.size = 0};
    put_u32(&node, 1);
    put_sized(&node, spec_bytes, sizeof spec_bytes);
    struct bytes bytes = whole(folder_node("..", 2, node, ".", attributes_node("..", 2)));
    struct mls_package *package;
    assert_int_equal(
        package_open_bytes("x", (struct mls_bytes){bytes.data, bytes.size}, NULL, &package, NULL), MLS_OK);
    assert_int_equal(mls_package_spec(package, NULL).size_bytes, sizeof spec_bytes);
    mls_package_release(package);
}

static void other_wrappers_are_no_package(void **state)
{
    (void)state;
    struct bytes bytes = whole(one_entry("TXT.rtf", file_node("{\\rtf1}")));
    struct mls_package *package;
    assert_int_equal(
        package_open_bytes("x", (struct mls_bytes){bytes.data, bytes.size}, NULL, &package, NULL),
        MLS_ERR_MANIFEST_MISSING);
}

static bool append(void *user, const void *bytes, size_t size_bytes)
{
    struct mls_bytes *out = user;
    memcpy((uint8_t *)(uintptr_t)out->data + out->size_bytes, bytes, size_bytes);
    out->size_bytes += size_bytes;
    return true;
}

static struct mls_bytes write_rtfd(const struct mls_package *package)
{
    struct rtfd_plan *plan;
    assert_int_equal(rtfd_plan_create(package, &plan, NULL), MLS_OK);
    uint8_t *data = malloc(rtfd_plan_bytes(plan));
    struct mls_bytes out = {data, 0};
    struct rtfd_sink sink = {.user = &out, .write = append};
    assert_true(rtfd_plan_write(plan, &sink));
    assert_int_equal(out.size_bytes, rtfd_plan_bytes(plan));
    rtfd_plan_free(plan);
    return out;
}

static void what_is_written_reads_the_same(void **state)
{
    (void)state;
    struct mls_package *package =
        open_expecting(write_package("m.mlpackage", GOOD_MANIFEST), NULL, MLS_OK, NULL);
    struct mls_bytes bytes = write_rtfd(package), again = write_rtfd(package);
    assert_int_equal(bytes.size_bytes, again.size_bytes);
    assert_memory_equal(bytes.data, again.data, bytes.size_bytes);
    write_file("flat", bytes.data, bytes.size_bytes);
    struct mls_package *flat = open_expecting(in_folder("flat"), NULL, MLS_OK, NULL);
    assert_int_equal(mls_package_info(flat)->form, MLS_FORM_FLAT_RTFD);
    assert_int_equal(mls_package_entry_count(flat), 3);
    struct mls_bytes weights;
    assert_int_equal(mls_package_blob(flat, "@model_path/weights/weight.bin", &weights, NULL, NULL), MLS_OK);
    assert_memory_equal(weights.data, weight_bytes(), WEIGHT_BYTES);
    size_t offset =
        (size_t)((const uint8_t *)memmem(bytes.data, bytes.size_bytes, weight_bytes(), 64) - bytes.data);
    assert_int_equal(offset % 16384, 0);
    mls_package_release(flat);
    mls_package_release(package);
    free((void *)(uintptr_t)bytes.data);
    free((void *)(uintptr_t)again.data);
}

static void unaligned_weights_get_an_aligned_copy(void **state)
{
    (void)state;
    struct bytes node = {.size = 0}, bytes;
    put_u32(&node, 1);
    put_sized(&node, spec_bytes, sizeof spec_bytes);
    struct bytes inner = folder_node("model.mlmodel", 13, node, "w", file_node("weights of odd place"));
    bytes = whole(
        folder_node("Manifest.json", 13,
                    file_node(MANIFEST("\"1.0.0\"", "{\"A\":" MANIFEST_ITEM("model.mlmodel") "}", "\"A\"")),
                    "Data", inner));
    struct mls_package *package;
    struct mls_bytes blob;
    assert_int_equal(
        package_open_bytes("x", (struct mls_bytes){bytes.data, bytes.size}, NULL, &package, NULL), MLS_OK);
    assert_int_equal(mls_package_blob(package, "@model_path/w", &blob, NULL, NULL), MLS_OK);
    assert_memory_equal(blob.data, "weights of odd place", 20);
    mls_package_release(package);
}

static void real_samples_are_taken_apart(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        size_t n_entries;
    } samples[] = {{"btt-1", 1}, {"btt-2", 1}, {"empty-directory-Test1", 0}, {"keyboard-maestro-1", 1}};
    for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++) {
        char path[512];
        struct bytes bytes;
        snprintf(path, sizeof path, "%s/samples/flat-rtfd/%s.rtfd.bin", MLS_SHARED, samples[i].name);
        FILE *file = fopen(path, "rb");
        if (!file)
            skip();
        bytes.size = fread(bytes.data, 1, sizeof bytes.data, file);
        fclose(file);
        struct mls_error error;
        struct mls_package *package = parse(&bytes, &error);
        if (!package)
            fail_msg("%s: %s", samples[i].name, error.text);
        assert_int_equal(mls_package_entry_count(package), samples[i].n_entries);
        mls_package_release(package);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(reads_nested_folders),
        TEST(padding_comes_from_the_file),
        TEST(broken_rules_are_named_with_their_place),
        TEST(deep_nesting_is_refused),
        TEST(a_wrapped_single_file_is_its_model),
        TEST(other_wrappers_are_no_package),
        TEST(what_is_written_reads_the_same),
        TEST(unaligned_weights_get_an_aligned_copy),
        TEST(real_samples_are_taken_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
