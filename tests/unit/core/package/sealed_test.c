#include "support.h"

#include <sys/prctl.h>

#include "package/form.h"
#include "package/gcm.h"

static struct mls_bytes read_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    static uint8_t bytes[1 << 18];
    size_t size_bytes = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    return (struct mls_bytes){bytes, size_bytes};
}

static const char *seal_package(const struct mls_key *key, const char *name)
{
    struct mls_package *package =
        open_expecting(write_package("m.mlpackage", GOOD_MANIFEST), NULL, MLS_OK, NULL);
    assert_int_equal(mls_package_seal(package, key, in_folder(name), NULL), MLS_OK);
    mls_package_release(package);
    return in_folder(name);
}

/* A box made here from content of the test's own. */
static void write_box(const char *name, const struct mls_key *key, const void *content, size_t size_bytes)
{
    uint8_t box[512];
    assert_true(size_bytes + GCM_OVERHEAD_BYTES <= sizeof box);
    struct gcm_stream *stream = gcm_seal_begin(key, box);
    assert_non_null(stream);
    assert_true(gcm_stream_update(stream, content, size_bytes, box + GCM_NONCE_BYTES));
    assert_true(gcm_seal_end(stream, box + GCM_NONCE_BYTES + size_bytes));
    gcm_stream_free(stream);
    write_file(name, box, size_bytes + GCM_OVERHEAD_BYTES);
}

static void what_is_sealed_opens_the_same(void **state)
{
    (void)state;
    static const size_t sizes[] = {32, 24, 16};
    for (size_t i = 0; i < 3; i++) {
        struct mls_key *key = make_key(sizes[i]);
        struct mls_package *package = open_expecting(seal_package(key, "sealed"), key, MLS_OK, NULL);
        struct mls_package *original = open_expecting(in_folder("m.mlpackage"), NULL, MLS_OK, NULL);
        assert_int_equal(mls_package_entry_count(package), mls_package_entry_count(original));
        for (size_t j = 0; j < mls_package_entry_count(package); j++) {
            struct mls_package_entry a = mls_package_entry_at(package, j),
                                     b = mls_package_entry_at(original, j);
            assert_string_equal(a.path, b.path);
            assert_int_equal(a.bytes.size_bytes, b.bytes.size_bytes);
            assert_memory_equal(a.bytes.data, b.bytes.data, a.bytes.size_bytes);
        }
        const struct mls_package_info *info = mls_package_info(package);
        assert_true(info->sealed);
        assert_int_equal(info->form, MLS_FORM_FLAT_RTFD);
        assert_int_equal(info->decrypted_bytes + 28, info->file_bytes);
        assert_true(info->memory_locked == (info->lock_message[0] == '\0'));
        char cipher[32];
        snprintf(cipher, sizeof cipher, "AES-%zu-GCM (lib", sizes[i] * 8);
        assert_non_null(strstr(info->cipher, cipher));
        mls_package_release(package);
        mls_package_release(original);
        mls_key_free(key);
    }
}

static void weights_lie_aligned(void **state)
{
    (void)state;
    struct mls_key *key = make_key(32);
    struct mls_package *package = open_expecting(seal_package(key, "sealed"), key, MLS_OK, NULL);
    struct mls_bytes bytes;
    assert_int_equal(mls_package_blob(package, "@model_path/weights/weight.bin", &bytes, NULL, NULL), MLS_OK);
    assert_int_equal((uintptr_t)bytes.data % 64, 0);
    mls_package_release(package);
    mls_key_free(key);
}

static void small_weights_are_moved_into_place(void **state)
{
    (void)state;
    struct mls_key *key = make_key(16);
    write_package("m.mlpackage", GOOD_MANIFEST);
    write_file("m.mlpackage/" WEIGHT_PATH, weight_bytes(), 1000);
    struct mls_package *package = open_expecting(in_folder("m.mlpackage"), NULL, MLS_OK, NULL);
    assert_int_equal(mls_package_seal(package, key, in_folder("sealed"), NULL), MLS_OK);
    mls_package_release(package);
    package = open_expecting(in_folder("sealed"), key, MLS_OK, NULL);
    struct mls_bytes bytes;
    assert_int_equal(mls_package_blob(package, "@model_path/weights/weight.bin", &bytes, NULL, NULL), MLS_OK);
    assert_int_equal((uintptr_t)bytes.data % 64, 0);
    assert_memory_equal(bytes.data, weight_bytes(), 1000);
    mls_package_release(package);
    mls_key_free(key);
}

/* A nonce is random: with a key, whatever the file begins with, the tag decides. */
static void any_first_byte_is_taken_as_sealed_when_there_is_a_key(void **state)
{
    (void)state;
    struct mls_key *key = make_key(32);
    struct mls_package_options options = {.key = key};
    uint8_t box[96];
    for (unsigned first = 0; first < 256; first++) {
        for (size_t i = 0; i < sizeof box; i++)
            box[i] = (uint8_t)(first + i * 37);
        struct mls_package *package = NULL;
        assert_int_equal(
            package_open_bytes("box", (struct mls_bytes){box, sizeof box}, &options, &package, NULL),
            MLS_ERR_SEAL_REJECTED);
    }
    mls_key_free(key);
}

static void no_key_wrong_key_and_cut_file_differ(void **state)
{
    (void)state;
    struct mls_error error;
    struct mls_key *key = make_key(32), *other = make_key(32);
    const char *path = seal_package(key, "sealed");
    open_expecting(path, NULL, MLS_ERR_KEY_MISSING, &error);
    assert_non_null(strstr(error.hint, "--key-file"));
    open_expecting(path, other, MLS_ERR_SEAL_REJECTED, &error);
    assert_non_null(strstr(error.text, "tag does not match"));
    assert_int_equal(truncate(path, 20), 0);
    open_expecting(path, key, MLS_ERR_SEAL_TRUNCATED, &error);
    assert_non_null(strstr(error.text, "20 bytes"));
    mls_key_free(key);
    mls_key_free(other);
}

static void every_changed_byte_is_noticed(void **state)
{
    (void)state;
    static const uint8_t content[] = {0x08, 0x07, 0x12, 0x00};
    static const size_t sizes[] = {32, 16};
    for (size_t k = 0; k < 2; k++) {
        struct mls_key *key = make_key(sizes[k]);
        write_box("box", key, content, sizeof content);
        mls_package_release(open_expecting(in_folder("box"), key, MLS_OK, NULL));
        uint8_t box[64];
        struct mls_bytes file = read_file(in_folder("box"));
        for (size_t i = 0; i < file.size_bytes; i++) {
            memcpy(box, file.data, file.size_bytes);
            box[i] ^= 0x10;
            struct mls_package_options options = {.key = key};
            struct mls_package *package = NULL;
            assert_int_equal(
                package_open_bytes("box", (struct mls_bytes){box, file.size_bytes}, &options, &package, NULL),
                MLS_ERR_SEAL_REJECTED);
        }
        mls_key_free(key);
    }
}

/* GCM test cases 1, 2, 13, 14: keys and nonces of zeros. A good tag is seen by what is said about the
 * content. */
static void published_vectors_authenticate(void **state)
{
    (void)state;
    static const struct {
        size_t key_bytes;
        size_t size_bytes;
        const char *rest; /* after the nonce of 12 zeros */
    } rows[] = {
        {16, 28, "\x58\xe2\xfc\xce\xfa\x7e\x30\x61\x36\x7f\x1d\x57\xa4\xe7\x45\x5a"},
        {16, 44,
         "\x03\x88\xda\xce\x60\xb6\xa3\x92\xf3\x28\xc2\xb9\x71\xb2\xfe\x78"
         "\xab\x6e\x47\xd4\x2c\xec\x13\xbd\xf5\x3a\x67\xb2\x12\x57\xbd\xdf"},
        {32, 28, "\x53\x0f\x8a\xfb\xc7\x45\x36\xb9\xa9\x63\xb4\xf1\xc4\xcb\x73\x8b"},
        {32, 44,
         "\xce\xa7\x40\x3d\x4d\x60\x6b\x6e\x07\x4e\xc5\xd3\xba\xf3\x9d\x18"
         "\xd0\xd1\xc8\xa7\x99\x99\x6b\xf0\x26\x5b\x98\xb5\xd4\x8a\xb9\x19"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint8_t zeros[32] = {0}, box[44] = {0};
        struct mls_key *key;
        assert_int_equal(mls_key_parse(zeros, rows[i].key_bytes, &key, NULL), MLS_OK);
        memcpy(box + 12, rows[i].rest, rows[i].size_bytes - 12);
        struct mls_package_options options = {.key = key};
        struct mls_package *package = NULL;
        assert_int_equal(
            package_open_bytes("v", (struct mls_bytes){box, rows[i].size_bytes}, &options, &package, NULL),
            MLS_ERR_SEAL_CONTENT);
        mls_key_free(key);
    }
}

static void sealed_content_of_other_kinds_is_named(void **state)
{
    (void)state;
    struct mls_key *key = make_key(32);
    write_box("zip", key, "PK\3\4aaaa", 8);
    open_expecting(in_folder("zip"), key, MLS_ERR_PACKAGE_UNKNOWN, NULL);
    write_box("text", key, "just a text", 11);
    open_expecting(in_folder("text"), key, MLS_ERR_SEAL_CONTENT, NULL);
    write_box("spec", key, spec_bytes, sizeof spec_bytes);
    struct mls_package *package = open_expecting(in_folder("spec"), key, MLS_OK, NULL);
    assert_int_equal(mls_package_info(package)->form, MLS_FORM_MLMODEL);
    assert_true(mls_package_info(package)->sealed);
    mls_package_release(package);
    mls_key_free(key);
}

static void process_is_not_dumpable_while_open(void **state)
{
    (void)state;
    struct mls_key *key = make_key(32), *other = make_key(32);
    const char *path = seal_package(key, "sealed");
    int before = prctl(PR_GET_DUMPABLE);
    struct mls_package *first = open_expecting(path, key, MLS_OK, NULL);
    struct mls_package *second = open_expecting(path, key, MLS_OK, NULL);
    assert_int_equal(prctl(PR_GET_DUMPABLE), 0);
    mls_package_release(first);
    assert_int_equal(prctl(PR_GET_DUMPABLE), 0);
    mls_package_release(second);
    assert_int_equal(prctl(PR_GET_DUMPABLE), before);
    open_expecting(path, other, MLS_ERR_SEAL_REJECTED, NULL);
    assert_int_equal(prctl(PR_GET_DUMPABLE), before);
    mls_key_free(key);
    mls_key_free(other);
}

static bool file_holds(const char *path, const void *bytes, size_t size_bytes)
{
    struct mls_bytes file = read_file(path);
    return memmem(file.data, file.size_bytes, bytes, size_bytes) != NULL;
}

static void sealed_file_shows_nothing(void **state)
{
    (void)state;
    struct mls_key *key = make_key(32);
    const char *path = seal_package(key, "sealed");
    assert_false(file_holds(path, "Manifest", 8));
    assert_false(file_holds(path, "rtfd", 4));
    assert_false(file_holds(path, weight_bytes() + 100, 8));
    struct stat about;
    assert_int_equal(stat(path, &about), 0);
    assert_int_equal(about.st_mode & 0777, 0600);
    mls_key_free(key);
}

static void failed_seal_leaves_nothing(void **state)
{
    (void)state;
    struct mls_key *key = make_key(32);
    struct mls_package *package =
        open_expecting(write_package("m.mlpackage", GOOD_MANIFEST), NULL, MLS_OK, NULL);
    struct mls_error error;
    assert_int_equal(mls_package_seal(package, key, in_folder("no/such/folder"), &error), MLS_ERR_OUTPUT);
    write_text("taken/file", "x");
    assert_int_equal(mls_package_seal(package, key, in_folder("taken"), &error), MLS_ERR_OUTPUT);
    mls_package_release(package);
    mls_key_free(key);
    assert_int_equal(unlink(in_folder("taken/file")), 0);
    assert_int_equal(rmdir(in_folder("taken")), 0);
    remove_folder(NULL);
    assert_int_equal(mkdir(folder, 0700), 0);
}

struct seen {
    uint64_t last;
    int calls;
    int stop_after;
};

static bool watch(void *user, enum mls_stage stage, uint64_t done, uint64_t total)
{
    struct seen *seen = user;
    if (stage != MLS_STAGE_DECRYPT)
        return true;
    assert_true(done <= total && done >= seen->last);
    seen->last = done;
    return ++seen->calls != seen->stop_after;
}

static void decryption_reports_bytes_and_can_be_cancelled(void **state)
{
    (void)state;
    enum { LARGE_BYTES = 20 << 20 };
    struct mls_key *key = make_key(32);
    write_package("m.mlpackage", GOOD_MANIFEST);
    assert_int_equal(truncate(in_folder("m.mlpackage/" WEIGHT_PATH), LARGE_BYTES), 0);
    struct mls_package *package = open_expecting(in_folder("m.mlpackage"), NULL, MLS_OK, NULL);
    assert_int_equal(mls_package_seal(package, key, in_folder("sealed"), NULL), MLS_OK);
    mls_package_release(package);
    struct seen seen = {0};
    struct mls_progress progress = {.user = &seen, .at = watch};
    struct mls_package_options options = {.key = key, .progress = &progress};
    assert_int_equal(mls_package_open(in_folder("sealed"), &options, &package, NULL), MLS_OK);
    assert_int_equal(seen.last, mls_package_info(package)->decrypted_bytes);
    assert_true(seen.calls >= 6);
    mls_package_release(package);
    seen = (struct seen){.stop_after = 3};
    assert_int_equal(mls_package_open(in_folder("sealed"), &options, &package, NULL), MLS_ERR_CANCELLED);
    assert_int_equal(seen.calls, 3);
    mls_key_free(key);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_sealed_opens_the_same),
        TEST(weights_lie_aligned),
        TEST(small_weights_are_moved_into_place),
        TEST(any_first_byte_is_taken_as_sealed_when_there_is_a_key),
        TEST(no_key_wrong_key_and_cut_file_differ),
        TEST(every_changed_byte_is_noticed),
        TEST(published_vectors_authenticate),
        TEST(sealed_content_of_other_kinds_is_named),
        TEST(process_is_not_dumpable_while_open),
        TEST(sealed_file_shows_nothing),
        TEST(failed_seal_leaves_nothing),
        TEST(decryption_reports_bytes_and_can_be_cancelled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
