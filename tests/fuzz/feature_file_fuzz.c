/* Input files: whatever .npy, JSON, PNG or JPEG the bytes are taken for. */
#include <stdint.h>
#include <stdlib.h>

#include "feature/image.h"
#include "feature/json.h"
#include "feature/npy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Larger pictures only cost time. */
enum { PIXELS_MAX = 1 << 20 };

static void read_picture(struct mls_bytes bytes)
{
    struct array pixels;
    struct mls_error error;
    uint32_t width, height;
    if (image_read_size("input", bytes, &width, &height, &error) || (uint64_t)width * height > PIXELS_MAX)
        return;
    for (unsigned channels = 1; channels <= 3; channels += 2)
        if (!image_read("input", bytes, channels, &pixels, &error)) {
            if (mls_type_elems(&pixels.type) != (int64_t)width * height * channels)
                abort();
            array_done(&pixels);
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct mls_bytes bytes = {data, size};
    struct mls_error error;
    struct array array;
    if (image_is(bytes))
        read_picture(bytes);
    else if (!(npy_is(bytes) ? npy_read("input", bytes, &array, &error)
                             : json_read("input", bytes, &array, &error)))
        array_done(&array);
    return 0;
}
