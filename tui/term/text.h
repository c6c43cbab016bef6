/* text.h: characters that come from models, made safe and measured in columns of the screen. */
#pragma once

#include <stdint.h>

/* What stands for a byte or character that must not reach the terminal. */
#define MLS_CHAR_REPLACEMENT ((uint32_t)'?')

/*
 * mls_text_next: the character at *at, and steps over it; 0 at the end. Bytes that are no UTF-8, control
 * characters and characters that turn the writing direction become '?'. Never reads past the NUL.
 */
uint32_t mls_text_next(const char **at);

/* mls_char_columns: 0, 1 or 2 columns; 1 for what the locale does not know. */
unsigned mls_char_columns(uint32_t character);

/* mls_text_columns: columns of the whole text. */
unsigned mls_text_columns(const char *text);

/* mls_char_encode: UTF-8 of a character into out[4]; returns its bytes. */
unsigned mls_char_encode(uint32_t character, char ret_bytes[4]);

/*
 * mls_char_ascii: what stands for a character where only ASCII may be used: our own glyphs have a look-alike,
 * all others become '?'.
 */
uint32_t mls_char_ascii(uint32_t character);
