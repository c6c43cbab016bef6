#include "rule.h"

static const struct rule_family *const FAMILIES[] = {
#define X(name) &RULES_##name,
#include "rules.def"
#undef X
};

size_t mls_rule_count(void)
{
    size_t n = 0;
    for (size_t i = 0; i < sizeof(FAMILIES) / sizeof(FAMILIES[0]); i++)
        n += FAMILIES[i]->n_rules;
    return n;
}

const struct mls_rule *mls_rule_row(size_t index)
{
    for (size_t i = 0; i < sizeof(FAMILIES) / sizeof(FAMILIES[0]); i++) {
        if (index < FAMILIES[i]->n_rules)
            return &FAMILIES[i]->rules[index];
        index -= FAMILIES[i]->n_rules;
    }
    return NULL;
}

struct mls_rule_info mls_rule_at(size_t index)
{
    const struct mls_rule *rule = mls_rule_row(index);
    if (rule == NULL)
        return (struct mls_rule_info){.id = "", .title = "", .source = ""};
    return (struct mls_rule_info){
        .id = rule->id, .layer = rule->layer, .title = rule->title, .source = rule->source};
}
