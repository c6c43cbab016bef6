/* A file that shrinks while it is mapped ends the program with a sentence, not with a signal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/interrupt.h"

enum { FILE_BYTES = 1 << 16 };

/* In a child: maps a file, cuts it, and reads what was there. */
static void read_what_is_gone(int error_output)
{
    char path[] = P_tmpdir "/mls-interrupt-XXXXXX";
    int fd = mkstemp(path);
    unlink(path);
    dup2(error_output, STDERR_FILENO);
    interrupt_install();
    if (fd < 0 || ftruncate(fd, FILE_BYTES))
        _exit(100);
    const volatile char *data = mmap(NULL, FILE_BYTES, PROT_READ, MAP_PRIVATE, fd, 0);
    if (data == MAP_FAILED || data[FILE_BYTES - 1] || ftruncate(fd, 1))
        _exit(101);
    _exit(data[FILE_BYTES - 1] ? 102 : 103);
}

static void a_file_that_shrinks_is_an_error(void **state)
{
    (void)state;
    int ends[2], status;
    char text[512] = "";
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (!child)
        read_what_is_gone(ends[1]);
    close(ends[1]);
    assert_true(read(ends[0], text, sizeof text - 1) > 0);
    close(ends[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 5);
    assert_non_null(strstr(text, "mlscope: cannot go on: a file of the model was cut short"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_file_that_shrinks_is_an_error)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
