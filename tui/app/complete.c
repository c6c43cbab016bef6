#include "app/complete.h"

#include <stdio.h>
#include <string.h>

#include "app/setting.h"

/* Words that begin like the one that is typed: how far they agree, and a list of them. */
struct matches {
    const char *typed;
    size_t length;
    char common[MLS_PROMPT_BYTES];
    char list[MLS_MESSAGE_BYTES];
    unsigned n;
};

static void offer(struct matches *matches, const char *word, size_t word_length)
{
    if (word_length < matches->length || strncmp(word, matches->typed, matches->length) != 0)
        return;
    if (matches->n++ == 0) {
        snprintf(matches->common, sizeof matches->common, "%.*s", (int)word_length, word);
    } else {
        size_t same = 0;
        while (same < word_length && matches->common[same] && matches->common[same] == word[same])
            same++;
        matches->common[same] = '\0';
    }
    size_t used = strlen(matches->list);
    snprintf(matches->list + used, sizeof matches->list - used, "%s%.*s", used ? "  " : "", (int)word_length,
             word);
}

static void offer_text(struct matches *matches, const char *word)
{
    offer(matches, word, strlen(word));
}

static void offer_commands(struct matches *matches)
{
    for (size_t i = 0; mls_command_name(i); i++)
        offer_text(matches, mls_command_name(i));
    for (unsigned i = 0; i < MLS_REQUEST_COUNT; i++) {
        bool command = false;
        for (size_t k = 0; mls_command_name(k); k++)
            command =
                command || strcmp(mls_command_name(k), mls_request_info((enum mls_request)i)->name) == 0;
        if (!command)
            offer_text(matches, mls_request_info((enum mls_request)i)->name);
    }
}

/* Names of settings; past the '=', the words that a setting takes. */
static void offer_settings(struct matches *matches, const char *name, const char *value)
{
    for (size_t i = 0; i < mls_setting_count(); i++) {
        const struct mls_setting_row *row = mls_setting_at(i);
        if (!value) {
            offer_text(matches, row->name);
            continue;
        }
        if (strncmp(row->name, name, (size_t)(value - name - 1)) != 0 || row->name[value - name - 1])
            continue;
        for (const char *word = row->values; *word;) {
            size_t length = strcspn(word, ", ");
            offer(matches, word, length);
            word += length;
            word += strspn(word, ", ");
        }
    }
}

static void offer_columns(const struct mls_state *state, struct matches *matches)
{
    struct mls_rows rows = mls_view_rows(&state->views[state->current]);
    for (unsigned i = 0; i < rows.n_columns; i++)
        offer_text(matches, rows.columns[i].key);
}

static void offer_steps(const struct mls_state *state, struct matches *matches)
{
    for (size_t i = 0; i < state->snapshot->n_steps; i++)
        offer_text(matches, mls_snapshot_step(state->snapshot, i)->name);
}

void mls_complete(struct mls_state *state)
{
    char line[MLS_PROMPT_BYTES];
    snprintf(line, sizeof line, "%s", state->prompt.text);
    const char *word = strrchr(line, ' ');
    word = word ? word + 1 : line;
    struct matches matches = {.typed = word, .length = strlen(word)};
    const char *value = strchr(word, '=');
    if (word == line) {
        offer_commands(&matches);
    } else if (strncmp(line, "set ", 4) == 0) {
        if (value)
            matches = (struct matches){.typed = value + 1, .length = strlen(value + 1)};
        offer_settings(&matches, word, value ? value + 1 : NULL);
        word = value ? value + 1 : word;
    } else if (strncmp(line, "sort ", 5) == 0) {
        offer_columns(state, &matches);
    } else if (strncmp(line, "goto ", 5) == 0) {
        offer_steps(state, &matches);
    }
    if (matches.n == 0) {
        mls_state_say(state, true, "nothing to complete");
        return;
    }
    char whole[MLS_PROMPT_BYTES * 2];
    bool setting = strncmp(line, "set ", 4) == 0;
    snprintf(whole, sizeof whole, "%.*s%s%s", (int)(word - line), line, matches.common,
             matches.n == 1 && !setting ? " " : "");
    if (strlen(whole) < sizeof state->prompt.text)
        mls_prompt_set(&state->prompt, whole);
    if (matches.n > 1)
        mls_state_say(state, false, "%s", matches.list);
    else
        state->message[0] = '\0';
}
