/* Files are whole or absent; what is no regular file is written in place, and links are followed. */
#include "support/test.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/partial.h"

static char folder[64];

static const char *in_folder(const char *name)
{
    static char paths[4][128];
    static unsigned next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

static int make_folder(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "%s/mls-partial-XXXXXX", P_tmpdir);
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    static const char *const names[] = {"file", "link", "pipe"};
    for (size_t i = 0; i < 3; i++)
        remove(in_folder(names[i]));
    return rmdir(folder); /* fails when anything else is left */
}

static void write_all(const char *name, const char *text, bool keep)
{
    struct mls_partial partial;
    assert_int_equal(mls_partial_open(in_folder(name), 0600, &partial, NULL), MLS_OK);
    assert_int_equal(write(partial.fd, text, strlen(text)), strlen(text));
    assert_int_equal(mls_partial_close(&partial, keep, NULL), MLS_OK);
}

static void expect_content(const char *name, const char *text)
{
    char found[64] = "";
    FILE *file = fopen(in_folder(name), "re");
    assert_non_null(file);
    assert_int_equal(fread(found, 1, sizeof found - 1, file), strlen(text));
    fclose(file);
    assert_string_equal(found, text);
}

static void a_file_takes_its_place_when_it_is_whole(void **state)
{
    (void)state;
    write_all("file", "old", true);
    struct mls_partial partial;
    assert_int_equal(mls_partial_open(in_folder("file"), 0600, &partial, NULL), MLS_OK);
    assert_int_equal(write(partial.fd, "new", 3), 3);
    expect_content("file", "old");
    assert_int_equal(mls_partial_close(&partial, true, NULL), MLS_OK);
    expect_content("file", "new");
}

static void a_file_that_is_not_kept_leaves_nothing(void **state)
{
    (void)state;
    write_all("file", "old", true);
    write_all("file", "new", false);
    expect_content("file", "old");
}

static void a_link_stays_a_link(void **state)
{
    (void)state;
    struct stat about;
    write_all("file", "old", true);
    assert_int_equal(symlink("file", in_folder("link")), 0);
    write_all("link", "new", true);
    assert_int_equal(lstat(in_folder("link"), &about), 0);
    assert_true(S_ISLNK(about.st_mode));
    expect_content("file", "new");
}

/* As /dev/null and /dev/stdout are: root must not lose them. */
static void a_pipe_is_written_and_stays(void **state)
{
    (void)state;
    char found[4] = "";
    struct stat about;
    assert_int_equal(mkfifo(in_folder("pipe"), 0600), 0);
    int reader = open(in_folder("pipe"), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    assert_true(reader >= 0);
    write_all("pipe", "new", true);
    assert_int_equal(read(reader, found, 3), 3);
    close(reader);
    assert_string_equal(found, "new");
    assert_int_equal(lstat(in_folder("pipe"), &about), 0);
    assert_true(S_ISFIFO(about.st_mode));
}

static void what_cannot_be_written_says_why(void **state)
{
    (void)state;
    struct mls_partial partial;
    struct mls_error error;
    assert_int_equal(mls_partial_open(folder, 0600, &partial, &error), MLS_ERR_OUTPUT);
    assert_non_null(strstr(error.text, "Is a directory"));
    assert_int_equal(mls_partial_open(in_folder("no/file"), 0600, &partial, &error), MLS_ERR_OUTPUT);
    assert_non_null(strstr(error.text, "No such file"));
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, make_folder, remove_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_file_takes_its_place_when_it_is_whole), TEST(a_file_that_is_not_kept_leaves_nothing),
        TEST(a_link_stays_a_link),                     TEST(a_pipe_is_written_and_stays),
        TEST(what_cannot_be_written_says_why),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
