#include "ops/space.h"

/*
 * Limits that keep every size of the kernels far below 2^63: elements under one dilated kernel, padded sizes,
 * strides.
 */
enum { REACH_MAX = 1 << 26, STRIDE_MAX = 1 << 16, PAD_MAX = 1 << 26 };

/* n integers of a parameter, or n times `otherwise` when it was left out. */
static enum mls_status read_ints(const struct mls_op_call *call, int param, unsigned n, int64_t otherwise,
                                 int64_t *ret, struct mls_error *reterr)
{
    for (unsigned i = 0; i < n; i++)
        ret[i] = otherwise;
    if (param < 0 || !mls_op_given(call, (unsigned)param))
        return MLS_OK;
    int64_t values[2 * MLS_SPACE];
    int count = mls_op_ints(call, (unsigned)param, values, 2 * MLS_SPACE);
    if (count != (int)n)
        return mls_op_fail(call, reterr, MLS_ERR_OP_ARGUMENT, "parameter \"%s\" must hold %u integers",
                           call->row->params[param].name, n);
    for (unsigned i = 0; i < n; i++)
        ret[i] = values[i];
    return MLS_OK;
}

static enum mls_status check_range(const struct mls_op_call *call, int param, unsigned n,
                                   const int64_t *values, int64_t low, int64_t high, struct mls_error *reterr)
{
    for (unsigned i = 0; i < n; i++)
        if (values[i] < low || values[i] > high)
            return mls_op_fail(call, reterr, values[i] > high ? MLS_ERR_LIMIT : MLS_ERR_OP_ARGUMENT,
                               "parameter \"%s\" holds %lld; it must be %lld to %lld",
                               call->row->params[param].name, (long long)values[i], (long long)low,
                               (long long)high);
    return MLS_OK;
}

static enum mls_status read_padding(const struct mls_op_call *call, const struct mls_space_params *params,
                                    struct mls_space *ret, struct mls_error *reterr)
{
    static const char *const names[] = {[MLS_PADDING_VALID] = "valid",
                                        [MLS_PADDING_CUSTOM] = "custom",
                                        [MLS_PADDING_SAME] = "same",
                                        [MLS_PADDING_SAME_LOWER] = "same_lower"};
    unsigned kind = 0;
    while (kind < sizeof names / sizeof names[0] &&
           !mls_op_text_is(call, (unsigned)params->pad_type, params->default_pad_type, names[kind]))
        kind++;
    if (kind == sizeof names / sizeof names[0])
        return mls_op_fail(call, reterr, MLS_ERR_OP_ARGUMENT,
                           "parameter \"pad_type\" must be valid, custom, same or same_lower");
    ret->padding = (enum mls_padding)kind;
    if (ret->padding == MLS_PADDING_SAME_LOWER && call->opset < 6)
        return mls_op_fail(call, reterr, MLS_ERR_OP_ARGUMENT,
                           "pad_type same_lower came with opset 6; the program uses opset %u", call->opset);
    if (ret->padding != MLS_PADDING_CUSTOM)
        return MLS_OK;
    enum mls_status status = read_ints(call, params->pad, 2 * ret->n, 0, ret->pad, reterr);
    if (status != MLS_OK)
        return status;
    return check_range(call, params->pad, 2 * ret->n, ret->pad, 0, PAD_MAX, reterr);
}

/* Elements that a dilated kernel spans, in one dimension. */
static int64_t reach(const struct mls_space *space, unsigned i)
{
    return (space->kernel[i] - 1) * space->dilation[i] + 1;
}

enum mls_status mls_space_read(const struct mls_op_call *call, const struct mls_space_params *params,
                               unsigned n, const int64_t *kernel, struct mls_space *ret,
                               struct mls_error *reterr)
{
    struct mls_space space = {.n = n};
    enum mls_status status = read_ints(call, params->strides, n, 1, space.stride, reterr);
    if (status == MLS_OK)
        status = check_range(call, params->strides, n, space.stride, 1, STRIDE_MAX, reterr);
    if (status == MLS_OK)
        status = read_ints(call, params->dilations, n, 1, space.dilation, reterr);
    if (status == MLS_OK && params->dilations >= 0)
        status = check_range(call, params->dilations, n, space.dilation, 1, REACH_MAX, reterr);
    if (status == MLS_OK)
        status = read_padding(call, params, &space, reterr);
    if (status != MLS_OK)
        return status;
    int64_t volume = 1;
    for (unsigned i = 0; i < n; i++) {
        space.kernel[i] = kernel[i];
        if (kernel[i] == MLS_DIM_UNKNOWN)
            continue;
        if (kernel[i] < 1)
            return mls_op_fail(call, reterr, MLS_ERR_OP_SHAPE, "the kernel's size %lld is not positive",
                               (long long)kernel[i]);
        if (kernel[i] > REACH_MAX || reach(&space, i) > REACH_MAX / volume)
            return mls_op_fail(call, reterr, MLS_ERR_LIMIT, "the dilated kernel spans more than %d elements",
                               REACH_MAX);
        volume *= reach(&space, i);
    }
    *ret = space;
    return MLS_OK;
}

/* Padding before and after dimension i in all. */
static int64_t total_pad(const struct mls_space *space, unsigned i, int64_t in)
{
    if (space->padding != MLS_PADDING_SAME && space->padding != MLS_PADDING_SAME_LOWER)
        return space->pad[2 * i] + space->pad[2 * i + 1];
    int64_t stride = space->stride[i], out = (in + stride - 1) / stride;
    int64_t pad = (out - 1) * stride + reach(space, i) - in;
    return pad > 0 ? pad : 0;
}

static int64_t output_size(const struct mls_space *space, unsigned i, int64_t in)
{
    int64_t stride = space->stride[i], pad = total_pad(space, i, in);
    int64_t room = in + pad - reach(space, i);
    if (room < 0)
        return 0;
    if (!space->ceil_mode)
        return room / stride + 1;
    int64_t out = (room + stride - 1) / stride + 1;
    /* A window that would begin in the padding behind is left out (as PyTorch does). */
    if (pad > 0 && (out - 1) * stride >= in + space->pad[2 * i])
        out--;
    return out;
}

enum mls_status mls_space_output(const struct mls_op_call *call, const struct mls_space *space,
                                 const int64_t *in, int64_t *ret_out, struct mls_error *reterr)
{
    for (unsigned i = 0; i < space->n; i++) {
        int64_t size = in[i]; /* ret_out may be in */
        ret_out[i] = MLS_DIM_UNKNOWN;
        if (size == MLS_DIM_UNKNOWN || space->kernel[i] == MLS_DIM_UNKNOWN)
            continue;
        if (size > INT64_MAX / 4)
            return mls_op_fail(call, reterr, MLS_ERR_LIMIT, "spatial dimension %u is too large", i);
        ret_out[i] = size ? output_size(space, i, size) : 0;
        if (ret_out[i] < 1)
            return mls_op_fail(
                call, reterr, MLS_ERR_OP_SHAPE,
                "spatial dimension %u of size %lld, padded by %lld, is smaller than the kernel, "
                "which spans %lld",
                i, (long long)size, (long long)total_pad(space, i, size), (long long)reach(space, i));
    }
    return MLS_OK;
}

struct mls_window_space mls_space_window(const struct mls_space *space, const int64_t *in, const int64_t *out)
{
    struct mls_window_space ret;
    for (unsigned d = 0; d < MLS_SPACE; d++) {
        ret.in[d] = ret.out[d] = ret.kernel[d] = ret.stride[d] = ret.dilation[d] = 1;
        ret.before[d] = ret.after[d] = 0;
        if (d + space->n < MLS_SPACE)
            continue;
        unsigned i = d + space->n - MLS_SPACE;
        int64_t pad = total_pad(space, i, in[i]), before = space->pad[2 * i];
        if (space->padding == MLS_PADDING_SAME)
            before = pad / 2;
        else if (space->padding == MLS_PADDING_SAME_LOWER)
            before = pad - pad / 2;
        ret.in[d] = (size_t)in[i];
        ret.out[d] = (size_t)out[i];
        ret.kernel[d] = (size_t)space->kernel[i];
        ret.stride[d] = (size_t)space->stride[i];
        ret.dilation[d] = (size_t)space->dilation[i];
        ret.before[d] = (size_t)before;
        ret.after[d] = (size_t)(pad - before);
    }
    return ret;
}
