// A safetensors file of any bytes is read whole or refused; every tensor's data can be touched.
#include "input.h"
#include "weights/weights.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    unsigned sum = 0;
    ff_weights *weights;
    ff_weight view;
    if (ff_weights_open_file(fuzz_file(bytes, size), &weights, NULL))
        return 0;
    for (size_t i = 0; i < ff_weights_count(weights); i++) {
        size_t length;
        ff_weights_at(weights, i, &view);
        length = view.dtype->bytes;
        for (int d = 0; d < view.rank; d++)
            length *= view.shape[d];
        for (size_t at = 0; at < length; at++)
            sum += ((const uint8_t *)view.data)[at];
    }
    ff_weights_close(weights);
    return sum == 1 ? -1 : 0;  // the sum decides something, so that no read can be left out
}
