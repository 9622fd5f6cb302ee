// The words that a model says it knows, and which words of a text are not among them.
//
// A word is a run of letters and digits with the marks and joiners on them, or a run of pictographs; everything else
// parts words, hyphens and apostrophes too: "woman's" is "woman" and "s". Where nothing parts them, as in Chinese, many
// are one. Words are equal if they are after NFKC and full case folding, without what is ignorable (soft hyphens). A
// number is a word only where the text has no other.
#ifndef FF_TEXT_WORDS_H
#define FF_TEXT_WORDS_H

#include "../weights/weights.h"

typedef struct ff_word_list ff_word_list;

// The array of texts under `key`, each with words between spaces. FF_ERROR_INPUT names an entry that is not a word, too
// long, or there twice, and a list of none.
ff_status ff_word_list_open(const ff_config *config, const char *key, ff_word_list **out, ff_error *error);
void ff_word_list_close(ff_word_list *list);  // NULL allowed
size_t ff_word_list_count(const ff_word_list *list);

// What of some texts, NUL-terminated UTF-8, is not in the list, all of them taken together.
ff_status ff_word_list_find_unknown(const ff_word_list *list, const char *const *texts, size_t count,
                                    ff_unknown_words *out, ff_error *error);

#endif
