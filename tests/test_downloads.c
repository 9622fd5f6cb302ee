// A component's folder as downloads leave it: variants and shards by the names that diffusers and transformers give
// them, and what is said where weights are missing, cut off, or something else. The files are made here.
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "golden.h"
#include "weights/content.h"

static char folder[] = "/tmp/ff-downloads-XXXXXX";

static void write_file(const char *name, const void *bytes, size_t size)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

// A safetensors file with one F32 tensor of one number.
static void write_weights(const char *name, const char *tensor, float value)
{
    char header[256];
    uint8_t bytes[300] = {0};
    int length = snprintf(header, sizeof header,
                          "{\"%s\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", tensor);
    bytes[0] = (uint8_t)length;
    memcpy(bytes + 8, header, (size_t)length);
    memcpy(bytes + 8 + length, &value, 4);
    write_file(name, bytes, 12 + (size_t)length);
}

static void empty_folder(void)
{
    char command[64];
    snprintf(command, sizeof command, "rm -rf %s/*", folder);
    assert_int_equal(system(command), 0);
}

// names: of files with one tensor each, x in the first, y in the second ..., whose value is the file's number. A name
// with .json maps the tensors to the names that follow it.
static void fill_folder(const char *const *names)
{
    static const char *const tensors[] = {"x", "y", "z", "w"};
    char index[1024];
    empty_folder();
    for (size_t i = 0; names[i]; i++) {
        if (!strstr(names[i], ".json")) {
            char tensor[2] = {tensors[i % 4][0], 0};
            write_weights(names[i], tensor, (float)i);
            continue;
        }
        strcpy(index, "{\"metadata\":{},\"weight_map\":{");
        for (size_t j = i + 1; names[j]; j++)
            sprintf(index + strlen(index), "%s\"%s\":\"%s\"", j > i + 1 ? "," : "", tensors[j % 4], names[j]);
        strcat(index, "}}");
        write_file(names[i], index, strlen(index));
    }
}

static void the_files_that_diffusers_names_are_read(void **state)
{
    static const struct {
        const char *files[6], *variant, *opened[3];
    } cases[] = {
        {{"model.safetensors", "model.fp16.safetensors"}, "", {"model.safetensors"}},
        {{"diffusion_pytorch_model.fp16.safetensors"}, "fp16", {"diffusion_pytorch_model.fp16.safetensors"}},
        {{"model.fp16.safetensors"}, "fp16", {"model.fp16.safetensors"}},
        {{"model.safetensors.index.fp16.json", "model.fp16-00001-of-00002.safetensors",
          "model.fp16-00002-of-00002.safetensors"}, "fp16",
         {"model.fp16-00001-of-00002.safetensors", "model.fp16-00002-of-00002.safetensors"}},
        // as older diffusers wrote them
        {{"diffusion_pytorch_model.safetensors.bf16.index.json",
          "diffusion_pytorch_model-00001-of-00002.bf16.safetensors",
          "diffusion_pytorch_model-00002-of-00002.bf16.safetensors"}, "bf16",
         {"diffusion_pytorch_model-00001-of-00002.bf16.safetensors",
          "diffusion_pytorch_model-00002-of-00002.bf16.safetensors"}},
        // without an index, all there
        {{"model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"}, "",
         {"model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"}},
        {{"diffusion_pytorch_model.fp16-00001-of-00001.safetensors"}, "fp16",
         {"diffusion_pytorch_model.fp16-00001-of-00001.safetensors"}},
        // a file beside shards: diffusers takes the shards, transformers the file
        {{"diffusion_pytorch_model.safetensors", "diffusion_pytorch_model.safetensors.index.json",
          "diffusion_pytorch_model-00001-of-00001.safetensors"}, "",
         {"diffusion_pytorch_model-00001-of-00001.safetensors"}},
        {{"model.safetensors", "model.safetensors.index.json", "model-00001-of-00001.safetensors"}, "",
         {"model.safetensors"}},
        // what is none of ours does not matter
        {{"model.safetensors", "other.safetensors", "model.fp16.safetensors", "model.bf16.safetensors"}, "",
         {"model.safetensors"}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ff_error error = {0};
        ff_weights *weights;
        size_t count = 0;
        fill_folder(cases[i].files);
        assert_ok(ff_weights_open(folder, &weights, &error), &error);
        assert_string_equal(ff_weights_variant(weights), cases[i].variant);
        for (; cases[i].opened[count] && count < ff_weights_files(weights); count++)
            assert_string_equal(ff_weights_file(weights, count) + sizeof folder, cases[i].opened[count]);
        assert_null(cases[i].opened[count]);
        assert_int_equal(count, ff_weights_files(weights));
        ff_weights_close(weights);
    }
}

static void what_is_missing_is_named(void **state)
{
    static const struct {
        const char *files[5], *expected[4];
    } cases[] = {
        {{NULL}, {"no diffusion_pytorch_model.safetensors or model.safetensors"}},
        {{"model.fp16.safetensors", "model.bf16.safetensors"}, {"no plain weights", "variants bf16, fp16"}},
        {{"model.fp16.safetensors", "model.safetensors.index.fp8.json", "model.fp8-00001-of-00001.safetensors"},
         {"variants fp16, fp8"}},
        {{"model-00001-of-00003.safetensors", "model-00003-of-00003.safetensors"},
         {"model-00001-of-00003.safetensors lies here without 00002-of-00003"}},
        {{"model.fp16-00002-of-00003.safetensors"}, {"without 00001-of-00003, 00003-of-00003"}},
        {{"diffusion_pytorch_model.bin"}, {"only diffusion_pytorch_model.bin, which is not read", "save_pretrained"}},
        {{"pytorch_model-00001-of-00002.bin", "pytorch_model-00002-of-00002.bin"},
         {"only pytorch_model-00001-of-00002.bin"}},
        {{"a.pt", "b.pth", "c.ckpt", "d.bin"}, {"only a.pt, b.pth, c.ckpt and others, which"}},
        {{"flax_model.msgpack"}, {"only flax_model.msgpack"}},
        {{"tf_model.h5"}, {"only tf_model.h5"}},
        {{"model.onnx"}, {"only model.onnx"}},
        {{"wan.safetensors"}, {"wan.safetensors has another name"}},
        {{"model.safetensors.incomplete"}, {"model.safetensors.incomplete: the download was not finished"}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ff_error error = {0};
        ff_weights *weights;
        fill_folder(cases[i].files);
        assert_int_equal(ff_weights_open(folder, &weights, &error), FF_ERROR_INPUT);
        assert_null(weights);
        assert_non_null(strstr(error.message, folder));
        for (size_t j = 0; cases[i].expected[j]; j++)
            if (!strstr(error.message, cases[i].expected[j]))
                fail_msg("case %zu: \"%s\" does not say \"%s\"", i, error.message, cases[i].expected[j]);
    }
    // an index whose shards are not all there
    ff_error error = {0};
    ff_weights *weights;
    char path[64];
    fill_folder((const char *[]){"model.safetensors.index.json", "model-00001-of-00002.safetensors",
                                 "model-00002-of-00002.safetensors", NULL});
    snprintf(path, sizeof path, "%s/model-00002-of-00002.safetensors", folder);
    assert_int_equal(remove(path), 0);
    assert_int_equal(ff_weights_open(folder, &weights, &error), FF_ERROR_INPUT);
    assert_non_null(strstr(error.message, "model.safetensors.index.json: names files that are not here: "
                                          "model-00002-of-00002.safetensors"));
    // as the cache of the hub leaves it: a link to what was not downloaded
    assert_int_equal(symlink("../../blobs/0123", path), 0);
    assert_int_equal(ff_weights_open(folder, &weights, &error), FF_ERROR_INPUT);
    assert_non_null(strstr(error.message, "model-00002-of-00002.safetensors: a link to a file that is not there"));
}

#define POINTER "version https://git-lfs.github.com/spec/v1\noid sha256:00ff\nsize 9978\n"
#define AS_BYTES(text) text, sizeof text - 1

static void what_a_file_is_instead_is_said(void **state)
{
    static const struct {
        const char *bytes;
        size_t size;
        const char *expected;
    } cases[] = {
        {AS_BYTES(POINTER), "it is a Git LFS pointer"},
        {AS_BYTES("\n<!DOCTYPE html><html>"), "it is a web page"},
        {AS_BYTES("<HTML><head>"), "it is a web page"},
        {AS_BYTES("<?xml version=\"1.0\"?><Error>"), "it is XML"},
        {AS_BYTES("PK\3\4\0\0\0\0\0\0archive/data.pkl"), "it is a zip archive, as PyTorch's"},
        {AS_BYTES("\x80\2\x8A\nl\xFC\x9C""F\xF9 j\xA8P\x19."), "it is a pickle"},
        {AS_BYTES("\x80\4\x95\0\0\0\0\0\0\0\0}"), "it is a pickle"},
        {AS_BYTES("GGUF\3\0\0\0\0\0\0\0"), "it is a GGUF file"},
        {AS_BYTES("\x89HDF\r\n\x1a\n\0\0\0\0"), "it is an HDF5 file"},
        {AS_BYTES("Entry not found"), "it is text that begins \"Entry not found\""},
        {AS_BYTES("Invalid username or password.\nsee"), "it is text that begins \"Invalid username or password.\""},
        {AS_BYTES("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"), "it is zeros where it begins"},
        {AS_BYTES(""), "0 bytes are no safetensors file"},
        {AS_BYTES("{}"), "2 bytes are no safetensors file"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ff_error error = {0};
        ff_weights *weights;
        empty_folder();
        write_file("model.safetensors", cases[i].bytes, cases[i].size);
        assert_int_equal(ff_weights_open(folder, &weights, &error), FF_ERROR_INPUT);
        if (!strstr(error.message, cases[i].expected) || !strstr(error.message, "/model.safetensors: "))
            fail_msg("\"%s\" does not say \"%s\"", error.message, cases[i].expected);
    }
}

static void a_config_that_is_something_else_is_said_to_be(void **state)
{
    ff_error error = {0};
    ff_config *config;
    assert_int_equal(ff_config_parse("c.json", POINTER, &config, &error), FF_ERROR_INPUT);
    assert_non_null(strstr(error.message, "c.json: not a JSON object: it is a Git LFS pointer"));
    assert_int_equal(ff_config_parse("c.json", "<html></html>", &config, &error), FF_ERROR_INPUT);
    assert_non_null(strstr(error.message, "it is a web page"));
}

static int make_folder(void **state)
{
    return mkdtemp(folder) == NULL;
}

static int remove_folder(void **state)
{
    empty_folder();
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_files_that_diffusers_names_are_read),
        cmocka_unit_test(what_is_missing_is_named),
        cmocka_unit_test(what_a_file_is_instead_is_said),
        cmocka_unit_test(a_config_that_is_something_else_is_said_to_be),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
