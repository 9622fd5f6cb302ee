// Any bytes are cleaned or refused; what comes out is valid UTF-8 and has words that a list knows or does not.
#include <string.h>

#include "input.h"
#include "text/text.h"
#include "text/unicode.h"
#include "text/words.h"

static void find_words(const char *text)
{
    ff_unknown_words unknown;
    ff_word_list *list;
    ff_config *config;
    if (ff_config_parse("words", "{\"words\": [\"a of the\", \"lake\"]}", &config, NULL) ||
        ff_word_list_open(config, "words", &list, NULL) || ff_word_list_find_unknown(list, &text, 1, &unknown, NULL))
        abort();
    for (size_t i = 0; i < unknown.count; i++) {
        size_t size = strlen(unknown.word[i]);
        if (size == 0 || size >= FF_UNKNOWN_BYTES || ff_utf8_check(unknown.word[i], size) != size)
            abort();
    }
    ff_word_list_close(list);
    ff_config_close(config);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    char *once, *twice;
    if (ff_text_clean((const char *)bytes, size, &once, NULL))
        return 0;
    if (ff_text_clean(once, strlen(once), &twice, NULL))
        abort();
    find_words(once);
    free(once);
    free(twice);
    return 0;
}
