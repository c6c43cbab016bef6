#include "core/model.h"

#include <stdlib.h>

/* Counts each value's users two places on, or puts them in place one place on: a counting sort. Returns their
 * number. */
static size_t go_through(const struct mls_program *program, struct mls_users *users)
{
    size_t total = 0;
    for (uint32_t i = 0; i < program->n_ops; i++) {
        const struct mls_op *op = &program->ops[i];
        for (uint32_t j = 0; j < op->n_arguments; j++) {
            for (uint32_t k = 0; k < op->arguments[j].n_values; k++) {
                uint32_t value = op->arguments[j].values[k].i;
                if (users->users)
                    users->users[users->first[value + 1]++] = (mls_op_id){i};
                else
                    users->first[value + 2]++;
                total++;
            }
        }
    }
    return total;
}

bool mls_users_create(const struct mls_program *program, struct mls_users *ret_users)
{
    struct mls_users *users = ret_users;
    *users = (struct mls_users){.first = calloc((size_t)program->n_values + 2, sizeof *users->first)};
    if (!users->first)
        return false;
    size_t total = go_through(program, users);
    users->users = calloc(total ? total : 1, sizeof *users->users);
    if (!users->users)
        return false;
    for (uint32_t i = 2; i < program->n_values + 2; i++)
        users->first[i] += users->first[i - 1];
    go_through(program, users);
    return true;
}

void mls_users_free(struct mls_users *users)
{
    free(users->users);
    free(users->first);
    *users = (struct mls_users){0};
}
