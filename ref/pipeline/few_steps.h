// Whether a transformer's file is one distilled to few steps, which only its name can tell.
#ifndef FF_FEW_STEPS_H
#define FF_FEW_STEPS_H

#include "model.h"

// The number of steps that a distilled model's name speaks of, or 4 if it only says that it is one; 0: it says nothing.
//   path: of a file or folder
size_t ff_few_steps_of_name(const char *path);
// The defaults of a model whose transformer is a file of its own: few steps without guidance, or as they are. Notes which.
void ff_guess_steps(ff_model *model);

#endif
