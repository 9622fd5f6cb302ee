#include "content.h"

#include <stdio.h>
#include <string.h>

#define MOST_QUOTED 60
#define LONGEST_MESSAGE 4096   // longer texts are no server's answer

typedef struct signature {
    const char *bytes;
    size_t size;
    bool any_case;
    const char *name;
} signature;

#define SIGNATURE(bytes, any_case, name) {bytes, sizeof bytes - 1, any_case, name}
static const signature signatures[] = {
    SIGNATURE("version https://git-lfs.github.com/spec/", false,
              "a Git LFS pointer, which stands for a file that was not downloaded; `git lfs pull` in its folder "
              "fetches the file"),
    SIGNATURE("<!doctype html", true, "a web page, not the file that should have been downloaded"),
    SIGNATURE("<html", true, "a web page, not the file that should have been downloaded"),
    SIGNATURE("<?xml", true, "XML, perhaps a server's answer in place of the file"),
    SIGNATURE("PK\3\4", false, "a zip archive, as PyTorch's checkpoints are (.pt, .pth, .bin, .ckpt)"),
    SIGNATURE("\x80\2\x8A\nl\xFC\x9C""F\xF9 j\xA8P\x19", false, "a pickle, as PyTorch's older checkpoints are"),
    SIGNATURE("\x80\2}", false, "a pickle"),
    SIGNATURE("\x80\4\x95", false, "a pickle"),
    SIGNATURE("\x80\5\x95", false, "a pickle"),
    SIGNATURE("GGUF", false, "a GGUF file"),
    SIGNATURE("\x89HDF\r\n", false, "an HDF5 file, which is not supported"),
    SIGNATURE("\x1F\x8B\x08", false, "compressed with gzip"),
};

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool begins_with(const signature *sought, const char *text, size_t size)
{
    if (size < sought->size)
        return false;
    for (size_t i = 0; i < sought->size; i++)
        if ((sought->any_case ? lower(text[i]) : text[i]) != sought->bytes[i])
            return false;
    return true;
}

const char *ff_content_name(const void *bytes, size_t size)
{
    const char *text = bytes;
    size_t zeros = 0;
    for (; zeros < size && zeros < 512 && !text[zeros]; zeros++)
        ;
    if (zeros == 512 || (zeros == size && size))
        return "zeros where it begins, as a download that was not finished leaves";
    if (size >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0) {   // a byte order mark
        text += 3;
        size -= 3;
    }
    while (size && strchr(" \t\r\n", *text) && *text) {
        text++;
        size--;
    }
    for (size_t i = 0; i < sizeof signatures / sizeof *signatures; i++)
        if (begins_with(&signatures[i], text, size))
            return signatures[i].name;
    return NULL;
}

bool ff_content_describe(const void *bytes, size_t size, char out[FF_CONTENT_TEXT])
{
    const char *name = ff_content_name(bytes, size), *text = bytes;
    size_t quoted = 0;
    if (name) {
        snprintf(out, FF_CONTENT_TEXT, "%s", name);
        return true;
    }
    if (size > LONGEST_MESSAGE)
        return false;
    while (quoted < size && quoted < MOST_QUOTED && text[quoted] >= ' ' && text[quoted] <= '~')
        quoted++;
    if (quoted < 8 || (quoted < size && quoted < MOST_QUOTED && text[quoted] != '\n' && text[quoted] != '\r'))
        return false;
    snprintf(out, FF_CONTENT_TEXT, "text that begins \"%.*s\"", (int)quoted, text);
    return true;
}
