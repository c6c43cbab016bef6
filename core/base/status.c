#include "core/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

static const struct {
    const char *name;
    const char *text;
    int exit_code;
} statuses[MLS_STATUS_COUNT] = {
#define X(id, exit, sentence) [MLS_ERR_##id] = {.name = #id, .text = sentence, .exit_code = exit},
    MLS_STATUS_LIST(X)
#undef X
};

static enum mls_status known(enum mls_status status)
{
    return (unsigned)status < MLS_STATUS_COUNT ? status : MLS_ERR_INTERNAL;
}

const char *mls_status_text(enum mls_status status)
{
    return statuses[known(status)].text;
}

const char *mls_status_name(enum mls_status status)
{
    return statuses[known(status)].name;
}

int mls_status_exit_code(enum mls_status status)
{
    return statuses[known(status)].exit_code;
}

static const char *const causes[MLS_CAUSE_COUNT] = {
#define X(id) [MLS_CAUSE_##id] = #id,
    MLS_CAUSE_LIST(X)
#undef X
};

const char *mls_cause_name(enum mls_cause cause)
{
    return causes[(unsigned)cause < MLS_CAUSE_COUNT ? cause : MLS_CAUSE_NONE];
}

__attribute__((format(printf, 4, 0))) static enum mls_status fail(struct mls_error *reterr, enum mls_status status,
                                                                  enum mls_cause cause, const char *format,
                                                                  va_list arguments)
{
    if (!reterr)
        return status;
    *reterr = (struct mls_error){.status = status, .cause = cause, .byte_offset = -1};
    vsnprintf(reterr->text, sizeof reterr->text, format, arguments);
    mls_text_clean(reterr->text);
    return status;
}

enum mls_status mls_fail(struct mls_error *reterr, enum mls_status status, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fail(reterr, status, MLS_CAUSE_NONE, format, arguments);
    va_end(arguments);
    return status;
}

enum mls_status mls_fail_because(struct mls_error *reterr, enum mls_status status, enum mls_cause cause,
                                 const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fail(reterr, status, cause, format, arguments);
    va_end(arguments);
    return status;
}

void mls_error_hint(struct mls_error *error, const char *format, ...)
{
    if (!error)
        return;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(error->hint, sizeof error->hint, format, arguments);
    va_end(arguments);
    mls_text_clean(error->hint);
}

static void set_name(char *field, const char *name)
{
    snprintf(field, MLS_ERROR_NAME_BYTES, "%s", name);
    mls_text_clean(field);
}

void mls_error_at(struct mls_error *error, const char *file, int64_t byte_offset)
{
    if (!error)
        return;
    if (file)
        set_name(error->file, file);
    error->byte_offset = byte_offset;
}

void mls_error_operation(struct mls_error *error, const char *function, const char *operation)
{
    if (!error)
        return;
    if (function)
        set_name(error->function, function);
    if (operation)
        set_name(error->operation, operation);
}

void mls_error_within(struct mls_error *error, const char *function, const char *type, const char *operation)
{
    if (!error)
        return;
    mls_error_operation(error, function, operation);
    size_t length = strlen(error->text);
    char *end = error->text + length;
    if (operation[0])
        snprintf(end, sizeof error->text - length, " (%s '%s' of function '%s')", type, operation, function);
    else
        snprintf(end, sizeof error->text - length, " (function '%s')", function);
    mls_text_clean(error->text);
}
