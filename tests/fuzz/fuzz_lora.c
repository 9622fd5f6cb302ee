// A LoRA of any bytes is refused, or asked for each of its kinds of changes.
#include "input.h"
#include "weights/lora.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static const char *const names[] = {"blocks.0.attn1.to_q.weight", "blocks.0.ffn.net.0.proj.weight",
                                        "blocks.1.attn2.to_out.0.weight", "proj_out.weight", "patch_embedding.weight"};
    static const char *const vectors[] = {"blocks.0.attn1.to_q.bias", "blocks.0.scale_shift_table", "proj_out.bias",
                                          "blocks.0.norm2.weight", "scale_shift_table"};
    ff_linear_addition products[FF_LORA_MOST];
    ff_lora_sum sums[FF_LORA_MOST];
    ff_lora *lora;
    size_t count;
    float values[256];
    if (ff_lora_open(fuzz_file(bytes, size), 0.5, &lora, NULL))
        return 0;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        ff_lora_products(lora, names[i], i == 1 ? 58 : 28, 28, products, &count, NULL);
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
        size_t elements = i == 1 ? 6 * 28 : 28;
        if (!ff_lora_sums(lora, vectors[i], elements, sums, &count, NULL))
            for (size_t j = 0; j < count; j++)
                ff_weight_widen(&sums[j].values, 0, elements, values);
    }
    ff_lora_describe(lora);
    ff_lora_purpose(lora);
    ff_lora_close(lora);
    return 0;
}
