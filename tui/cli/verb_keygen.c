#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/cli.h"
#include "core/package.h"

enum { HEX_BYTES = 2 * MLS_KEY_BYTES_MAX + 2 };

static bool write_all(int fd, const char *text, size_t length)
{
    while (length) {
        ssize_t n = write(fd, text, length);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        text += n;
        length -= (size_t)n;
    }
    return true;
}

/* Written at once and without buffered copies; a file that came out short is removed. */
static enum mls_status write_key(const char *path, bool force, const char *hex, struct mls_error *reterr)
{
    int fd = STDOUT_FILENO;
    if (path) {
        /* O_EXCL also keeps the key out of files and links that somebody else laid there. */
        if (force)
            unlink(path);
        fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    }
    if (fd < 0 && errno == EEXIST) {
        mls_fail(reterr, MLS_ERR_USAGE, "cannot write the key to %s: the file exists", path);
        mls_error_hint(
            reterr, "give another name; --force overwrites it, and what it sealed cannot be opened any more");
        return MLS_ERR_USAGE;
    }
    bool ok = fd >= 0 && write_all(fd, hex, strlen(hex));
    int why = errno;
    if (path && fd >= 0 && close(fd) && ok) {
        ok = false;
        why = errno;
    }
    if (ok)
        return MLS_OK;
    if (path && fd >= 0)
        unlink(path);
    return mls_fail(reterr, MLS_ERR_OUTPUT, "cannot write the key to %s: %s", path ? path : "standard output",
                    strerror(why));
}

static enum mls_status keygen(const struct arguments *arguments, struct mls_error *reterr)
{
    uint64_t bytes = 32;
    enum mls_status status = arguments_count(arguments, OPTION_BYTES, 1, 1024, &bytes, reterr);
    struct mls_key *key;
    if (!status)
        status = mls_key_generate((size_t)bytes, &key, reterr);
    if (status)
        return status == MLS_ERR_KEY_INVALID ? mls_fail(reterr, MLS_ERR_USAGE, "a key has 32, 24 or 16 bytes")
                                             : status;
    char hex[HEX_BYTES];
    mls_key_write_hex(key, hex);
    strcat(hex, "\n");
    mls_key_free(key);
    status = write_key(arguments_text(arguments, OPTION_OUTPUT), arguments_has(arguments, OPTION_FORCE), hex,
                       reterr);
    explicit_bzero(hex, sizeof hex);
    return status;
}

int verb_keygen(const struct arguments *arguments, struct console *console)
{
    struct mls_error error;
    if (keygen(arguments, &error))
        return console_error(&error);
    const char *path = arguments_text(arguments, OPTION_OUTPUT);
    if (path && !console->quiet)
        console_printf(console, "wrote %s: keep it, nothing else opens what it seals\n", path);
    return 0;
}
