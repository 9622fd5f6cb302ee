// Element types: what the bytes of a tensor mean.
#ifndef FF_ELEMENT_H
#define FF_ELEMENT_H

#include <stddef.h>
#include <stdint.h>

// Elements lie in blocks that follow each other without gaps; a plain type's blocks are of one element. A tensor, and
// each row of a weight, begins with a block.
typedef struct ff_element {
    const char *name;     // as a safetensors header or a GGUF file's users call it
    size_t block, bytes;  // elements of a block, and its bytes
    // Elements [first, first + count) of the blocks at `data`, as f32 and exactly. NULL: weights do not have this type.
    void (*decode)(const void *data, size_t first, size_t count, float *out);
} ff_element;

typedef const ff_element *ff_dtype;

// Models hold the first three, dumps the first five; the others come from other programs' dumps.
extern const ff_element ff_element_f32, ff_element_f16, ff_element_bf16, ff_element_i64, ff_element_u8, ff_element_f64,
    ff_element_i32, ff_element_bool;
#define FF_F32 (&ff_element_f32)
#define FF_F16 (&ff_element_f16)
#define FF_BF16 (&ff_element_bf16)
#define FF_I64 (&ff_element_i64)
#define FF_U8 (&ff_element_u8)
#define FF_F64 (&ff_element_f64)
#define FF_I32 (&ff_element_i32)
#define FF_BOOL (&ff_element_bool)

// One element as f32, exact.
float ff_widen_f16(uint16_t bits);
float ff_widen_bf16(uint16_t bits);

// Bytes of `count` elements, and so where element `count` lies.   count: of whole blocks
static inline size_t ff_element_bytes(ff_dtype dtype, size_t count)
{
    return count / dtype->block * dtype->bytes;
}

// Rows of a weight as kernels read them, one after the other.
typedef struct ff_operand {
    const void *data;
    ff_dtype dtype;       // one that is decoded
    const float *scales;  // what decoded elements are multiplied by: one number, or with scale_step 1 one for each row;
    size_t scale_step;    // NULL: nothing
} ff_operand;

// The same from a row on, of `length` elements each.
static inline ff_operand ff_operand_from(ff_operand operand, size_t row, size_t length)
{
    operand.data = (const char *)operand.data + row * ff_element_bytes(operand.dtype, length);
    if (operand.scales)
        operand.scales += row * operand.scale_step;
    return operand;
}

// Elements [first, first + count) of the first row, as f32.
void ff_operand_decode(ff_operand operand, size_t first, size_t count, float *out);

#endif
