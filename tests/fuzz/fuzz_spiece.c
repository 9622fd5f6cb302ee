// A spiece.model of any bytes is refused, or tokenizes a prompt.
#include "input.h"
#include "text/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static const char prompt[] = "She slowly turns her head \xef\xbc\x81 caf\xc3\xa9 </s> \xf0\x9f\x98\x80";
    ff_tokenizer *tokenizer;
    int64_t ids[64];
    size_t count;
    if (ff_tokenizer_open_spiece(fuzz_file(bytes, size), &tokenizer, NULL))
        return 0;
    ff_tokenizer_encode(tokenizer, prompt, sizeof prompt - 1, 64, ids, &count, NULL);
    ff_tokenizer_close(tokenizer);
    return 0;
}
