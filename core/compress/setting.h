/* setting.h: the table of compressors. One compressor is one row. */
#pragma once

#include "compress/form.h"
#include "core/compress.h"

struct compressor {
    struct mls_compress_setting defaults;
    /* check: USAGE with the parameter that does not fit. */
    enum mls_status (*check)(const struct mls_compress_setting *setting, struct mls_error *reterr);
    /* opset: the lowest one whose operations hold the result, when nothing was compressed before. */
    uint32_t (*opset)(const struct mls_compress_setting *setting);
    void (*label)(const struct mls_compress_setting *setting, char *text, size_t size);
    /*
     * apply: compresses one weight further. Leaves the form as it is and returns a reason, static, when the
     * weight cannot be compressed so; "" (compress_no_memory) when out of memory.
     */
    const char *(*apply)(const struct mls_compress_setting *setting, const struct compress_work *work,
                         struct weight_form *form);
};

extern const struct compressor compressors[MLS_COMPRESSOR_COUNT];

/* setting_palette_bits: whether palettes of so many bits exist. */
bool setting_palette_bits(unsigned nbits);

/* setting_bits_for: the fewest bits that tell n values apart; 0 when no palette is so large. */
unsigned setting_bits_for(uint64_t n_values);

const char *apply_palettize(const struct mls_compress_setting *setting, const struct compress_work *work,
                            struct weight_form *form);
const char *apply_quantize(const struct mls_compress_setting *setting, const struct compress_work *work,
                           struct weight_form *form);
const char *apply_magnitude(const struct mls_compress_setting *setting, const struct compress_work *work,
                            struct weight_form *form);
const char *apply_threshold(const struct mls_compress_setting *setting, const struct compress_work *work,
                            struct weight_form *form);
