#include "pass/pass.h"

#include <string.h>

const struct pass_row pass_table[PASS_COUNT] = {
#define X(id, name, run, optional, keeps_bits, description) [PASS_##id] = {#name, run, optional, keeps_bits, description},
#include "pass/passes.def"
#undef X
};
_Static_assert((int)PASS_COUNT <= (int)MLS_PASSES_MAX, "one bit each");

void pass_run_all(struct piece *piece, uint64_t off, uint32_t *touched)
{
    for (unsigned i = 0; i < PASS_COUNT && !piece->out_of_memory; i++)
        if (pass_table[i].run && !(off >> i & 1))
            touched[i] += pass_table[i].run(piece);
}

uint32_t mls_pass_count(void)
{
    return PASS_COUNT;
}

const char *mls_pass_name(uint32_t pass)
{
    return pass_table[pass].name;
}

const char *mls_pass_description(uint32_t pass)
{
    return pass_table[pass].description;
}

bool mls_pass_is_optional(uint32_t pass)
{
    return pass_table[pass].optional;
}

bool mls_pass_keeps_bits(uint32_t pass)
{
    return pass_table[pass].keeps_bits;
}

int mls_pass_find(const char *name)
{
    for (int i = 0; i < PASS_COUNT; i++)
        if (!strcmp(pass_table[i].name, name))
            return i;
    return -1;
}
