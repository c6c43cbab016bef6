/*
 * A whole specification, or MIL text, that is run: what loads is planned and predicts on random inputs, within limits of
 * memory and time. The outputs are the same bits with one thread and three, and with and without the passes that promise it;
 * the portable kernels end the same way. The corpus is that of the readers.
 */
#include <stdint.h>

#include "format/load.h"
#include "fuzz/predict.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct mls_model *model = NULL;
    struct mls_error error;
    if (mls_model_load_spec((struct mls_bytes){data, size}, "model.mlmodel", NULL, NULL, &model, &error))
        return 0;
    struct predicted best, threads, generic;
    predict(model, (struct mls_session_options){.threads = 1}, NULL, &best);
    if (!best.too_long) {
        predict(model, (struct mls_session_options){.threads = 3}, NULL, &threads);
        predict_compare(&best, &threads, "one thread or three");
        predict_done(&threads);
        predict_compare_passes(model);
        predict(model, (struct mls_session_options){.threads = 1, .cpu_capped = true, .cpu = MLS_ISA_GENERIC},
                NULL, &generic);
        predict_done(&generic);
    }
    predict_done(&best);
    mls_model_free(model);
    return 0;
}
