// A configuration of any bytes is read or refused; numbers that are not finite are never handed out.
#include <math.h>
#include <string.h>

#include "input.h"
#include "weights/weights.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static const char *const keys[] = {"a", "shift", "", "NaN"};
    ff_config *config;
    if (ff_config_open(fuzz_file(bytes, size), &config, NULL))
        return 0;
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        double number, list[4];
        size_t whole, count = 4;
        const char *text;
        if (!ff_config_number(config, keys[i], 1, &number, NULL) && !isfinite(number))
            abort();
        if (!ff_config_numbers(config, keys[i], list, &count, NULL))
            while (count-- > 0)
                if (!isfinite(list[count]))
                    abort();
        if (!ff_config_string(config, keys[i], "", &text, NULL) && strlen(text) > size)
            abort();
        ff_config_size(config, keys[i], 1, 0, 100, &whole, NULL);
        ff_config_element(config, keys[i], 1, &text, NULL);
    }
    ff_config_close(config);
    return 0;
}
