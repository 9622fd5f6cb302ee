// What a picture's numbers mean as colours goes into what is made of it: ICC profiles byte for byte, PNG's chunks; and
// a damaged profile is left out with a note. Files are made here byte by byte.
#include "in_process.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <webp/demux.h>
#include <zlib.h>

#include "codecs/colour_space.h"
#include "commands/commands.h"

#define BOX "--box", "3,2,5,5"

// ---- files ----

typedef struct bytes {
    uint8_t *data;
    size_t size;
} bytes;

static bytes joined(bytes a, bytes b)
{
    bytes out = {malloc(a.size + b.size + 1), a.size + b.size};
    memcpy(out.data, a.data, a.size);
    memcpy(out.data + a.size, b.data, b.size);
    return out;
}

static void put(uint8_t *out, size_t value, int count, bool big_endian)
{
    for (int i = 0; i < count; i++)
        out[big_endian ? count - 1 - i : i] = (uint8_t)(value >> (8 * i));
}

// Only what is looked at is as in a real one: length, signature and colour space. The rest is noise.
static bytes make_profile(size_t size, const char *space)
{
    bytes out = {malloc(size), size};
    for (size_t i = 0; i < size; i++)
        out.data[i] = (uint8_t)((i * 2654435761u + i * i * 40503u) >> 13);
    put(out.data, size, 4, true);
    memcpy(out.data + 16, space, 4);
    memcpy(out.data + 36, "acsp", 4);
    return out;
}

static bytes make_chunk(const char *type, bytes content)
{
    bytes out = {malloc(content.size + 12), content.size + 12};
    put(out.data, content.size, 4, true);
    memcpy(out.data + 4, type, 4);
    memcpy(out.data + 8, content.data, content.size);
    put(out.data + 8 + content.size, crc32(0, out.data + 4, (uInt)content.size + 4), 4, true);
    return out;
}

static bytes make_iccp(bytes profile)
{
    uLongf packed = compressBound(profile.size);
    bytes content = {calloc(1, packed + 6), 0};
    memcpy(content.data, "name", 4);
    assert_int_equal(compress(content.data + 6, &packed, profile.data, profile.size), Z_OK);
    content.size = packed + 6;
    bytes out = make_chunk("iCCP", content);
    free(content.data);
    return out;
}

// A file with `more` put in at `at`, which is freed.
static void save_with(const char *path, const char *golden, size_t at, bytes more)
{
    bytes whole;
    whole.data = load_bytes(golden_picture(golden), &whole.size);
    bytes first = joined((bytes){whole.data, at}, more);
    bytes out = joined(first, (bytes){whole.data + at, whole.size - at});
    save_bytes(path, out.data, out.size);
    free(whole.data);
    free(first.data);
    free(out.data);
    free(more.data);
}

#define BEHIND_IHDR 33

static void save_jpeg(const char *path, bytes profile, size_t part_size, size_t left_out)
{
    size_t parts = (profile.size + part_size - 1) / part_size;
    bytes all = {malloc(profile.size + parts * 18), 0};
    for (size_t i = 0; i < parts; i++) {
        size_t size = i + 1 < parts ? part_size : profile.size - i * part_size;
        uint8_t *out = all.data + all.size;
        if (i == left_out)
            continue;
        put(out, 0xffe2, 2, true);
        put(out + 2, size + 16, 2, true);
        memcpy(out + 4, "ICC_PROFILE", 12);
        out[16] = (uint8_t)(i + 1);
        out[17] = (uint8_t)parts;
        memcpy(out + 18, profile.data + i * part_size, size);
        all.size += 18 + size;
    }
    save_with(path, "baseline.jpg", 2, all);
}

// The golden's pixels in an extended WebP.
static void save_webp(const char *path, bytes profile)
{
    bytes pixels, head = {calloc(1, 38 + profile.size + 1), 38 + profile.size + profile.size % 2};
    pixels.data = load_bytes(golden_picture("lossless.webp"), &pixels.size);
    size_t from = memcmp(pixels.data + 12, "VP8X", 4) == 0 ? 30 : 12;
    memcpy(head.data, "RIFF....WEBPVP8X", 16);
    put(head.data + 4, head.size + pixels.size - from - 8, 4, false);
    put(head.data + 16, 10, 4, false);
    put(head.data + 20, 0x20, 4, false);
    put(head.data + 24, 37 - 1, 3, false);
    put(head.data + 27, 22 - 1, 3, false);
    memcpy(head.data + 30, "ICCP", 4);
    put(head.data + 34, profile.size, 4, false);
    memcpy(head.data + 38, profile.data, profile.size);
    bytes out = joined(head, (bytes){pixels.data + from, pixels.size - from});
    save_bytes(path, out.data, out.size);
    free(head.data);
    free(pixels.data);
    free(out.data);
}

// The content of a chunk before the pixels, *count being how many there are; empty if there is none. To be freed.
static bytes find_chunk(const char *path, const char *type, size_t *count)
{
    bytes file, out = {NULL, 0};
    file.data = load_bytes(path, &file.size);
    *count = 0;
    for (size_t at = 8; at + 12 <= file.size && memcmp(file.data + at + 4, "IDAT", 4) != 0;) {
        size_t length = (size_t)file.data[at] << 24 | (size_t)file.data[at + 1] << 16 | (size_t)file.data[at + 2] << 8 |
                        file.data[at + 3];
        if (memcmp(file.data + at + 4, type, 4) == 0 && ++*count == 1)
            out = joined((bytes){file.data + at + 8, length}, (bytes){file.data, 0});
        at += 12 + length;
    }
    free(file.data);
    return out;
}

static bytes profile_of_png(const char *path)
{
    size_t count;
    bytes chunk = find_chunk(path, "iCCP", &count), out = {NULL, 0};
    if (!count)
        return out;
    assert_int_equal(count, 1);
    uLongf size = 2 * FF_PROFILE_MOST_BYTES;
    size_t name = strlen((const char *)chunk.data);
    out.data = malloc(size);
    assert_int_equal(uncompress(out.data, &size, chunk.data + name + 2, chunk.size - name - 2), Z_OK);
    out.size = size;
    free(chunk.data);
    return out;
}

static bytes profile_of_webp(const char *path)
{
    bytes file, out = {NULL, 0};
    WebPChunkIterator chunk;
    file.data = load_bytes(path, &file.size);
    WebPData data = {file.data, file.size};
    WebPDemuxer *demuxer = WebPDemux(&data);
    assert_non_null(demuxer);
    if (WebPDemuxGetI(demuxer, WEBP_FF_FORMAT_FLAGS) & ICCP_FLAG) {
        assert_true(WebPDemuxGetChunk(demuxer, "ICCP", 1, &chunk));
        out = joined((bytes){(uint8_t *)(uintptr_t)chunk.chunk.bytes, chunk.chunk.size}, (bytes){file.data, 0});
        WebPDemuxReleaseChunkIterator(&chunk);
    }
    WebPDemuxDelete(demuxer);
    free(file.data);
    return out;
}

// expected: empty for none
static void assert_profile(const char *name, bytes expected)
{
    bytes found = strstr(name, ".webp") ? profile_of_webp(inside(name)) : profile_of_png(inside(name));
    if (found.size != expected.size || (found.size && memcmp(found.data, expected.data, found.size) != 0))
        fail_msg("%s has a profile of %zu bytes, not the %zu it should have", name, found.size, expected.size);
    free(found.data);
}

// ---- tests ----

static void save_input(int kind, bytes profile)
{
    if (kind == 0)
        save_with(inside("in"), "rgb8.png", BEHIND_IHDR, make_iccp(profile));
    else if (kind == 1)
        save_jpeg(inside("in"), profile, 65519, SIZE_MAX);
    else
        save_webp(inside("in"), profile);
}

static void a_profile_goes_into_every_output_that_holds_one(void **state)
{
    static const size_t sizes[] = {132, 3145, 200001, FF_PROFILE_MOST_BYTES};  // the longer ones in many APP2 segments
    for (size_t s = 0; s < 4; s++)
        for (int kind = 0; kind < 3; kind++) {
            bytes profile = make_profile(sizes[s], "RGB ");
            save_input(kind, profile);
            char *notes = RUN(FF_COMMAND_INPAINT, inside("in"), inside("a.png"), BOX);
            assert_string_equal(notes, "");
            free(notes);
            free(RUN(FF_COMMAND_INPAINT, inside("in"), inside("a.webp"), BOX));
            assert_profile("a.png", profile);
            assert_profile("a.webp", profile);
            if (s == 1) {
                free(RUN(FF_COMMAND_INPAINT, inside("in"), inside("b.png"), BOX, "-n", "2"));
                assert_profile("b-seed-0001.png", profile);
                assert_profile("b-contact.png", profile);
                remove(inside("b-seed-0000.png"));
                remove(inside("b-seed-0001.png"));
                remove(inside("b-contact.png"));
                free(run_words(FF_COMMAND_AGAIN, FF_OK, (const char *[]){inside("a.png"), "-o", inside("again.webp"),
                                                                         "-m", TINY_MODEL, NULL}));
                assert_profile("again.webp", profile);
                notes = RUN(FF_COMMAND_INPAINT, inside("in"), inside("a.y4m"), BOX);
                assert_non_null(strstr(notes, "the picture's colour profile cannot go into YUV4MPEG2; a PNG keeps it"));
                free(notes);
            }
            free(profile.data);
        }
}

static void a_clip_has_its_stills_profile(void **state)
{
    bytes profile = make_profile(1001, "RGB ");
    for (int kind = 0; kind < 3; kind++) {
        save_input(kind, profile);
        free(RUN(FF_COMMAND_I2V, inside("in"), inside("a.webp"), "--frames", "5"));
        free(RUN(FF_COMMAND_I2V, inside("in"), inside("f-%d.png"), "--frames", "5", "--keep-first"));
        assert_profile("a.webp", profile);
        assert_profile("f-0.png", profile);
        assert_profile("f-4.png", profile);
    }
    size_t size;
    uint8_t *clip = load_bytes(inside("a.webp"), &size);
    WebPAnimDecoder *decoder = WebPAnimDecoderNew(&(WebPData){clip, size}, NULL);
    WebPAnimInfo info;
    assert_true(decoder && WebPAnimDecoderGetInfo(decoder, &info));
    assert_int_equal(info.frame_count, 5);
    WebPAnimDecoderDelete(decoder);
    free(clip);
    char *notes = RUN(FF_COMMAND_I2V, inside("in"), inside("a.y4m"), "--frames", "5", "--last",
                      golden_picture("rgb8.png"));
    assert_non_null(strstr(notes, "colour profile cannot go into YUV4MPEG2"));
    assert_non_null(strstr(notes, "have different colour profiles"));
    free(notes);
    notes = RUN(FF_COMMAND_I2V, golden_picture("rgba16.png"), inside("a.webp"), "--frames", "5", "--keep-first");
    assert_non_null(strstr(notes, "rgba16.png is transparent in part; the clip shows white there"));
    assert_non_null(strstr(notes, "has 16 bits a sample; frame 0 has 8, as the others"));
    free(notes);
    free(profile.data);
}

static uint8_t wide_gamut[32] = {0, 0, 0x7a, 0x26, 0, 0, 0x80, 0x84, 0, 1, 0x09, 0xa0, 0, 0, 0x80, 0xe8,
                                 0, 0, 0x52, 0x08, 0, 1, 0x15, 0x38, 0, 0, 0x3a, 0x98, 0, 0, 0x17, 0x70};

static void what_png_says_without_a_profile_goes_into_a_png(void **state)
{
    static const struct {
        const char *type;
        uint8_t bytes[32];
        size_t size;
        bool standard;  // means what nothing at all means
    } chunks[] = {{"sRGB", {1}, 1, true}, {"gAMA", {0, 0, 0xb1, 0x8f}, 4, true},
                  {"gAMA", {0, 1, 0x86, 0xa0}, 4, false}, {"cICP", {9, 16, 0, 1}, 4, false}, {"cICP", {1, 13, 0, 1}, 4, true},
                  {"mDCV", {1, 2, 3}, 24, true}, {"cLLI", {1, 2, 3}, 8, true}};
    for (size_t i = 0; i < sizeof chunks / sizeof *chunks; i++) {
        size_t count;
        uint8_t copy[32];
        memcpy(copy, chunks[i].bytes, 32);
        bytes once = make_chunk(chunks[i].type, (bytes){copy, chunks[i].size});
        copy[0] ^= 1;
        bytes other = make_chunk(chunks[i].type, (bytes){copy, chunks[i].size});
        save_with(inside("in"), "grey8.png", BEHIND_IHDR, joined(once, other));  // of two, the first counts
        free(RUN(FF_COMMAND_INPAINT, inside("in"), inside("a.png"), BOX));
        bytes found = find_chunk(inside("a.png"), chunks[i].type, &count);
        assert_int_equal(count, 1);
        assert_int_equal(found.size, chunks[i].size);
        assert_memory_equal(found.data, chunks[i].bytes, found.size);
        free(found.data);
        char *notes = RUN(FF_COMMAND_INPAINT, inside("in"), inside("a.webp"), BOX);
        bool said = strstr(notes, "statement of its colours (cICP, gAMA or cHRM) cannot go into a WebP") != NULL;
        if (said == chunks[i].standard)
            fail_msg("%s: notes are \"%s\"", chunks[i].type, notes);
        free(notes);
        free(once.data);
        free(other.data);
    }
    size_t count;
    uint8_t animation[8] = {0, 0, 0, 7};
    save_with(inside("in"), "rgb8.png", BEHIND_IHDR, make_chunk("acTL", (bytes){animation, 8}));
    char *notes = RUN(FF_COMMAND_INPAINT, inside("in"), inside("a.png"), BOX);
    assert_non_null(strstr(notes, "is an animation; its first frame of 7 is taken"));
    free(notes);
    save_with(inside("in"), "rgb8.png", BEHIND_IHDR, make_chunk("cHRM", (bytes){wide_gamut, 32}));
    free(RUN(FF_COMMAND_I2V, inside("in"), inside("f-%d.png"), "--frames", "5"));
    free(find_chunk(inside("f-4.png"), "cHRM", &count).data);
    assert_int_equal(count, 1);
}

// The picture is read, without the profile, and a note says why.
static void assert_left_out(const char *reason)
{
    char *notes = RUN(FF_COMMAND_INPAINT, inside("in"), inside("a.png"), BOX);
    if (!strstr(notes, "in is left out: ") || !strstr(notes, reason))
        fail_msg("no \"%s\" in \"%s\"", reason, notes);
    free(notes);
    assert_profile("a.png", (bytes){NULL, 0});
}

// what: of a chunk's content; the profile is freed
static void save_damaged(bytes profile, void (*damage)(bytes *content))
{
    bytes chunk = make_iccp(profile);
    bytes content = joined((bytes){chunk.data + 8, chunk.size - 12}, (bytes){chunk.data, 0});
    damage(&content);
    save_with(inside("in"), "rgb8.png", BEHIND_IHDR, make_chunk("iCCP", content));
    free(chunk.data);
    free(content.data);
    free(profile.data);
}

static void cut(bytes *content) { content->size /= 2; }
static void garble(bytes *content) { content->data[content->size / 2] ^= 0x55; }
static void unname(bytes *content) { memset(content->data, 'x', content->size); }
static void change_method(bytes *content) { content->data[5] = 1; }
static void shorten(bytes *content) { content->size = 3; }
static void leave(bytes *content) {}

static void a_broken_profile_is_left_out_with_a_note(void **state)
{
    bytes profile = make_profile(3000, "RGB "), zeros = {calloc(1, 64 << 20), 64 << 20};
    save_damaged(make_profile(3000, "RGB "), cut);
    assert_left_out("it cannot be unpacked");
    save_damaged(make_profile(3000, "RGB "), garble);
    assert_left_out("it cannot be unpacked");
    save_damaged(make_profile(3000, "RGB "), unname);
    assert_left_out("does not begin as iCCP does");
    save_damaged(make_profile(3000, "RGB "), change_method);
    assert_left_out("does not begin as iCCP does");
    save_damaged(make_profile(3000, "RGB "), shorten);
    assert_left_out("does not begin as iCCP does");
    save_damaged(zeros, leave);  // 64 MiB in 64 KiB
    assert_left_out("it is larger than 4 MiB");
    save_damaged(make_profile(FF_PROFILE_MOST_BYTES + 1, "RGB "), leave);
    assert_left_out("it is larger than 4 MiB");
    save_damaged(make_profile(3000, "GRAY"), leave);
    assert_left_out("it is one for GRAY, and what is written is RGB");
    bytes lying = make_profile(3000, "RGB ");
    memset(lying.data, 0xff, 4);  // 4 GB
    save_damaged(lying, leave);
    assert_left_out("its length is not the one it states");
    lying = make_profile(3000, "RGB ");
    put(lying.data, 7, 4, true);
    save_damaged(lying, leave);
    assert_left_out("its length is not the one it states");
    bytes chunk = make_iccp(profile);
    chunk.data[chunk.size - 1] ^= 1;
    save_with(inside("in"), "rgb8.png", BEHIND_IHDR, chunk);
    assert_left_out("its checksum is wrong");

    save_jpeg(inside("in"), profile, 700, 2);
    assert_left_out("parts of it are missing");
    bytes large = make_profile(FF_PROFILE_MOST_BYTES + 1, "RGB ");
    save_jpeg(inside("in"), large, 65519, SIZE_MAX);
    assert_left_out("it is larger than 4 MiB");
    save_webp(inside("in"), large);
    assert_left_out("it is larger than 4 MiB");
    free(large.data);
    save_webp(inside("in"), (bytes){profile.data + 1, 400});
    assert_left_out("does not begin as ICC profiles do");
    save_webp(inside("in"), (bytes){profile.data, 60});
    assert_left_out("does not begin as ICC profiles do");
    bytes cmyk = make_profile(3000, "CMYK");
    save_jpeg(inside("in"), cmyk, 65519, SIZE_MAX);
    assert_left_out("it is one for CMYK");
    free(cmyk.data);
    free(profile.data);
}

// Padded behind its end, given twice, in a grey picture: what counts is what the file says of RGB.
static void an_odd_profile_is_carried(void **state)
{
    bytes profile = make_profile(3001, "RGB "), other = make_profile(400, "RGB "), padded = joined(profile, other);
    save_with(inside("in"), "rgb8.png", BEHIND_IHDR, make_iccp(padded));
    free(RUN(FF_COMMAND_INPAINT, inside("in"), inside("a.png"), BOX));
    assert_profile("a.png", profile);
    bytes first = make_iccp(profile), second = make_iccp(other);
    save_with(inside("in"), "grey-alpha16.png", BEHIND_IHDR, joined(first, second));
    free(RUN(FF_COMMAND_INPAINT, inside("in"), inside("a.png"), BOX));
    assert_profile("a.png", profile);
    free(first.data);
    free(second.data);
    free(profile.data);
    free(other.data);
    free(padded.data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_profile_goes_into_every_output_that_holds_one),
        cmocka_unit_test(a_clip_has_its_stills_profile),
        cmocka_unit_test(what_png_says_without_a_profile_goes_into_a_png),
        cmocka_unit_test(a_broken_profile_is_left_out_with_a_note),
        cmocka_unit_test(an_odd_profile_is_carried),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
