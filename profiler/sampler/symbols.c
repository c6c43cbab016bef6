#define UNW_LOCAL_ONLY
#include "sampler/symbols.h"

#include <dlfcn.h>
#include <libunwind.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_BYTES = 256, SLOTS_FIRST = 256 };

struct symbol {
    uintptr_t address;
    const char *name; /* one of `names`; NULL: free */
};

struct symbols {
    struct symbol *slots; /* open addressing; a power of two */
    size_t n_slots;
    size_t n_used;
    char **names; /* each once */
    size_t n_names;
};

struct symbols *symbols_create(void)
{
    struct symbols *symbols = calloc(1, sizeof *symbols);
    if (!symbols)
        return NULL;
    symbols->n_slots = SLOTS_FIRST;
    symbols->slots = calloc(symbols->n_slots, sizeof *symbols->slots);
    if (!symbols->slots) {
        free(symbols);
        return NULL;
    }
    return symbols;
}

void symbols_free(struct symbols *symbols)
{
    if (!symbols)
        return;
    for (size_t i = 0; i < symbols->n_names; i++)
        free(symbols->names[i]);
    free(symbols->names);
    free(symbols->slots);
    free(symbols);
}

/* A compiler's copy of a function (".constprop.0", ".isra.0", ".part.0", ".cold") is that function. */
static void cut_suffix(char *name)
{
    static const char *const suffixes[] = {".constprop", ".isra", ".part", ".cold", ".lto_priv"};
    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++) {
        char *at = strstr(name, suffixes[i]);
        if (at)
            *at = 0;
    }
}

/* Our own file has names for all functions; libunwind reads them from its symbol table. */
static bool by_symbol_table(uintptr_t address, char *ret_name)
{
    unw_context_t context;
    unw_cursor_t cursor;
    unw_word_t offset;
    if (unw_getcontext(&context) || unw_init_local(&cursor, &context) ||
        unw_set_reg(&cursor, UNW_REG_IP, (unw_word_t)address))
        return false;
    return !unw_get_proc_name(&cursor, ret_name, NAME_BYTES, &offset) && *ret_name;
}

static void find_name(uintptr_t address, char *ret_name)
{
    Dl_info info, own;
    void *entry = NULL;
    bool found = dladdr1((const void *)address, &info, &entry, RTLD_DL_SYMENT);
    const ElfW(Sym) *symbol = entry;
    bool ours =
        found && dladdr((const void *)(uintptr_t)symbols_create, &own) && info.dli_fbase == own.dli_fbase;
    if ((ours || !found) && by_symbol_table(address, ret_name)) {
        cut_suffix(ret_name);
        return;
    }
    /* A library tells its exported names only: the one before the address may be another function's. */
    if (found && symbol && address - (uintptr_t)info.dli_saddr < symbol->st_size) {
        snprintf(ret_name, NAME_BYTES, "%s", info.dli_sname);
        return;
    }
    if (found && info.dli_fname) {
        const char *slash = strrchr(info.dli_fname, '/');
        snprintf(ret_name, NAME_BYTES, "%s+0x%zx", slash ? slash + 1 : info.dli_fname,
                 (size_t)(address - (uintptr_t)info.dli_fbase));
        return;
    }
    snprintf(ret_name, NAME_BYTES, "0x%zx", (size_t)address);
}

/* The one copy of a name. */
static const char *intern(struct symbols *symbols, const char *name)
{
    for (size_t i = 0; i < symbols->n_names; i++)
        if (!strcmp(symbols->names[i], name))
            return symbols->names[i];
    char **names = reallocarray(symbols->names, symbols->n_names + 1, sizeof *names);
    if (!names)
        return NULL;
    symbols->names = names;
    char *copy = strdup(name);
    if (copy)
        names[symbols->n_names++] = copy;
    return copy;
}

static struct symbol *slot_of(struct symbol *slots, size_t n_slots, uintptr_t address)
{
    size_t i = (size_t)(address * UINT64_C(0x9e3779b97f4a7c15) >> 20) & (n_slots - 1);
    while (slots[i].name && slots[i].address != address)
        i = (i + 1) & (n_slots - 1);
    return &slots[i];
}

static bool grow(struct symbols *symbols)
{
    size_t n_slots = symbols->n_slots * 2;
    struct symbol *slots = calloc(n_slots, sizeof *slots);
    if (!slots)
        return false;
    for (size_t i = 0; i < symbols->n_slots; i++)
        if (symbols->slots[i].name)
            *slot_of(slots, n_slots, symbols->slots[i].address) = symbols->slots[i];
    free(symbols->slots);
    symbols->slots = slots;
    symbols->n_slots = n_slots;
    return true;
}

/* Makes sure that there is a free slot. */
static bool reserve(struct symbols *symbols)
{
    return symbols->n_used * 2 < symbols->n_slots || grow(symbols);
}

bool symbols_add(struct symbols *symbols, const char *name, uintptr_t *ret_address)
{
    const char *interned = reserve(symbols) ? intern(symbols, name) : NULL;
    if (!interned)
        return false;
    *ret_address = (uintptr_t)interned; /* where the name lies there is no code */
    struct symbol *slot = slot_of(symbols->slots, symbols->n_slots, *ret_address);
    symbols->n_used += !slot->name;
    *slot = (struct symbol){.address = *ret_address, .name = interned};
    return true;
}

const char *symbols_name(struct symbols *symbols, uintptr_t address)
{
    struct symbol *slot = slot_of(symbols->slots, symbols->n_slots, address);
    if (slot->name)
        return slot->name;
    if (!reserve(symbols))
        return NULL;
    slot = slot_of(symbols->slots, symbols->n_slots, address);
    char name[NAME_BYTES];
    find_name(address, name);
    slot->name = intern(symbols, name);
    slot->address = address;
    symbols->n_used += slot->name != NULL;
    return slot->name;
}
