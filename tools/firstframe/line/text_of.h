// Text made with printf's formats.
#ifndef FF_TEXT_OF_H
#define FF_TEXT_OF_H

// The caller frees it; NULL without memory.
char *ff_text_of(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
