// A PNG, JPEG or WebP of any bytes is decoded or refused; what was decoded, with its alpha, depth and colours, can be
// made RGB and written.
#include "input.h"
#include "codecs/codec_png.h"
#include "pictures/pictures.h"

#define MOST_WRITTEN 65536   // pixels; larger ones take too long

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    ff_original original;
    ff_image picture;
    FILE *sink = fopen("/dev/null", "wb");
    if (!sink)
        abort();
    if (!ff_picture_decode_original(bytes, size, "fuzz", &original, NULL)) {
        if (original.width * original.height <= MOST_WRITTEN && ff_png_write_original(sink, "null", &original, NULL))
            abort();
        ff_original_is_opaque(&original);
        if (!ff_picture_reduce(&original, 255, &picture, NULL))
            ff_picture_free(&picture);
        ff_original_free(&original);
    }
    fclose(sink);
    return 0;
}
