#include "commands.h"
#include "../line/edit_distance.h"

#include <stdio.h>
#include <string.h>

const ff_command ff_command_table[] = {
    {.bit = FF_COMMAND_T2I, .name = "t2i", .run = ff_command_t2i,
     .does = "text to stills",
     .usage = "-p PROMPT [-n 10] [-s SEED] -o DIR|X.png",
     .about = "Makes stills from a description. In a folder they are called seed-NNNN.png, with contact.png, a sheet "
              "of all of them with the seed under each; nothing that is there is overwritten. With -n and the name of "
              "a file, they are called X-seed-NNNN.png.",
     .example = "firstframe t2i -p \"portrait of a young woman with auburn hair\" -n 10 -o stills"},
    {.bit = FF_COMMAND_INPAINT, .name = "inpaint", .run = ff_command_inpaint,
     .does = "mend part of a still",
     .usage = "-i IMG (--mask M | --box X,Y,W,H) -p PROMPT -o OUT.png",
     .about = "Paints anew what is white in a mask, or a rectangle, and leaves every other pixel as it is: with its "
              "transparency, its 16 bits and its colour profile in a PNG; what another output cannot hold is said. What "
              "is painted is opaque, but for the mask's rim where it borders on transparency. The model works on an "
              "enlarged crop around it. With -n, variations go to OUT-seed-NNNN.png, with a contact sheet.",
     .example = "firstframe inpaint -i portrait.png --box 78,60,16,20 -p \"young woman with earrings\" -o mended.png"},
    {.bit = FF_COMMAND_I2V, .name = "i2v", .run = ff_command_i2v,
     .does = "still to clip",
     .usage = "-i IMG -p MOTION [--seconds S | --frames N] [--last J] -o OUT.webp",
     .about = "Animates a still: the prompt says what moves. The output is an animated WebP, numbered PNGs "
              "(f-%03d.png), a .y4m file, `-` for YUV4MPEG on standard output, or an .mp4, .webm or .gif, made by ffmpeg "
              "where it is installed. WebP and PNG have the still's colour profile; where the still is transparent, white is taken.",
     .example = "firstframe i2v -i portrait.png -p \"She slowly turns her head toward the camera.\" --seconds 3 "
                "-o turn.webp"},
    {.bit = FF_COMMAND_T2V, .name = "t2v", .run = ff_command_t2v,
     .does = "text to clip, without a still",
     .usage = "-p PROMPT [--seconds S | --frames N] -o OUT.webp",
     .about = "Makes a clip from a description alone, to see how much a first frame helps. Outputs as for i2v.",
     .example = "firstframe t2v -p \"a young woman turns her head toward the camera\" --seconds 3 -o loose.webp"},
    {.bit = FF_COMMAND_COMPARE, .name = "compare", .run = ff_command_compare,
     .does = "what the still is worth: the same idea with and without it, measured",
     .usage = "-p STILL --motion MOTION [-i IMG] [-n 4] -o DIR",
     .about = "Makes a still from -p, or takes the one of -i; animates it with --motion alone, and makes the same from "
              "text alone (\"STILL. MOTION\"), with the same seeds, steps and size. Writes into the folder every clip, "
              "the pairs side by side, and report.html and report.json with figures of how far clips drift from their "
              "own first frame and how differently the seeds draw the same idea.",
     .example = "firstframe compare -p \"portrait of a young woman with auburn hair\" --motion \"she turns her head\" "
                "-o compared"},
    {.bit = FF_COMMAND_EXPLAIN, .name = "explain", .run = ff_command_explain,
     .does = "how a clip comes out of a still, on one page",
     .usage = "-i IMG -p PROMPT -o DIR [--ablate timestep|known|attention|all]",
     .about = "Animates a still and shows what happened on the way: its latents, which tokens are known, the clip that "
              "the model has in mind at each step, who attends to the first frame, what each word looks at. --ablate "
              "takes away what holds the first frame and shows what becomes of the clip.",
     .example = "firstframe explain -i portrait.png -p \"she turns her head\" --ablate all -o explained"},
    {.bit = FF_COMMAND_INSPECT, .name = "inspect", .run = ff_command_inspect,
     .does = "what a model folder, a picture or a tensor file holds",
     .usage = "DIR|FILE",
     .about = "For a model folder: its classes, sizes, parameters and defaults. For a PNG or WebP made here: how it "
              "was made. For a safetensors file: its tensors.",
     .example = "firstframe inspect turn.webp"},
    {.bit = FF_COMMAND_MODELS, .name = "models", .run = ff_command_models,
     .does = "which models to download, and how to run them",
     .usage = "[--json]",
     .about = "Lists models that are published and run here, without asking the network: their files, how much disk and "
              "memory they take, the lines that download them and the line that makes a clip. The first suits a "
              "computer with 16 GB of memory.",
     .example = "firstframe models"},
    {.bit = FF_COMMAND_AGAIN, .name = "again", .run = ff_command_again,
     .does = "make a file once more from what is written in it",
     .usage = "FILE [-o OUT]",
     .about = "Runs once more what made FILE, as its metadata tells, and fails if the frames are not the same to the "
              "bit. Writes them only if -o says where. Input pictures are looked for where they were, then beside "
              "FILE; -i, --last, --mask and --load tell of another place.",
     .example = "firstframe again turn.webp"},
    {.bit = FF_COMMAND_BENCH, .name = "bench", .run = ff_command_bench,
     .does = "how fast this machine computes, stage by stage",
     .usage = "[-m DIR | --dims ti2v-5b [--blocks N]] [--size WxH] [--frames N] [--only STAGE]",
     .about = "Times the stages of i2v: the text encoder over 512 tokens, one evaluation of the transformer (without "
              "embedding the text), encoding the still and decoding the clip. Says for each the products it executed, "
              "their share of what fused multiply-adds alone reach here, measured in the same run, and what OpenBLAS's "
              "sgemm, where it is installed, does on products of the same shapes. A stage runs at least twice unless "
              "that takes more than a minute, up to ten times within three seconds, and the fastest counts.",
     .example = "firstframe bench --dims ti2v-5b --blocks 2 --size 640x352 --frames 25"},
    {.bit = FF_COMMAND_CONVERT, .name = "convert", .run = ff_command_convert,
     .does = "a part of a model as one file, of a smaller element type",
     .usage = "[-m DIR] [--part NAME] --type q8_0|bf16|f16 -o FILE.gguf|FILE.safetensors",
     .about = "Writes a transformer or a text encoder of a model folder as one file. GGUF has the names that others' "
              "readers expect, the original's; what is quantised is what ComfyUI-GGUF's converter quantises, with the "
              "bytes that gguf-py makes of it. Safetensors keeps the names.",
     .example = "firstframe convert -m Wan2.2-TI2V-5B-Diffusers --type q8_0 -o wan2.2-ti2v-5b-q8_0.gguf"},
    {.bit = FF_COMMAND_DIFF, .name = "diff", .run = ff_command_diff,
     .does = "where two dumps of a run part",
     .usage = "A.safetensors B.safetensors [--tolerance X] [--map FILE] [--plot X.png] [--heat-map X.png]",
     .about = "Compares two dumps, tensor by tensor in the order in which a run computes them: the largest difference, "
              "its L2 norm relative to A's, cosine, percentiles of the distance in steps between floats (ULP), and how "
              "many are NaN or infinite. Says where they first part by more than the tolerance. Frames are compared as "
              "pictures, with PSNR and SSIM. A dump comes from --dump, from tools/dump_diffusers.py, or from any "
              "program that writes safetensors. Exit status: 0 the same within the tolerance, 1 different, 2 trouble.",
     .example = "firstframe diff ours.safetensors theirs.safetensors --tolerance \"call.*=1e-4\" --plot error.png"},
    {.bit = FF_COMMAND_VERIFY, .name = "verify", .run = ff_command_verify,
     .does = "where another program goes wrong",
     .usage = "THEIRS.safetensors [-m MODEL]",
     .about = "Judges the dump of another program against a model: computes each stage anew from the dump's own "
              "inputs, compares, and says which stage is first at fault and what mistake explains it. What may be "
              "rounding is measured, for the dump's precision, against the same stage in double. Dumps come from "
              "tools/dump_diffusers.py or any program that writes safetensors with the names that `firstframe --dump` "
              "gives. Exit status: 0 equal or rounding, 1 a fault, 2 trouble.",
     .example = "firstframe verify theirs.safetensors -m Wan2.2-TI2V-5B-Diffusers"},
};

const size_t ff_command_count = sizeof ff_command_table / sizeof ff_command_table[0];

const ff_command *ff_command_find(const char *name)
{
    for (size_t i = 0; i < ff_command_count; i++)
        if (strcmp(ff_command_table[i].name, name) == 0)
            return &ff_command_table[i];
    return NULL;
}

const char *ff_command_name(unsigned bit)
{
    for (size_t i = 0; i < ff_command_count; i++)
        if (ff_command_table[i].bit == bit)
            return ff_command_table[i].name;
    return "?";
}

void ff_command_names(unsigned bits, char *out, size_t capacity)
{
    size_t length = 0, left = 0;
    *out = 0;
    for (size_t i = 0; i < ff_command_count; i++)
        left += (bits & ff_command_table[i].bit) != 0;
    for (size_t i = 0; i < ff_command_count && length < capacity; i++) {
        if (!(bits & ff_command_table[i].bit))
            continue;
        left--;
        length += (size_t)snprintf(out + length, capacity - length, "%s%s", ff_command_table[i].name,
                                   left == 0 ? "" : left == 1 ? " and " : ", ");
    }
}

ff_status ff_command_refuse(const char *typed, ff_error *error)
{
    const ff_command *nearest = NULL;
    size_t distance = 3;
    if (typed[0] == '-')
        return ff_fail(error, FF_ERROR_INPUT, "expected a command, found %.40s; firstframe --help lists them", typed);
    for (size_t i = 0; i < ff_command_count; i++) {
        size_t away = ff_edit_distance(ff_command_table[i].name, typed);
        if (away < distance) {
            distance = away;
            nearest = &ff_command_table[i];
        }
    }
    if (nearest)
        return ff_fail(error, FF_ERROR_INPUT, "unknown command \"%.40s\"; did you mean %s?", typed, nearest->name);
    return ff_fail(error, FF_ERROR_INPUT, "unknown command \"%.40s\"; firstframe --help lists those there are", typed);
}
