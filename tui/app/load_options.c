#include "app/load_options.h"

#include <stdlib.h>
#include <string.h>

/* What the settings say about weights; labels were checked when they were set. */
static void choose_compression(struct load_options *load)
{
    const struct mls_settings *settings = &load->settings;
    if (settings->compress[0] && mls_sweep_find(settings->compress, &load->compress))
        load->options.compress = &load->compress;
    for (size_t i = 0; i < settings->n_compressions; i++) {
        if (!mls_sweep_find(settings->compressions[i].label, &load->compressions[i]))
            continue;
        load->rules[load->options.n_compress_rules++] =
            (struct mls_compress_rule){.scope = MLS_SCOPE_OP_NAME,
                                       .key = settings->compressions[i].name,
                                       .setting = load->compressions[i].passes[0]};
    }
    load->options.compress_rules = load->rules;
}

bool load_options_make(struct load_options *load, const struct mls_loader_options *base,
                       const struct mls_settings *chosen)
{
    *load = (struct load_options){.options = *base, .settings = *chosen};
    const struct mls_settings *settings = &load->settings;
    struct mls_loader_options *options = &load->options;
    size_t n_shapes = base->n_shapes + settings->n_shapes, n_inputs = base->n_inputs + settings->n_inputs;
    load->shapes = calloc(n_shapes + 1, sizeof *load->shapes);
    load->inputs = calloc(n_inputs + 1, sizeof *load->inputs);
    load->path = base->path ? strdup(base->path) : NULL;
    if (!load->shapes || !load->inputs || !load->path != !base->path)
        return false;
    for (size_t i = 0; i < n_shapes; i++)
        load->shapes[i] =
            i < base->n_shapes
                ? base->shapes[i]
                : (struct mls_shape_argument){.name = settings->shapes[i - base->n_shapes].name,
                                              .shape = settings->shapes[i - base->n_shapes].shape};
    for (size_t i = 0; i < n_inputs; i++)
        load->inputs[i] = i < base->n_inputs
                              ? base->inputs[i]
                              : (struct mls_input_argument){.name = settings->inputs[i - base->n_inputs].name,
                                                            .file = settings->inputs[i - base->n_inputs].file};
    options->path = load->path;
    options->shapes = load->shapes;
    options->n_shapes = n_shapes;
    options->inputs = load->inputs;
    options->n_inputs = n_inputs;
    options->function = settings->function[0] ? settings->function : NULL;
    options->threads = settings->threads;
    options->cpu_capped = settings->cpu_capped;
    options->cpu = settings->cpu;
    options->precision = settings->precision;
    options->no_fusion = settings->no_fusion;
    options->random_seed = settings->random_seed;
    choose_compression(load);
    return true;
}

void load_options_done(struct load_options *load)
{
    free(load->path);
    free(load->shapes);
    free(load->inputs);
    load->path = NULL;
    load->shapes = NULL;
    load->inputs = NULL;
}
