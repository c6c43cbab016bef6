#include <string.h>

#include "term/style.h"

static const struct {
    int colors[MLS_THEME_COUNT];
    const char *attributes;
    const char *mono;
} looks[MLS_STYLE_COUNT] = {
#define X(id, dark, light, many, safe, rgb, attributes, mono) \
    [MLS_STYLE_##id] = {{dark, dark, light, many, rgb, safe, -1}, attributes, mono},
    MLS_STYLE_LIST(X)
#undef X
};

static const char *const names[] = {
#define X(id, name) [MLS_THEME_##id] = name,
    MLS_THEME_LIST(X)
#undef X
};

const char *mls_theme_name(enum mls_theme theme)
{
    return names[theme];
}

bool mls_theme_parse(const char *name, enum mls_theme *ret_theme)
{
    for (unsigned i = 0; i < MLS_THEME_COUNT; i++)
        if (strcmp(names[i], name) == 0) {
            *ret_theme = (enum mls_theme)i;
            return true;
        }
    return false;
}

struct mls_look mls_theme_look(enum mls_theme theme, enum mls_style style)
{
    return (struct mls_look){.color = looks[style].colors[theme],
                             .attributes =
                                 theme == MLS_THEME_MONO ? looks[style].mono : looks[style].attributes};
}
