/* text.h: small things about text that comes from strangers. */
#pragma once

/*
 * mls_text_clean: makes a NUL-terminated text safe to print, in place: control characters and bytes that are
 * no valid UTF-8 become '?', and a character that was cut at the end is dropped.
 */
void mls_text_clean(char *text);
