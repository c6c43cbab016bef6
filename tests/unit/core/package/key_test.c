#include "support.h"

#include "package/key.h"

/* 0, 1, 2 … as text in the forms that a key may come in. */
#define HEX16 "000102030405060708090a0b0c0d0e0f"
#define HEX32 HEX16 "101112131415161718191a1b1c1d1e1f"
#define BASE64_16 "AAECAwQFBgcICQoLDA0ODw=="
#define BASE64_32 "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="

static void expect_key(const char *text, size_t length, size_t size_bytes)
{
    struct mls_key *key;
    struct mls_error error;
    if (mls_key_parse(text, length, &key, &error))
        fail_msg("\"%s\": %s", text, error.text);
    assert_int_equal(mls_key_size(key), size_bytes);
    for (size_t i = 0; i < size_bytes; i++)
        assert_int_equal(key_bytes(key)[i], i);
    mls_key_free(key);
}

static void reads_every_form(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t size_bytes;
    } rows[] = {
        {HEX16, 16},
        {HEX32, 32},
        {HEX16 "1011121314151617", 24},
        {"  \n" HEX32 "\r\n", 32},
        {"000102030405060708090A0B0C0D0E0F\n", 16},
        {BASE64_16, 16},
        {BASE64_32 "\n", 32},
        {"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8", 32},
        {"AAECAwQFBgcICQoLDA0ODxAREhMUFRYX\n", 24},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        expect_key(rows[i].text, strlen(rows[i].text), rows[i].size_bytes);
    char raw[32];
    for (size_t i = 0; i < 32; i++)
        raw[i] = (char)i;
    expect_key(raw, 32, 32);
    expect_key(raw, 24, 24);
    expect_key(raw, 16, 16);
}

static void raw_bytes_of_a_keys_size_win(void **state)
{
    (void)state;
    struct mls_key *key;
    assert_int_equal(mls_key_parse("a raw key of text, thirty-two by", 32, &key, NULL), MLS_OK);
    assert_int_equal(mls_key_size(key), 32);
    mls_key_free(key);
}

static void other_sizes_are_refused_with_their_length(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "", "\n", "short", "0001020304", HEX32 "00", "AAECAwQFBgcICQoLDA==", "not a key, but a sentence"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct mls_key *key = NULL;
        struct mls_error error;
        assert_int_equal(mls_key_parse(wrong[i], strlen(wrong[i]), &key, &error), MLS_ERR_KEY_INVALID);
        assert_null(key);
        if (i > 1)
            assert_null(strstr(error.text, wrong[i]));
    }
    struct mls_error error;
    struct mls_key *key;
    mls_key_parse("0001020304", 10, &key, &error);
    assert_non_null(strstr(error.text, "10 bytes of hex text"));
}

static void hex_of_a_key_reads_back(void **state)
{
    (void)state;
    struct mls_key *key = make_key(24), *again;
    char hex[2 * MLS_KEY_BYTES_MAX + 1];
    mls_key_write_hex(key, hex);
    assert_int_equal(strlen(hex), 48);
    assert_int_equal(mls_key_parse(hex, 48, &again, NULL), MLS_OK);
    assert_memory_equal(key_bytes(key), key_bytes(again), 24);
    mls_key_free(key);
    mls_key_free(again);
    assert_int_equal(mls_key_generate(20, &key, NULL), MLS_ERR_KEY_INVALID);
}

static void reads_files_variables_and_descriptors(void **state)
{
    (void)state;
    struct mls_key *key;
    struct mls_error error;
    write_text("key", HEX16 "\n");
    assert_int_equal(mls_key_from_file(in_folder("key"), &key, NULL), MLS_OK);
    mls_key_free(key);
    int fd = open(in_folder("key"), O_RDONLY);
    assert_int_equal(mls_key_from_fd(fd, &key, NULL), MLS_OK);
    mls_key_free(key);
    close(fd);
    assert_int_equal(mls_key_from_fd(fd, &key, NULL), MLS_ERR_IO);
    assert_int_equal(mls_key_from_file(in_folder("none"), &key, NULL), MLS_ERR_NOT_FOUND);
    assert_int_equal(mls_key_from_file(folder, &key, NULL), MLS_ERR_IO);
    static const char large[5000];
    write_file("large", large, sizeof large);
    assert_int_equal(mls_key_from_file(in_folder("large"), &key, NULL), MLS_ERR_KEY_INVALID);
    setenv("MLS_TEST_KEY", BASE64_16, 1);
    assert_int_equal(mls_key_from_env("MLS_TEST_KEY", &key, NULL), MLS_OK);
    assert_int_equal(mls_key_size(key), 16);
    mls_key_free(key);
    unsetenv("MLS_TEST_KEY");
    assert_int_equal(mls_key_from_env("MLS_TEST_KEY", &key, &error), MLS_ERR_KEY_MISSING);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(reads_every_form),
        TEST(raw_bytes_of_a_keys_size_win),
        TEST(other_sizes_are_refused_with_their_length),
        TEST(hex_of_a_key_reads_back),
        TEST(reads_files_variables_and_descriptors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
