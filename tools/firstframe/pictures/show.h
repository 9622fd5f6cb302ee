// A picture in the terminal: by the graphics protocols of Kitty or iTerm2 where the terminal says it is one of those
// that know them, else as half-blocks in 24-bit colour, two pixels to a character.
#ifndef FF_SHOW_H
#define FF_SHOW_H

#include <stdio.h>

#include "firstframe.h"

typedef enum ff_terminal { FF_TERMINAL_BLOCKS, FF_TERMINAL_KITTY, FF_TERMINAL_ITERM } ff_terminal;

// From the environment variables by which terminals name themselves.
ff_terminal ff_show_recognise(void);

// width: of the terminal, in characters; half-blocks shrink the picture to it. FF_ERROR_MEMORY, FF_ERROR_IO.
ff_status ff_show_picture(FILE *stream, ff_terminal terminal, size_t width, const ff_image *image, ff_error *error);

#endif
