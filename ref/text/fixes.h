// ftfy's repairs of text, as ftfy.fix_text makes them by default; all but that of mojibake.
#ifndef FF_TEXT_FIXES_H
#define FF_TEXT_FIXES_H

#include "unicode.h"

void ff_fix_text(const ff_codepoints *text, ff_codepoints *out);

#endif
