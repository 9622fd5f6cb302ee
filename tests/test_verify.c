// `verify` names the stage and the cause of injected faults. The faulty program is this one with what verify_faults.c
// changes; tests/inject_diffusers.py does the same to diffusers itself.
#include <cjson/cJSON.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "golden.h"
#include "check/verify/verify_parts.h"
#include "model_copy.h"
#include "base/system.h"
#include "verify_faults.h"

static const char *model_name;   // of the model that dumps are judged against

// ---- runs and verdicts ----

static void link_model(const char *name)
{
    model_name = name;
    model_copy_link(name);
}

// A run of the folder's model with a dump at block level: a still animated, or text to video.
static void run_folder(verify_job what, const char *dump)
{
    ff_error error = {0};
    ff_model *model;
    uint8_t pixels[3 * 48 * 32];
    ff_image still = {48, 32, pixels};
    bool anchored = strcmp(what.model, "tiny-ti2v") == 0;
    for (size_t i = 0; i < sizeof pixels; i++)
        pixels[i] = (uint8_t)(i * i / 37 + 5 * (i % 3));
    assert_ok(ff_model_open(model_copy_folder(), &model, &error), &error);
    ff_request request = ff_request_default(anchored ? FF_IMAGE_TO_VIDEO : FF_TEXT_TO_VIDEO);
    request.prompt = "Portrait of a young woman, soft light";
    request.negative_prompt = "blurry";
    request.seed = 6;
    request.width = 48;
    request.height = 32;
    request.frames = 5;
    request.steps = VERIFY_STEPS;
    request.guidance_scale = 4;
    request.scheduler = what.scheduler;
    request.image = anchored ? &still : NULL;
    request.fit = FF_FIT_STRETCH;
    request.dump_path = dump;
    request.dump_detail = FF_DETAIL_BLOCK;
    request.threads = what.threads ? what.threads : 1;
    assert_ok(ff_run(model, &request, NULL, &error), &error);
    ff_model_close(model);
}

static ff_status judge(const char *model_folder, const char *dump, ff_verification **out, ff_error *error)
{
    ff_model *model;
    assert_ok(ff_model_open(model_folder, &model, error), error);
    ff_status status = ff_verify(model, dump, 1, out, error);
    ff_model_close(model);
    return status;
}

static ff_verification *verdict_of(const char *dump)
{
    ff_error error = {0};
    ff_verification *found;
    char model_folder[512];
    snprintf(model_folder, sizeof model_folder, "%s%s", MODELS, model_name);
    assert_ok(judge(model_folder, dump, &found, &error), &error);
    return found;
}

static const ff_stage_finding *stage_of(const ff_verification *found, const char *stage)
{
    for (size_t i = 0; i < found->count; i++)
        if (strcmp(found->stages[i].stage, stage) == 0)
            return &found->stages[i];
    fail_msg("no stage %s", stage);
    return NULL;
}

static void inject(const fault *f)
{
    const char *dump = model_copy_path("dump.safetensors"), *changed = model_copy_path("changed.safetensors");
    link_model(f->run.model);
    if (f->folder)
        f->folder();
    run_folder(f->run, dump);
    rewrite_tensors(dump, changed, NULL, f->dump, f->key, f->value);
    ff_verification *found = verdict_of(changed);
    if (found->first_fault == found->count)
        fail_msg("%s: no fault was found", f->name);
    const ff_stage_finding *first = &found->stages[found->first_fault];
    if (strcmp(first->stage, f->stage) != 0 || !strstr(first->cause, f->cause) || (!*f->cause && first->cause[0]))
        fail_msg("%s: blamed on %s (%s: %.3g, rounding %.3g): %s", f->name, first->stage, first->tensor, first->error,
                 first->expected, first->cause);
    ff_verification_free(found);
    remove(changed);
    remove(dump);
}

static void test_injected_faults_are_blamed_on_the_right_stage_and_cause(void **state)
{
    for (size_t i = 0; i < fault_count; i++)
        inject(&faults[i]);
}

// With nothing changed every stage has our bits; so the replays, which have mistakes as switches, are the stages.
static void test_an_own_dump_is_equal_in_every_stage(void **state)
{
    static const verify_job jobs[] = {STILL, TEXT, {"tiny-ti2v", FF_SCHEDULER_EULER, 3},
                                      {"tiny-t2v", FF_SCHEDULER_UNIPC, 2}};
    for (size_t i = 0; i < sizeof jobs / sizeof *jobs; i++) {
        link_model(jobs[i].model);
        run_folder(jobs[i], model_copy_path("dump.safetensors"));
        ff_verification *found = verdict_of(model_copy_path("dump.safetensors"));
        assert_string_equal(found->not_finite, "");
        for (size_t k = 0; k < found->count; k++) {
            const ff_stage_finding *stage = &found->stages[k];
            bool absent = strcmp(stage->stage, "vae_encode") == 0 && strcmp(jobs[i].model, "tiny-t2v") == 0;
            if (stage->verdict != (absent ? FF_NOT_JUDGED : FF_EQUAL))
                fail_msg("%s: %s is %s (%s: %.3g)", jobs[i].model, stage->stage, ff_verdict_name(stage->verdict),
                         stage->tensor, stage->error);
        }
        ff_verification_free(found);
    }
}

static void test_weights_in_bf16_are_called_rounding(void **state)
{
    link_model("tiny-ti2v");
    bfloat_weights();
    run_folder((verify_job)STILL, model_copy_path("dump.safetensors"));
    ff_verification *found = verdict_of(model_copy_path("dump.safetensors"));
    if (found->verdict != FF_ROUNDING)
        fail_msg("blamed on %s: %s", found->stages[found->first_fault].stage, found->stages[found->first_fault].cause);
    assert_non_null(strstr(stage_of(found, "transformer.block.00")->cause, "weights are rounded to bf16"));
    ff_verification_free(found);
}

// diffusers' own runs, single precision, in the golden set.
static void test_goldens_of_diffusers_are_called_rounding(void **state)
{
    static const char *const runs[] = {"ti2v-i2v", "ti2v-i2v-last", "ti2v-inpaint", "ti2v-inpaint-strength", "ti2v-t2i",
                                       "ti2v-t2i-euler", "t2v-t2v", "t2v-t2i-unipc", "t2v-t2v-unguided"};
    for (size_t i = 0; i < sizeof runs / sizeof *runs; i++) {
        char path[512];
        model_name = runs[i][1] == 'i' ? "tiny-ti2v" : "tiny-t2v";
        snprintf(path, sizeof path, "%s/diffusers/runs/%s.safetensors", FF_GOLDEN, runs[i]);
        ff_verification *found = verdict_of(path);
        if (found->verdict != FF_ROUNDING)
            fail_msg("%s: %s at %s (%s: %.3g): %s", runs[i], ff_verdict_name(found->verdict),
                     found->stages[found->first_fault].stage, found->stages[found->first_fault].tensor,
                     found->stages[found->first_fault].error, found->stages[found->first_fault].cause);
        ff_verification_free(found);
    }
}

// The published set: every stage is judged and none at fault, and its files are those of the manifest.
static void test_the_conformance_set_conforms(void **state)
{
    static const struct {
        const char *name, *model;
    } runs[] = {{"i2v", "tiny-ti2v"}, {"t2v", "tiny-t2v"}, {"i2v-bfloat16", "tiny-ti2v"}};
    for (size_t i = 0; i < sizeof runs / sizeof *runs; i++) {
        char path[512];
        model_name = runs[i].model;
        snprintf(path, sizeof path, "%s/conformance/%s.safetensors", FF_GOLDEN, runs[i].name);
        ff_verification *found = verdict_of(path);
        for (size_t k = 0; k < found->count; k++) {
            const ff_stage_finding *stage = &found->stages[k];
            bool absent = strcmp(stage->stage, "vae_encode") == 0 && strcmp(runs[i].name, "t2v") == 0;
            if ((stage->verdict == FF_NOT_JUDGED) != absent || stage->verdict == FF_FAULT)
                fail_msg("%s: %s is %s (%s: %.3g): %s", runs[i].name, stage->stage, ff_verdict_name(stage->verdict),
                         stage->tensor, stage->error, stage->cause);
        }
        ff_verification_free(found);
    }
}

static void assert_hash(const char *file, const char *expected)
{
    char path[512], digits[65];
    ff_mapping bytes;
    ff_error error = {0};
    snprintf(path, sizeof path, "%s/%s", FF_GOLDEN, file);
    assert_ok(ff_map_file(path, &bytes, &error), &error);
    print_sha256(bytes.data, bytes.size, digits);
    ff_unmap_file(&bytes);
    if (strcmp(digits, expected) != 0)
        fail_msg("%s is not the file of the manifest", file);
}

static void test_the_manifest_names_the_files_that_are_there(void **state)
{
    ff_mapping file;
    ff_error error = {0};
    const cJSON *run, *model, *entry;
    assert_ok(ff_map_file(FF_GOLDEN "/conformance/manifest.json", &file, &error), &error);
    cJSON *manifest = cJSON_ParseWithLength(file.data, file.size);
    ff_unmap_file(&file);
    assert_non_null(manifest);
    cJSON_ArrayForEach(run, cJSON_GetObjectItem(manifest, "cases"))
    {
        char path[160];
        snprintf(path, sizeof path, "conformance/%s.safetensors", run->string);
        assert_hash(path, cJSON_GetObjectItem(run, "sha256")->valuestring);
    }
    cJSON_ArrayForEach(model, cJSON_GetObjectItem(manifest, "models"))
    {
        cJSON_ArrayForEach(entry, model)
            assert_hash(entry->string, entry->valuestring);
    }
    cJSON_ArrayForEach(entry, cJSON_GetObjectItem(manifest, "inputs"))
        assert_hash(entry->string, entry->valuestring);
    cJSON_Delete(manifest);
}

// ---- what is missing ----

// Makes changed.safetensors of dump.safetensors.
static void drop_names(const char *const names[4])
{
    rewrite_tensors(model_copy_path("dump.safetensors"), model_copy_path("changed.safetensors"), names, NULL, NULL,
                    NULL);
}

static void assert_judged(const ff_verification *found, const char *stage, bool judged)
{
    const ff_stage_finding *finding = stage_of(found, stage);
    if ((finding->verdict != FF_NOT_JUDGED) != judged)
        fail_msg("%s is %s", stage, ff_verdict_name(finding->verdict));
    if (!judged)
        assert_non_null(strstr(finding->where, "not in the dump"));
}

static void test_a_stage_without_inputs_is_not_judged(void **state)
{
    static const struct {
        const char *dropped[4];
        const char *unjudged[5], *judged[3];
    } cases[] = {
        {{"token_ids"}, {"tokenizer", "text_encoder"}, {"noise", "transformer.block.00"}},
        {{"noise_pred"}, {"guidance", "scheduler"}, {"anchor", "transformer.head"}},
        {{"image"}, {"vae_encode"}, {"anchor"}},
        {{"frames_float"}, {"frames"}, {"vae_decode"}},
        {{".embed", ".temb", ".text"}, {"transformer.embed"}, {"transformer.block.00", "transformer.block.01"}},
        {{"prompt_embeds", ".text"}, {"text_encoder", "transformer.block.00", "transformer.block.01"}, {"guidance"}},
        {{"block.00"}, {"transformer.block.01"}, {"transformer.block.00", "transformer.head"}},
        {{".embed", ".temb", ".text", ".block."}, {"transformer.embed", "transformer.block.01", "transformer.head"},
         {"transformer.block.00"}},
        {{"call.", "step."}, {"anchor", "transformer.embed", "transformer.head", "guidance", "scheduler"},
         {"vae_decode"}},
        {{"latents"}, {"vae_decode"}, {"frames"}},
    };
    link_model("tiny-ti2v");
    run_folder((verify_job)STILL, model_copy_path("dump.safetensors"));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        drop_names(cases[i].dropped);
        ff_verification *found = verdict_of(model_copy_path("changed.safetensors"));
        for (int k = 0; k < 5 && cases[i].unjudged[k]; k++)
            assert_judged(found, cases[i].unjudged[k], false);
        for (int k = 0; k < 3 && cases[i].judged[k]; k++)
            assert_judged(found, cases[i].judged[k], true);
        assert_int_equal(found->verdict, FF_EQUAL);
        ff_verification_free(found);
    }
}

// Without `embed` a fault there stands at block 00; a dump of steps alone has the whole transformer judged.
static void test_a_fault_before_the_first_dumped_tensor_stands_at_the_first_block(void **state)
{
    static const char *const dropped[][4] = {{".embed"}, {".embed", ".temb", ".text", ".block."}};
    link_model("tiny-t2v");
    patch_axes();
    run_folder((verify_job)TEXT, model_copy_path("dump.safetensors"));
    for (size_t i = 0; i < 2; i++) {
        drop_names(dropped[i]);
        ff_verification *found = verdict_of(model_copy_path("changed.safetensors"));
        assert_int_not_equal(found->first_fault, found->count);
        assert_string_equal(found->stages[found->first_fault].stage, "transformer.block.00");
        assert_non_null(strstr(found->stages[found->first_fault].cause, "rows and columns of a patch"));
        ff_verification_free(found);
    }
}

// ---- bad dumps ----

static void assert_refused(const char *dump, const char *words)
{
    ff_error error = {0};
    ff_verification *found;
    char model_folder[512];
    snprintf(model_folder, sizeof model_folder, "%s%s", MODELS, model_name);
    assert_int_equal(judge(model_folder, dump, &found, &error), FF_ERROR_INPUT);
    if (!strstr(error.message, words))
        fail_msg("refused with: %s", error.message);
}

static void write_one(const char *name, ff_dtype dtype, int rank, const size_t *shape, const char *key,
                      const char *value)
{
    static const float zeros[4096];
    ff_error error = {0};
    ff_dump *out;
    assert_ok(ff_dump_create(model_copy_path("bad.safetensors"), 1, &out, &error), &error);
    if (key)
        assert_ok(ff_dump_metadata(out, key, value, &error), &error);
    assert_ok(ff_dump_tensor(out, name, dtype, rank, shape, zeros, &error), &error);
    assert_ok(ff_dump_finish(out, &error), &error);
}

static void test_bad_dumps_are_refused_with_a_sentence(void **state)
{
    static const size_t noise[] = {8, 1, 4, 4}, other[] = {16, 1, 4, 4}, flat[] = {8, 16}, odd[] = {8, 1, 3, 5},
                        one[] = {1};
    const char *bad = model_copy_path("bad.safetensors");
    model_name = "tiny-ti2v";
    assert_refused("/nonexistent.safetensors", "/nonexistent.safetensors");
    FILE *file = fopen(model_copy_path("bad.safetensors"), "wb");
    assert_non_null(file);
    fputs("this is no dump, but long enough to be one", file);
    fclose(file);
    assert_refused(bad, "bad.safetensors");
    write_one("noise", FF_F32, 4, other, "seed", "1");
    assert_refused(bad, "tensor noise has shape [16, 1, 4, 4], with this model it would be [8");
    write_one("noise", FF_F32, 2, flat, "seed", "1");
    assert_refused(bad, "tensor noise has shape [8, 16]");
    write_one("noise", FF_F32, 4, noise, "seed", "many");
    assert_refused(bad, "its metadata has seed \"many\"");
    write_one("noise", FF_F32, 4, noise, "dtype", "int3");
    assert_refused(bad, "its metadata has dtype \"int3\"");
    write_one("noise", FF_I64, 4, (size_t[]){8, 1, 2, 2}, "seed", "1");
    assert_refused(bad, "tensor noise is I64, expected F32");
    write_one("noise", FF_F32, 4, noise, NULL, NULL);
    assert_refused(bad, "none of its tensors can be judged");
    write_one("call.000.input", FF_F32, 4, odd, NULL, NULL);
    assert_refused(bad, "do not divide into the transformer's patches");
    write_one("call.99999999.output", FF_F32, 4, noise, NULL, NULL);
    assert_refused(bad, "a number beyond any run");
    write_one("unrelated", FF_F32, 1, one, NULL, NULL);
    assert_refused(bad, "none of its tensors can be judged");
    write_one("token_ids", FF_F32, 1, one, "prompt", "x");
    assert_refused(bad, "expected a vector of I64");

    // a whole dump against another model
    link_model("tiny-t2v");
    run_folder((verify_job)TEXT, model_copy_path("dump.safetensors"));
    model_name = "tiny-ti2v";
    assert_refused(model_copy_path("dump.safetensors"), "with this model it would be");
}

static void spoil_output(const char *name, int rank, const size_t *shape, size_t count, void *values)
{
    if (strcmp(name, "call.004.output") == 0)
        ((float *)values)[count / 2] = INFINITY;
}

static void test_values_that_are_not_finite_are_a_fault(void **state)
{
    link_model("tiny-t2v");
    run_folder((verify_job)TEXT, model_copy_path("dump.safetensors"));
    rewrite_tensors(model_copy_path("dump.safetensors"), model_copy_path("changed.safetensors"), NULL, spoil_output,
                    NULL, NULL);
    ff_verification *found = verdict_of(model_copy_path("changed.safetensors"));
    assert_int_not_equal(found->first_fault, found->count);
    assert_string_equal(found->stages[found->first_fault].stage, "transformer.head");
    assert_string_equal(found->stages[found->first_fault].tensor, "call.004.output");
    assert_non_null(strstr(found->stages[found->first_fault].where, "not finite"));
    assert_string_equal(found->not_finite, "call.004.output");
    ff_verification_free(found);
}

// A table is one that a run, or bench, can use.
static void test_reduced_precisions_have_every_kernel(void **unused)
{
    for (int reduced = FF_NOT_REDUCED; reduced < FF_REDUCED_PRECISIONS; reduced++) {
        ff_reduced_state state;
        const ff_kernels table = ff_verify_reduced((ff_reduced_precision)reduced, &state);
        void (*entries[(sizeof table - offsetof(ff_kernels, matmul)) / sizeof(void (*)(void))])(void);
        float sum;
        memcpy(entries, (const char *)&table + offsetof(ff_kernels, matmul), sizeof entries);
        for (size_t i = 0; i < sizeof entries / sizeof *entries; i++)
            if (!entries[i])
                fail_msg("%s has no kernel at %zu", table.name, i);
        assert_true(table.multiply_adds(&table, 16, &sum) > 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_own_dump_is_equal_in_every_stage),
        cmocka_unit_test(test_injected_faults_are_blamed_on_the_right_stage_and_cause),
        cmocka_unit_test(test_weights_in_bf16_are_called_rounding),
        cmocka_unit_test(test_goldens_of_diffusers_are_called_rounding),
        cmocka_unit_test(test_the_conformance_set_conforms),
        cmocka_unit_test(test_the_manifest_names_the_files_that_are_there),
        cmocka_unit_test(test_a_stage_without_inputs_is_not_judged),
        cmocka_unit_test(test_a_fault_before_the_first_dumped_tensor_stands_at_the_first_block),
        cmocka_unit_test(test_bad_dumps_are_refused_with_a_sentence),
        cmocka_unit_test(test_values_that_are_not_finite_are_a_fault),
        cmocka_unit_test(test_reduced_precisions_have_every_kernel),
    };
    return cmocka_run_group_tests(tests, model_copy_make, model_copy_remove);
}
