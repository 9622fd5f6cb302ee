// A GGUF file of any bytes is read whole or refused: its values, and every element of its tensors.
#include "input.h"
#include "weights/gguf_source.h"
#include "weights/weights.h"

// What a tokenizer would read.
static unsigned sum_values(const ff_gguf *gguf)
{
    unsigned sum = 0;
    for (size_t i = 0; gguf && i < gguf->value_count; i++) {
        ff_gguf_walk walk;
        ff_gguf_text text;
        double number;
        sum += ff_gguf_number(&gguf->values[i], &number) && number > 0;
        if (ff_gguf_string(&gguf->values[i], &text))
            sum += text.size ? (uint8_t)text.at[text.size - 1] : 0;
        if (ff_gguf_walk_start(&gguf->values[i], &walk))
            while (ff_gguf_next_number(&walk, &number) || ff_gguf_next_string(&walk, &text))
                sum++;
    }
    return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    unsigned sum = 0;
    ff_weights *weights;
    ff_weight view;
    ff_weight_source source;
    const char *path = fuzz_file(bytes, size);
    if (ff_gguf_source_open(path, &source, NULL))
        return 0;
    sum += sum_values(ff_gguf_of_source(&source));
    source.close(source.user);
    if (ff_weights_open_file(path, &weights, NULL))
        return 0;
    for (size_t i = 0; i < ff_weights_count(weights); i++) {
        const char *name = ff_weights_at(weights, i, &view);
        size_t count = ff_weight_elements(&view);
        float run[64];
        for (size_t first = 0; first < count; first += 64) {
            ff_weight_widen(&view, first, count - first < 64 ? count - first : 64, run);
            sum += run[0] > 0;
        }
        sum += ff_weights_get(weights, &view, NULL, view.rank, view.shape, "%s", name) == FF_OK;
    }
    ff_weights_close(weights);
    return sum == 1 ? -1 : 0;  // the sum decides something, so that no read can be left out
}
