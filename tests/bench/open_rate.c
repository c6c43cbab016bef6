/*
 * open_rate: how fast a sealed file opens, against libsodium's own decryption of the same bytes into fresh
 * memory. The two take turns.
 *
 *     open_rate SEALED KEYFILE [ROUNDS]        the key: 32 bytes as hex text
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "core/clock.h"
#include "core/package.h"

static unsigned char *read_file(const char *path, size_t *ret_size)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        exit(1);
    fseek(file, 0, SEEK_END);
    *ret_size = (size_t)ftell(file);
    rewind(file);
    unsigned char *bytes = malloc(*ret_size + 1);
    if (!bytes || fread(bytes, 1, *ret_size, file) != *ret_size)
        exit(1);
    fclose(file);
    bytes[*ret_size] = 0;
    return bytes;
}

static double open_ms(const char *path, const struct mls_key *key)
{
    struct mls_package_options options = {.key = key};
    struct mls_package *package;
    struct mls_error error;
    uint64_t begin = mls_clock_ns();
    if (mls_package_open(path, &options, &package, &error)) {
        fprintf(stderr, "%s\n", error.text);
        exit(1);
    }
    uint64_t end = mls_clock_ns();
    mls_package_release(package);
    return (double)(end - begin) * 1e-6;
}

static double decrypt_ms(const unsigned char *box, size_t size, const unsigned char *key)
{
    uint64_t begin = mls_clock_ns();
    unsigned char *plain = malloc(size);
    int refused = crypto_aead_aes256gcm_decrypt(plain, NULL, NULL, box + 12, size - 12, NULL, 0, box, key);
    uint64_t end = mls_clock_ns();
    free(plain);
    if (refused)
        exit(1);
    return (double)(end - begin) * 1e-6;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

int main(int argc, char **argv)
{
    if (argc < 3 || sodium_init() < 0)
        return 2;
    size_t rounds = argc > 3 ? strtoul(argv[3], NULL, 10) : 9, size, hex_size, key_size;
    unsigned char key_bytes[32];
    unsigned char *box = read_file(argv[1], &size), *hex = read_file(argv[2], &hex_size);
    sodium_hex2bin(key_bytes, sizeof key_bytes, (char *)hex, 64, NULL, &key_size, NULL);
    struct mls_key *key = NULL;
    if (mls_key_from_file(argv[2], &key, NULL))
        return 1;
    double *ours = calloc(rounds, sizeof *ours), *sodium = calloc(rounds, sizeof *sodium);
    for (size_t i = 0; i < rounds; i++) {
        ours[i] = open_ms(argv[1], key);
        sodium[i] = decrypt_ms(box, size, key_bytes);
    }
    qsort(ours, rounds, sizeof *ours, ascending);
    qsort(sodium, rounds, sizeof *sodium, ascending);
    double megabytes = (double)size * 1e-6, a = ours[rounds / 2], b = sodium[rounds / 2];
    printf("%.0f MB: open %.1f ms (%.2f GB/s), libsodium %.1f ms (%.2f GB/s), rate %.0f %% of libsodium's\n",
           megabytes, a, megabytes / a, b, megabytes / b, 100 * b / a);
    free(ours);
    free(sodium);
    free(box);
    free(hex);
    mls_key_free(key);
    return 0;
}
