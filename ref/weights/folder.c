#include "folder.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"

#define MOST_SHARDS 1024

// STEM is diffusion_pytorch_model or model; a variant's name, as fp16, stands before the ending or the shard's number,
// in older files behind it.
typedef enum file_kind {
    SINGLE,     // STEM[.VARIANT].safetensors
    INDEX,      // STEM.safetensors.index[.VARIANT].json, STEM.safetensors.VARIANT.index.json
    SHARD,      // STEM[.VARIANT]-00001-of-00002.safetensors, STEM-00001-of-00002.VARIANT.safetensors
    FILE_KINDS
} file_kind;

typedef struct weight_file {
    const char *name;
    size_t stem;
    file_kind kind;
    char variant[sizeof ((ff_weight_files *)0)->variant];
    size_t shard, of;
} weight_file;

typedef struct folder {
    const char *path;
    ff_names names;            // all that lies in it
    weight_file *files;        // those that are called as weights are
    size_t count;
} folder;

static const struct {
    const char *name;
    file_kind order[FILE_KINDS];
} stems[] = {{"diffusion_pytorch_model", {INDEX, SINGLE, SHARD}}, {"model", {SINGLE, INDEX, SHARD}}};
enum { STEMS = sizeof stems / sizeof *stems };

// ---- names ----

static bool take(const char **at, const char *text)
{
    size_t length = strlen(text);
    if (strncmp(*at, text, length) != 0)
        return false;
    *at += length;
    return true;
}

// -00001-of-00002
static bool take_shard(const char **at, weight_file *file)
{
    const char *from = *at;
    char *end;
    if (from[0] != '-' || !isdigit((unsigned char)from[1]))
        return false;
    file->shard = strtoul(from + 1, &end, 10);
    if (strncmp(end, "-of-", 4) != 0 || !isdigit((unsigned char)end[4]))
        return false;
    file->of = strtoul(end + 4, &end, 10);
    if (file->of < 1 || file->of > MOST_SHARDS || file->shard < 1 || file->shard > file->of)
        return false;
    *at = end;
    return true;
}

// .VARIANT up to `stop`, which must be there; or `stop` alone, for the plain file.
static bool take_variant(const char **at, const char *stop, weight_file *file)
{
    const char *end;
    if (take(at, stop))
        return true;
    if (**at != '.' || !(end = strstr(*at + 1, stop)) || end == *at + 1 ||
        (size_t)(end - *at - 1) >= sizeof file->variant)
        return false;
    memcpy(file->variant, *at + 1, (size_t)(end - *at - 1));
    file->variant[end - *at - 1] = '\0';
    *at = end + strlen(stop);
    return true;
}

// Where a shard's number begins in "VARIANT-00001-of-00002...", or NULL.
static const char *find_shard(const char *at, weight_file *file)
{
    for (at = strchr(at, '-'); at; at = strchr(at + 1, '-')) {
        const char *end = at;
        if (take_shard(&end, file))
            return at;
    }
    return NULL;
}

static bool read_index_name(const char *at, weight_file *file)
{
    file->kind = INDEX;
    if (!take(&at, ".safetensors"))
        return false;
    if (take(&at, ".index"))
        return take_variant(&at, ".json", file) && !*at;
    return take_variant(&at, ".index.json", file) && !*at && file->variant[0];
}

// at: what follows the stem.
static bool read_weight_name(const char *at, weight_file *file)
{
    const char *number = find_shard(at, file), *after = number;
    size_t length = strlen(at), ending = strlen(".safetensors");
    if (length < ending || strcmp(at + length - ending, ".safetensors") != 0)
        return false;
    if (!number) {
        file->kind = SINGLE;
        return take_variant(&at, ".safetensors", file) && !*at;
    }
    file->kind = SHARD;
    take_shard(&after, file);
    if (number == at)
        return take_variant(&after, ".safetensors", file) && !*after;
    length = (size_t)(number - at);
    if (*at != '.' || length < 2 || length > sizeof file->variant || strcmp(after, ".safetensors") != 0)
        return false;
    memcpy(file->variant, at + 1, length - 1);
    file->variant[length - 1] = '\0';
    return true;
}

static bool read_name(const char *name, weight_file *out)
{
    for (size_t stem = 0; stem < STEMS; stem++) {
        const char *at = name;
        *out = (weight_file){.name = name, .stem = stem};
        if (take(&at, stems[stem].name) && (read_weight_name(at, out) || read_index_name(at, out)))
            return true;
    }
    return false;
}

// ---- the folder ----

static ff_status no_memory(const char *path, ff_error *error)
{
    return ff_fail(error, FF_ERROR_MEMORY, "%s: out of memory", path);
}

static ff_status read_folder(const char *path, folder *out, ff_error *error)
{
    *out = (folder){.path = path};
    ff_status status = ff_list_folder(path, &out->names, error);
    if (status)
        return status;
    if (!(out->files = calloc(out->names.count + 1, sizeof *out->files)))
        return no_memory(path, error);
    for (size_t i = 0; i < out->names.count; i++)
        out->count += read_name(out->names.at[i], &out->files[out->count]);
    return FF_OK;
}

static void free_folder(folder *in)
{
    ff_names_free(&in->names);
    free(in->files);
}

// Appends to a list of names for a sentence, of which the first few are said.
static void append_to_list(char *list, size_t capacity, size_t count, const char *name)
{
    size_t length = strlen(list);
    if (count < 3)
        snprintf(list + length, capacity - length, "%s%.80s", count ? ", " : "", name);
    else if (count == 3)
        snprintf(list + length, capacity - length, " and others");
}

static bool ends_with(const char *name, const char *ending)
{
    size_t length = strlen(name), size = strlen(ending);
    return length > size && strcmp(name + length - size, ending) == 0;
}

static bool ends_with_one_of(const char *name, const char *const *endings)
{
    while (*endings && !ends_with(name, *endings))
        endings++;
    return *endings != NULL;
}

// There are no weights: what lies there instead, as that tells what to do.
static ff_status refuse_others(const folder *in, ff_error *error)
{
    static const struct {
        const char *const endings[12], *then;
    } kinds[] = {
        {{".incomplete", ".part", ".crdownload", ".download", ".aria2", ".tmp"}, "; %s: the download was not finished"},
        {{".bin", ".pt", ".pth", ".ckpt", ".pkl", ".msgpack", ".h5", ".onnx", ".gguf", ".pb", ".bin.index.json"},
         ", only %s, which is not read; download the model's safetensors files, or let diffusers write them with the "
         "pipeline's save_pretrained(FOLDER)"},
        {{".safetensors"}, "; %s has another name"},
    };
    char what[900];
    int length = snprintf(what, sizeof what, "%.200s: no diffusion_pytorch_model.safetensors or model.safetensors (or "
                          "their .index.json) here", in->path);
    for (size_t kind = 0; kind < sizeof kinds / sizeof *kinds; kind++) {
        char list[300] = "";
        size_t count = 0;
        for (size_t i = 0; i < in->names.count; i++)
            if (ends_with_one_of(in->names.at[i], kinds[kind].endings))
                append_to_list(list, sizeof list, count++, in->names.at[i]);
        if (!count)
            continue;
        snprintf(what + length, sizeof what - (size_t)length, kinds[kind].then, list);
        break;
    }
    return ff_fail(error, FF_ERROR_INPUT, "%s", what);
}

static ff_status refuse_variants(const folder *in, ff_error *error)
{
    char list[300] = "";
    size_t count = 0;
    for (size_t i = 0; i < in->count; i++) {
        bool seen = false;
        for (size_t j = 0; j < i && !seen; j++)
            seen = strcmp(in->files[j].variant, in->files[i].variant) == 0;
        if (!seen)
            append_to_list(list, sizeof list, count++, in->files[i].variant);
    }
    return ff_fail(error, FF_ERROR_INPUT,
                   "%.200s: no plain weights here, but those of the variants %s; move away all but one", in->path,
                   list);
}

// ---- what is read ----

static ff_status append_path(const folder *in, const char *name, ff_weight_files *out, ff_error *error)
{
    char path[4096];
    if ((size_t)snprintf(path, sizeof path, "%s/%s", in->path, name) >= sizeof path)
        return ff_fail(error, FF_ERROR_INPUT, "%.200s...: the path is too long", in->path);
    for (size_t i = 0; i < out->files.count; i++)
        if (strcmp(out->files.at[i], path) == 0)
            return FF_OK;
    if (out->files.count == MOST_SHARDS)
        return ff_fail(error, FF_ERROR_INPUT, "%.200s: its index names more than %d files", in->path, MOST_SHARDS);
    char **longer = realloc(out->files.at, (out->files.count + 1) * sizeof *longer);
    if (!longer)
        return no_memory(in->path, error);
    out->files.at = longer;
    longer[out->files.count] = strdup(path);
    return longer[out->files.count] && ++out->files.count ? FF_OK : no_memory(in->path, error);
}

static bool holds(const folder *in, const char *name)
{
    return in->names.count && bsearch(&name, in->names.at, in->names.count, sizeof *in->names.at, ff_compare_names);
}

// The shards named in an index's weight_map, each once, in the order of their first tensor.
static ff_status take_indexed(const folder *in, const weight_file *index, ff_weight_files *out, ff_error *error)
{
    char path[4096], missing[300] = "";
    size_t missing_count = 0, before;
    cJSON *json;
    if ((size_t)snprintf(path, sizeof path, "%s/%s", in->path, index->name) >= sizeof path)
        return ff_fail(error, FF_ERROR_INPUT, "%.200s...: the path is too long", in->path);
    ff_status status = ff_json_read(path, &json, error);
    if (status)
        return status;
    const cJSON *map = ff_json_item(json, "weight_map"), *item;
    if (!cJSON_IsObject(map) || !map->child)
        status = ff_fail(error, FF_ERROR_INPUT, "%s: has no weight_map", path);
    cJSON_ArrayForEach(item, map)
    {
        if (status)
            break;
        if (!cJSON_IsString(item) || !item->valuestring[0] || strchr(item->valuestring, '/')) {
            status = ff_fail(error, FF_ERROR_INPUT, "%s: weight_map of %.100s is not a file name", path, item->string);
            break;
        }
        before = out->files.count;
        status = append_path(in, item->valuestring, out, error);
        if (!status && out->files.count > before && !holds(in, item->valuestring))
            append_to_list(missing, sizeof missing, missing_count++, item->valuestring);
    }
    if (!status && missing_count)
        status = ff_fail(error, FF_ERROR_INPUT, "%.300s: names files that are not here: %s", path, missing);
    cJSON_Delete(json);
    return status;
}

// Shards without an index: each holds its tensors' names, so that all of them together are as good as with one.
static ff_status take_shards(const folder *in, const weight_file *like, ff_weight_files *out, ff_error *error)
{
    char missing[160] = "";
    size_t missing_count = 0;
    for (size_t shard = 1; shard <= like->of; shard++) {
        const weight_file *found = NULL;
        for (size_t i = 0; i < in->count && !found; i++) {
            const weight_file *file = &in->files[i];
            if (file->kind == SHARD && file->stem == like->stem && file->of == like->of && file->shard == shard &&
                strcmp(file->variant, like->variant) == 0)
                found = file;
        }
        char name[32];
        snprintf(name, sizeof name, "%05zu-of-%05zu", shard, like->of);
        if (!found) {
            append_to_list(missing, sizeof missing, missing_count++, name);
            continue;
        }
        ff_status status = append_path(in, found->name, out, error);
        if (status)
            return status;
    }
    if (missing_count)
        return ff_fail(error, FF_ERROR_INPUT, "%.200s: %.100s lies here without %s", in->path, like->name, missing);
    return FF_OK;
}

static ff_status take_variant_files(const folder *in, const char *variant, ff_weight_files *out, bool *found,
                                    ff_error *error)
{
    *found = true;
    snprintf(out->variant, sizeof out->variant, "%s", variant);
    for (size_t stem = 0; stem < STEMS; stem++)
        for (size_t order = 0; order < FILE_KINDS; order++)
            for (size_t i = 0; i < in->count; i++) {
                const weight_file *file = &in->files[i];
                if (file->stem != stem || file->kind != stems[stem].order[order] || strcmp(file->variant, variant) != 0)
                    continue;
                if (file->kind == SINGLE)
                    return append_path(in, file->name, out, error);
                return file->kind == INDEX ? take_indexed(in, file, out, error) : take_shards(in, file, out, error);
            }
    *found = false;
    return FF_OK;
}

ff_status ff_weight_files_find(const char *path, ff_weight_files *out, ff_error *error)
{
    folder in;
    bool found = false;
    *out = (ff_weight_files){0};
    ff_status status = read_folder(path, &in, error);
    if (!status)
        status = take_variant_files(&in, "", out, &found, error);
    if (!status && !found && !in.count)
        status = refuse_others(&in, error);
    for (size_t i = 1; !status && !found && i < in.count; i++)
        if (strcmp(in.files[i].variant, in.files[0].variant) != 0)
            status = refuse_variants(&in, error);
    if (!status && !found)
        status = take_variant_files(&in, in.files[0].variant, out, &found, error);
    free_folder(&in);
    if (status)
        ff_weight_files_free(out);
    return status;
}

void ff_weight_files_free(ff_weight_files *files)
{
    ff_names_free(&files->files);
    *files = (ff_weight_files){0};
}
