// A golden model's folder once more, in a temporary place: links to begin with, in which files can be changed.
#ifndef FF_TEST_MODEL_COPY_H
#define FF_TEST_MODEL_COPY_H

#define MODELS FF_GOLDEN "/diffusers/models/"

// cmocka's set-up and tear-down of a group: the folder, with no files in it yet, and its end with all that is in it.
int model_copy_make(void **state);
int model_copy_remove(void **state);

const char *model_copy_folder(void);
// Of a file in it. The last four paths stay as they are.
const char *model_copy_path(const char *name);
// Of the file that was copied. The last path stays as it is.
const char *model_copy_original(const char *name);

// Every file becomes that of this model.
void model_copy_link(const char *model);
void model_copy_restore(const char *file);

#endif
