#!/bin/bash
# What is installed is enough to build a program against the library, with every public header, by pkg-config.
set -u
[ -e "$MLS_BUILD/libmlscope.so" ] || { echo "skipped: this build has no shared library"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cmake --install "$MLS_BUILD" --prefix "$work/usr" >/dev/null || exit 1
pc=$(find "$work" -name mlscope.pc)
sed -i "s|^prefix=.*|prefix=$work/usr|" "$pc"
export PKG_CONFIG_PATH=$(dirname "$pc")
{
    (cd "$work/usr/include/mlscope" && find . -name '*.h' | sed 's|^\./\(.*\)|#include <\1>|')
    cat <<'EOT'
#include <stdio.h>
int main(void)
{
    struct mls_error error;
    struct mls_package *package;
    struct mls_package_options options = {0};
    enum mls_status status = mls_package_open("/nonexistent.mlpackage", &options, &package, &error);
    puts(mls_status_name(status));
    return status != MLS_ERR_NOT_FOUND;
}
EOT
} >"$work/app.c"
# shellcheck disable=SC2046 # flags are meant to be split
"${CC:-cc}" -std=c17 -Wall -Wextra -Wpedantic -Werror "$work/app.c" $(pkg-config --cflags --libs mlscope) -o "$work/app" || exit 1
LD_LIBRARY_PATH=$(dirname "$(find "$work" -name libmlscope.so)") "$work/app" || exit 1
"$work/usr/bin/mlscope" --version
