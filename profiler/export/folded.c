#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "export.h"
#include "names.h"
#include "profiler/text.h"

/* Stacks as lines without their numbers, each with its nanoseconds before (in the base, if there is one) and
 * now. */
struct folded {
    struct names stacks;
    uint64_t (*ns)[2];
    size_t n_ns;
};

enum { BEFORE, NOW, LINE_BYTES_MAX = 1 << 16 };

static bool add(struct folded *folded, const char *stack, int when, uint64_t ns)
{
    uint32_t number;
    if (!names_number(&folded->stacks, stack, &number))
        return false;
    if (number >= folded->n_ns) {
        size_t n = 2 * (size_t)number + 64;
        uint64_t(*grown)[2] = reallocarray(folded->ns, n, sizeof *grown);
        if (!grown)
            return false;
        memset(grown + folded->n_ns, 0, (n - folded->n_ns) * sizeof *grown);
        folded->ns = grown;
        folded->n_ns = n;
    }
    folded->ns[number][when] += ns;
    return true;
}

/* A frame's name must not hold what separates frames and lines, nor what flame graphs draw as markup. */
static char *frame_text(const char *text)
{
    char *safe = mls_text_safe(*text ? text : "-", false);
    for (char *at = safe; safe && *at; at++)
        *at = *at == ';' ? ':' : *at == '<' ? '(' : *at == '>' ? ')' : *at;
    return safe;
}

static bool take_stack(void *user, const struct export_stack *stack)
{
    char *line = NULL;
    size_t length;
    FILE *memory = open_memstream(&line, &length);
    if (!memory)
        return false;
    bool ok = true;
    for (size_t i = 0; ok && i < stack->depth; i++) {
        char *frame = frame_text(stack->frames[i]);
        ok = frame && fprintf(memory, "%s%s", i ? ";" : "", frame) >= 0;
        free(frame);
    }
    ok = !fclose(memory) && ok && add(user, line, NOW, stack->ns);
    free(line);
    return ok;
}

/* Lines of an earlier file: "frame;frame 123"; of a differential one, the later number counts. */
static bool read_base(struct folded *folded, const char *path)
{
    FILE *file = fopen(path, "re");
    char *line = file ? malloc(LINE_BYTES_MAX) : NULL;
    bool ok = line != NULL;
    while (ok && fgets(line, LINE_BYTES_MAX, file)) {
        line[strcspn(line, "\n")] = 0;
        char *space = strrchr(line, ' ');
        if (!space)
            continue;
        uint64_t ns = strtoull(space + 1, NULL, 10);
        do /* the first of two numbers, if that is what stands before */
            *space = 0;
        while ((space = strrchr(line, ' ')) && space[1] && !space[1 + strspn(space + 1, "0123456789")]);
        ok = add(folded, line, BEFORE, ns);
    }
    free(line);
    if (file)
        fclose(file);
    return ok;
}

bool export_folded(const struct mls_document *document, const struct mls_writer *writer)
{
    struct folded folded = {0};
    const char *base = document->folded_base;
    bool ok = (!base || read_base(&folded, base)) && export_stacks(document, take_stack, &folded);
    for (size_t i = 0; ok && i < folded.stacks.n; i++) {
        ok = mls_write(writer, folded.stacks.texts[i]);
        if (ok && base)
            ok = mls_writef(writer, " %" PRIu64, folded.ns[i][BEFORE]);
        ok = ok && mls_writef(writer, " %" PRIu64 "\n", folded.ns[i][NOW]);
    }
    free(folded.ns);
    names_done(&folded.stacks);
    return ok;
}
