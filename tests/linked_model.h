// A model folder of links to golden/diffusers/models/tiny-ti2v, beside which a firstframe.json may be written.
#ifndef FF_TESTS_LINKED_MODEL_H
#define FF_TESTS_LINKED_MODEL_H

#include "golden.h"

extern char linked_model[];

// For cmocka: makes the folder, and removes it with its firstframe.json.
int make_linked_model(void **state);
int remove_linked_model(void **state);
// linked_model/name, until the next call.
const char *in_linked_model(const char *name);

#endif
