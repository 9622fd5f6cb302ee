// A PNG, JPEG or WebP of any bytes is decoded or refused.
#include "input.h"
#include "../../tools/firstframe/pictures.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    ff_image picture;
    if (!ff_picture_decode(bytes, size, "fuzz", 255, &picture, NULL))
        ff_picture_free(&picture);
    return 0;
}
