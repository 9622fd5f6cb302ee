// Which pipeline a model folder is for, and of which classes its parts are: model_index.json, held against what the
// stages here compute.
#ifndef FF_CLASSES_H
#define FF_CLASSES_H

#include "../weights/weights.h"

// *name: the pipeline's class, which lives as long as the index.
// FF_ERROR_INPUT: it is none whose sampling is the one here, or one with two transformers.
ff_status ff_classes_pipeline(const ff_config *index, const char **name, ff_error *error);
// FF_ERROR_INPUT: the index has another class for the part. One that it does not name may be any.
ff_status ff_classes_part(const ff_config *index, const char *part, const char *expected, ff_error *error);
// The scheduler's is in its own file too; diffusers goes by the index.
ff_status ff_classes_scheduler(const ff_config *index, const ff_config *scheduler, const char **name, ff_error *error);
// Whether spiece.model alone may be read as T5's tokenizer reads it.
ff_status ff_classes_tokenizer(const ff_config *index, ff_error *error);
// transformers writes no _class_name but architectures: one of UMT5's must be among them, if there are any.
ff_status ff_classes_text_encoder(const ff_config *config, ff_error *error);

#endif
