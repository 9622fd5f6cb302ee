// Any bytes are cleaned or refused; what comes out is valid UTF-8.
#include <string.h>

#include "input.h"
#include "text/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    char *once, *twice;
    if (ff_text_clean((const char *)bytes, size, &once, NULL))
        return 0;
    if (ff_text_clean(once, strlen(once), &twice, NULL))
        abort();
    free(once);
    free(twice);
    return 0;
}
