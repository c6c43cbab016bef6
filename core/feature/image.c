#include "image.h"

#include <stdlib.h>
#include <string.h>

#include <spng.h>
#include <turbojpeg.h>

#include "base/limits.h"

static const uint8_t png_magic[] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
static const uint8_t jpeg_magic[] = {0xff, 0xd8, 0xff};

enum { PNG_CHUNK_BYTES_MAX = 1 << 24, PNG_CACHE_BYTES_MAX = 1 << 26 };

static bool is_png(struct mls_bytes bytes)
{
    return bytes.size_bytes >= sizeof png_magic && !memcmp(bytes.data, png_magic, sizeof png_magic);
}

bool image_is(struct mls_bytes bytes)
{
    return is_png(bytes) ||
           (bytes.size_bytes >= sizeof jpeg_magic && !memcmp(bytes.data, jpeg_magic, sizeof jpeg_magic));
}

static enum mls_status wrong(const char *name, const char *reason, struct mls_error *reterr)
{
    enum mls_status status =
        mls_fail(reterr, MLS_ERR_INPUT_INVALID, "cannot read the image %s: %s", name, reason);
    mls_error_at(reterr, name, -1);
    return status;
}

static enum mls_status check_size(const char *name, uint32_t width, uint32_t height, struct mls_error *reterr)
{
    if (width && height && width <= MLS_LIMIT_IMAGE_SIDE && height <= MLS_LIMIT_IMAGE_SIDE)
        return MLS_OK;
    return mls_fail(reterr, MLS_ERR_INPUT_INVALID,
                    "cannot read the image %s: %u x %u pixels; sides of 1 to %d are read", name, width,
                    height, MLS_LIMIT_IMAGE_SIDE);
}

static bool create_pixels(uint32_t width, uint32_t height, unsigned channels, struct array *ret_array)
{
    int64_t dims[3] = {height, width, channels};
    struct mls_type type = mls_type_tensor(MLS_UINT8, 3, dims);
    return array_create(&type, ret_array);
}

/* Luma over RGB in place: the gray pixels take the first third. */
static void to_gray(uint8_t *pixels, size_t n_pixels)
{
    for (size_t i = 0; i < n_pixels; i++) {
        const uint8_t *rgb = pixels + 3 * i;
        pixels[i] = (uint8_t)((19595u * rgb[0] + 38470u * rgb[1] + 7471u * rgb[2] + 32768u) >> 16);
    }
}

/* ---- PNG ---------------------------------------------------------------------------------------------- */

static spng_ctx *png_open(struct mls_bytes bytes)
{
    spng_ctx *png = spng_ctx_new(0);
    if (!png)
        return NULL;
    spng_set_image_limits(png, MLS_LIMIT_IMAGE_SIDE, MLS_LIMIT_IMAGE_SIDE);
    spng_set_chunk_limits(png, PNG_CHUNK_BYTES_MAX, PNG_CACHE_BYTES_MAX);
    spng_set_png_buffer(png, bytes.data, bytes.size_bytes);
    return png;
}

static enum mls_status png_read(const char *name, struct mls_bytes bytes, unsigned channels,
                                struct array *ret_array, struct mls_error *reterr)
{
    struct array array = {0};
    struct spng_ihdr header;
    spng_ctx *png = png_open(bytes);
    if (!png)
        return mls_fail(reterr, MLS_ERR_MEMORY, "cannot read the image %s: out of memory", name);
    int code = spng_get_ihdr(png, &header);
    enum mls_status status = code ? wrong(name, spng_strerror(code), reterr)
                                  : check_size(name, header.width, header.height, reterr);
    if (status)
        goto out;
    if (!create_pixels(header.width, header.height, 3, &array)) {
        status = mls_fail(reterr, MLS_ERR_MEMORY, "cannot read the image %s: out of memory", name);
        goto out;
    }
    code = spng_decode_image(png, array.data, mls_type_bytes(&array.type), SPNG_FMT_RGB8, 0);
    if (code) {
        status = wrong(name, spng_strerror(code), reterr);
        array_done(&array);
        goto out;
    }
    if (channels == 1) {
        to_gray(array.data, (size_t)header.width * header.height);
        array.type.dims[2] = 1;
    }
    *ret_array = array;
out:
    spng_ctx_free(png);
    return status;
}

const char *image_encode_png(const struct array *pixels, void **ret_png, size_t *ret_size_bytes)
{
    const int64_t *dims = pixels->type.dims;
    if (dims[0] < 1 || dims[1] < 1 || dims[0] > INT32_MAX || dims[1] > INT32_MAX)
        return "no PNG has these sides";
    struct spng_ihdr header = {.width = (uint32_t)dims[1],
                               .height = (uint32_t)dims[0],
                               .bit_depth = 8,
                               .color_type = dims[2] == 1 ? SPNG_COLOR_TYPE_GRAYSCALE : SPNG_COLOR_TYPE_TRUECOLOR};
    spng_ctx *png = spng_ctx_new(SPNG_CTX_ENCODER);
    int code = png ? spng_set_option(png, SPNG_ENCODE_TO_BUFFER, 1) : SPNG_EMEM;
    if (!code)
        code = spng_set_ihdr(png, &header);
    if (!code)
        code = spng_encode_image(png, pixels->data, mls_type_bytes(&pixels->type), SPNG_FMT_PNG,
                                 SPNG_ENCODE_FINALIZE);
    if (!code)
        *ret_png = spng_get_png_buffer(png, ret_size_bytes, &code);
    spng_ctx_free(png);
    return code ? spng_strerror(code) : NULL;
}

/* ---- JPEG --------------------------------------------------------------------------------------------- */

static enum mls_status jpeg_read_size(tjhandle jpeg, const char *name, struct mls_bytes bytes,
                                      uint32_t *ret_width, uint32_t *ret_height, struct mls_error *reterr)
{
    int width, height, subsampling, colorspace;
    if (tjDecompressHeader3(jpeg, bytes.data, bytes.size_bytes, &width, &height, &subsampling, &colorspace))
        return wrong(name, tjGetErrorStr2(jpeg), reterr);
    enum mls_status status = check_size(name, (uint32_t)width, (uint32_t)height, reterr);
    if (!status) {
        *ret_width = (uint32_t)width;
        *ret_height = (uint32_t)height;
    }
    return status;
}

static enum mls_status jpeg_read(const char *name, struct mls_bytes bytes, unsigned channels,
                                 struct array *ret_array, struct mls_error *reterr)
{
    tjhandle jpeg = tjInitDecompress();
    if (!jpeg)
        return mls_fail(reterr, MLS_ERR_MEMORY, "cannot read the image %s: out of memory", name);
    struct array array = {0};
    uint32_t width, height;
    enum mls_status status = jpeg_read_size(jpeg, name, bytes, &width, &height, reterr);
    if (!status && !create_pixels(width, height, channels, &array))
        status = mls_fail(reterr, MLS_ERR_MEMORY, "cannot read the image %s: out of memory", name);
    if (!status && tjDecompress2(jpeg, bytes.data, bytes.size_bytes, array.data, (int)width, 0, (int)height,
                                 channels == 1 ? TJPF_GRAY : TJPF_RGB, TJFLAG_ACCURATEDCT)) {
        status = wrong(name, tjGetErrorStr2(jpeg), reterr);
        array_done(&array);
    }
    if (!status)
        *ret_array = array;
    tjDestroy(jpeg);
    return status;
}

/* ---- Either ------------------------------------------------------------------------------------------- */

enum mls_status image_read_size(const char *name, struct mls_bytes bytes, uint32_t *ret_width,
                                uint32_t *ret_height, struct mls_error *reterr)
{
    enum mls_status status;
    if (!is_png(bytes)) {
        tjhandle jpeg = tjInitDecompress();
        if (!jpeg)
            return mls_fail(reterr, MLS_ERR_MEMORY, "cannot read the image %s: out of memory", name);
        status = jpeg_read_size(jpeg, name, bytes, ret_width, ret_height, reterr);
        tjDestroy(jpeg);
        return status;
    }
    spng_ctx *png = png_open(bytes);
    if (!png)
        return mls_fail(reterr, MLS_ERR_MEMORY, "cannot read the image %s: out of memory", name);
    struct spng_ihdr header;
    int code = spng_get_ihdr(png, &header);
    status = code ? wrong(name, spng_strerror(code), reterr)
                  : check_size(name, header.width, header.height, reterr);
    if (!status) {
        *ret_width = header.width;
        *ret_height = header.height;
    }
    spng_ctx_free(png);
    return status;
}

enum mls_status image_read(const char *name, struct mls_bytes bytes, unsigned channels,
                           struct array *ret_array, struct mls_error *reterr)
{
    return is_png(bytes) ? png_read(name, bytes, channels, ret_array, reterr)
                         : jpeg_read(name, bytes, channels, ret_array, reterr);
}
