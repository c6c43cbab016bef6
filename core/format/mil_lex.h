/* mil_lex.h: MIL text as tokens. A reader that fails once stays failed: tokens are MIL_END from then on. */
#pragma once

#include "base/arena.h"
#include "core/package.h"

enum mil_kind {
    MIL_END,
    MIL_NAME,   /* identifiers and keywords */
    MIL_NUMBER, /* also -inf and -nan */
    MIL_STRING, /* with its quotes and escapes */
    MIL_ARROW,  /* -> */
    MIL_DOTS,   /* ... */
    MIL_SIGN    /* one character of ()[]{}<>,=;? */
};

struct mil_token {
    enum mil_kind kind;
    const char *text; /* in the file; not NUL-terminated */
    size_t length_bytes;
};

struct mil_lexer {
    struct mls_bytes bytes;
    size_t at;              /* of what follows the token */
    struct mil_token token; /* the one looked at */
};

/* mil_lexer_begin: stands at the first token. */
struct mil_lexer mil_lexer_begin(struct mls_bytes bytes);
void mil_next(struct mil_lexer *lexer);

/* mil_is: whether the token is this sign. mil_is_word: whether it is this name. */
bool mil_is(const struct mil_lexer *lexer, char sign);
bool mil_is_word(const struct mil_lexer *lexer, const char *word);

/* mil_accept: goes past the sign if it is there. */
bool mil_accept(struct mil_lexer *lexer, char sign);

/* mil_expect: the same, or PROGRAM_INVALID with the line. */
enum mls_status mil_expect(struct mil_lexer *lexer, char sign, struct mls_error *reterr);
enum mls_status mil_expect_word(struct mil_lexer *lexer, const char *word, struct mls_error *reterr);
enum mls_status mil_expect_arrow(struct mil_lexer *lexer, struct mls_error *reterr);

/* mil_wrong: PROGRAM_INVALID: `expected` and what was found, with line and byte. */
enum mls_status mil_wrong(const struct mil_lexer *lexer, const char *expected, struct mls_error *reterr);

/* mil_take_name: an identifier, or a string where a name holds other characters; a copy in the arena. */
enum mls_status mil_take_name(struct mil_lexer *lexer, struct mls_arena *arena, const char **ret_name,
                              struct mls_error *reterr);

/* mil_take_string: a string's content, escapes undone; NUL-terminated in the arena. */
enum mls_status mil_take_string(struct mil_lexer *lexer, struct mls_arena *arena, const char **ret_text,
                                size_t *ret_length_bytes, struct mls_error *reterr);

/* mil_take_integer: a decimal number from `low` to `high`. */
enum mls_status mil_take_integer(struct mil_lexer *lexer, int64_t low, int64_t high, int64_t *ret_value,
                                 struct mls_error *reterr);

/* mil_skip: goes past everything up to the first `a` or `b` outside of brackets that began here; never past
 * the end. */
enum mls_status mil_skip(struct mil_lexer *lexer, char a, char b, struct mls_error *reterr);
