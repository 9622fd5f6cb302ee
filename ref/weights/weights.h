// A part of a model: config.json and weights, *.safetensors (single, or sharded with an index) or GGUF, memory-mapped and
// checked.
#ifndef FF_WEIGHTS_H
#define FF_WEIGHTS_H

#include "names.h"
#include "source.h"

// ---- one JSON object ----
typedef struct ff_config ff_config;

// path: a file holding one JSON object. Errors name the file and what was expected.
ff_status ff_config_open(const char *path, ff_config **out, ff_error *error);
// The same from text. name: what messages call it
ff_status ff_config_parse(const char *name, const char *text, ff_config **out, ff_error *error);
void ff_config_close(ff_config *config);  // NULL allowed
const char *ff_config_path(const ff_config *config);

bool ff_config_has(const ff_config *config, const char *key);  // present and not null
// Each reads `key`; absent or null gives the fallback. A value of another kind or outside [minimum, maximum] fails.
ff_status ff_config_size(const ff_config *config, const char *key, size_t fallback, size_t minimum, size_t maximum,
                         size_t *out, ff_error *error);
ff_status ff_config_number(const ff_config *config, const char *key, double fallback, double *out, ff_error *error);
ff_status ff_config_bool(const ff_config *config, const char *key, bool fallback, bool *out, ff_error *error);
// *out points into the config and lives as long.
ff_status ff_config_string(const ff_config *config, const char *key, const char *fallback, const char **out,
                           ff_error *error);
// A string of an array, such as a class in ["library", "Class"]; NULL if it, the array or the key is absent or null.
ff_status ff_config_element(const ff_config *config, const char *key, int index, const char **out, ff_error *error);
const char *ff_config_key(const ff_config *config, int index);  // in the file's order; NULL behind the last
// Arrays: *count is the capacity on entry, the length on return; absent or null gives *count = 0.
ff_status ff_config_sizes(const ff_config *config, const char *key, size_t *out, size_t *count, ff_error *error);
ff_status ff_config_numbers(const ff_config *config, const char *key, double *out, size_t *count, ff_error *error);
ff_status ff_config_bools(const ff_config *config, const char *key, bool *out, size_t *count, ff_error *error);
// The strings point into the config and live as long.
ff_status ff_config_strings(const ff_config *config, const char *key, const char **out, size_t *count,
                            ff_error *error);
// Arrays within arrays, numbers innermost, of exactly this shape, under `key` of the object under `parent`.
//   out: [shape[0], ..., shape[rank - 1]]
ff_status ff_config_table(const ff_config *config, const char *parent, const char *key, int rank, const size_t *shape,
                          double *out, ff_error *error);

// ---- tensors ----
typedef struct ff_weights ff_weights;

// folder: holds diffusion_pytorch_model.safetensors or model.safetensors, their shards, or a variant of them (folder.h).
ff_status ff_weights_open(const char *folder, ff_weights **out, ff_error *error);
// One file, safetensors or, where it begins so, GGUF.
ff_status ff_weights_open_file(const char *path, ff_weights **out, ff_error *error);
// The same, but tensors that lie unaligned stay so: nothing is copied, however large the file.
ff_status ff_weights_open_unaligned(const char *path, ff_weights **out, ff_error *error);
// The same from any source, whose tensors have the names that the table maps diffusers' to; NULL: they have diffusers'.
// The source is closed with the weights, and also on failure. The table must outlive them.
ff_status ff_weights_open_source(const ff_weight_source *source, const ff_name_table *names, ff_weights **out,
                                 ff_error *error);
void ff_weights_close(ff_weights *weights);  // NULL allowed

// What they were opened from: a folder, or one file.
const char *ff_weights_origin(const ff_weights *weights);
// What they come from itself, for what else it holds.
const ff_weight_source *ff_weights_source(const ff_weights *weights);
size_t ff_weights_files(const ff_weights *weights);
const char *ff_weights_file(const ff_weights *weights, size_t i);  // the path of the i-th file opened
const char *ff_weights_variant(const ff_weights *weights);  // "fp16"; empty for plain files

size_t ff_weights_count(const ff_weights *weights);
// The i-th tensor in file order: its name and view.
const char *ff_weights_at(const ff_weights *weights, size_t i, ff_weight *out);
// Strings of the header's __metadata__ (first file); NULL if absent.
const char *ff_weights_metadata(const ff_weights *weights, const char *key);
// By the name that the source has for it. False if there is no such tensor.
bool ff_weights_find(const ff_weights *weights, const char *name, ff_weight *out);
// By diffusers' name, whatever its shape and type.
bool ff_weights_has(const ff_weights *weights, const char *name, ff_weight *out);

// Of several parts in one file, the one whose tensors' names begin so: from now on the prefix goes before every name
// that is asked for but in ff_weights_find, and only tensors with it are listed. Once, before anything else.
ff_status ff_weights_use_prefix(ff_weights *weights, const char *prefix, ff_error *error);
// A model's names go through this table from now on, unless the weights were opened with one.
void ff_weights_use_names(ff_weights *weights, const ff_name_table *names);
// A floating-point tensor that must exist with exactly this shape, by diffusers' name: of several names that the table
// has for it, the first that is there. Messages call it by the source's name. It may be a printf format
// ("blocks.%zu.bias").
ff_status ff_weights_get(const ff_weights *weights, ff_weight *out, ff_error *error, int rank, const size_t *shape,
                         const char *name_format, ...) __attribute__((format(printf, 6, 7)));
// The same as f32, `count` elements whatever the rank (a bias [n], a gamma [n, 1, 1, 1]); memory belongs to `weights`.
ff_status ff_weights_get_f32(ff_weights *weights, const float **out, ff_error *error, size_t count,
                             const char *name_format, ...) __attribute__((format(printf, 5, 6)));

// Lets the operating system take back the mapped pages; they are read again when touched.
void ff_weights_release_pages(const ff_weights *weights);

// ---- writing ----
// A safetensors file written tensor by tensor; nothing but the header is kept in memory. The file appears under its
// name only when ff_dump_finish succeeds.
typedef struct ff_dump ff_dump;

// most_tensors: upper bound on ff_dump_tensor calls, for the header's room. Metadata comes before the first of them.
ff_status ff_dump_create(const char *path, size_t most_tensors, ff_dump **out, ff_error *error);
ff_status ff_dump_metadata(ff_dump *dump, const char *key, const char *value, ff_error *error);
// NaNs are written as 0x7FC00000.
ff_status ff_dump_tensor(ff_dump *dump, const char *name, ff_dtype dtype, int rank, const size_t *shape,
                         const void *data, ff_error *error);
// The same in pieces: begin, then append `count` elements at a time until the shape is full. *at is where the next
// elements of the tensor go; several tensors may be begun before the first is full.
ff_status ff_dump_begin(ff_dump *dump, const char *name, ff_dtype dtype, int rank, const size_t *shape, size_t *at,
                        ff_error *error);
ff_status ff_dump_append(ff_dump *dump, size_t *at, ff_dtype dtype, const void *data, size_t count, ff_error *error);
ff_status ff_dump_finish(ff_dump *dump, ff_error *error);  // frees dump also on failure
void ff_dump_abandon(ff_dump *dump);                       // removes what was written; NULL allowed

#endif
