// ggml's numbers for element types.
#include "../kernels/blocks.h"
#include "gguf_source.h"

ff_dtype ff_ggml_type(uint32_t type)
{
    switch (type) {
    case 0: return FF_F32;
    case 1: return FF_F16;
    case 30: return FF_BF16;
    }
    for (size_t i = 0; i < FF_BLOCK_TYPES; i++)
        if (ff_block_formats[i].ggml >= 0 && (uint32_t)ff_block_formats[i].ggml == type)
            return &ff_block_formats[i].element;
    return NULL;
}

const char *ff_ggml_type_name(uint32_t type)
{
    static const char *const others[] = {
        [9] = "Q8_1", [15] = "Q8_K", [16] = "IQ2_XXS", [17] = "IQ2_XS", [18] = "IQ3_XXS", [19] = "IQ1_S",
        [21] = "IQ3_S", [22] = "IQ2_S", [24] = "I8", [25] = "I16", [26] = "I32", [27] = "I64", [28] = "F64",
        [29] = "IQ1_M", [34] = "TQ1_0", [35] = "TQ2_0", [39] = "MXFP4",
    };
    ff_dtype known = ff_ggml_type(type);
    if (known)
        return known->name;
    return type < sizeof others / sizeof *others && others[type] ? others[type] : "unknown";
}
