// The page that `explain` writes: one run, top to bottom.
#include "explanation.h"
#include "../draw/heat.h"
#include "../draw/page.h"
#include "../draw/plot.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static ff_status fail_memory(ff_error *error)
{
    return ff_fail(error, FF_ERROR_MEMORY, "no memory for the page");
}

// Where a thing that was just shown is computed.
static void add_source(ff_page *page, const char *source)
{
    ff_page_add(page, "<p class=\"quiet\">computed in <code>%s</code></p>\n", source);
}

// ---- latents and mask ----

// One channel of the known latent frame as a grey picture, mean to mid-grey, three deviations to black and white.
static ff_status add_channel(ff_page *page, const ff_explanation *all, size_t channel, ff_error *error)
{
    size_t width = all->plan.latent_width, height = all->plan.latent_height, cells = width * height;
    const float *values = all->known + channel * cells;
    double sum = 0, squares = 0;
    char alt[48];
    ff_image image = {width, height, malloc(3 * cells)};
    if (!image.rgb)
        return fail_memory(error);
    for (size_t i = 0; i < cells; i++) {
        sum += values[i];
        squares += (double)values[i] * values[i];
    }
    double mean = sum / (double)cells, variance = squares / (double)cells - mean * mean;
    double deviation = variance > 0 ? sqrt(variance) : 1;
    for (size_t i = 0; i < cells; i++) {
        double grey = 127.5 + 127.5 * (values[i] - mean) / (3 * deviation);
        memset(image.rgb + 3 * i, grey < 0 ? 0 : grey > 255 ? 255 : (int)grey, 3);
    }
    snprintf(alt, sizeof alt, "latent channel %zu", channel);
    ff_page_add(page, "<figure>");
    ff_status status = ff_page_picture(page, &image, alt, error);
    ff_page_add(page, "<figcaption>%zu</figcaption></figure>\n", channel);
    free(image.rgb);
    return status;
}

static ff_status add_latents(ff_page *page, const ff_explanation *all, ff_error *error)
{
    const ff_plan *plan = &all->plan;
    ff_status status = FF_OK;
    ff_page_add(page, "<h2>2. Its latents</h2>\n<p>The VAE&#39;s encoder turns the still into %zu channels of "
                "%zu&times;%zu cells, a cell for every %zu&times;%zu pixels. This is all that the model knows of it. Grey is a "
                "channel&#39;s mean.</p>\n<div class=\"small crisp\">\n", plan->latent_channels, plan->latent_width,
                plan->latent_height, all->facts.spatial_factor, all->facts.spatial_factor);
    for (size_t c = 0; c < plan->latent_channels && status == FF_OK; c++)
        status = add_channel(page, all, c, error);
    ff_page_add(page, "</div>\n");
    add_source(page, "ref/vae/vae.c, ff_vae_encode");
    return status;
}

// Latent frames as grids of tokens, the known ones filled.
static void add_mask(ff_page *page, const ff_explanation *all)
{
    const ff_plan *plan = &all->plan;
    size_t frames = plan->latent_frames, shown = frames < 12 ? frames : 12;
    double unit = 92.0 / (double)(all->columns > all->rows ? all->columns : all->rows);
    ff_page_add(page, "<h2>3. What is known</h2>\n<p>The clip is %zu latent frames of %zu&times;%zu tokens, each token "
                "a patch of the latents. The first frame&#39;s tokens (filled) are the still&#39;s; all others begin as "
                "noise. Before each step the known latents are put back in their place.</p>\n<div class=\"small\">\n",
                frames, all->columns, all->rows);
    for (size_t f = 0; f < shown; f++) {
        ff_page_add(page, "<figure><svg viewBox=\"0 0 96 %.1f\" role=\"img\" aria-label=\"tokens of latent frame %zu\">"
                    "<g class=\"%s\">", unit * (double)all->rows + 4, f, f ? "unknown" : "known");
        for (size_t i = 0; i < all->rows * all->columns; i++)
            ff_page_add(page, "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"/>",
                        2 + unit * (double)(i % all->columns), 2 + unit * (double)(i / all->columns), 0.86 * unit,
                        0.86 * unit);
        ff_page_add(page, "</g></svg><figcaption>latent frame %zu</figcaption></figure>\n", f);
    }
    ff_page_add(page, "</div>\n");
    add_source(page, "ref/sampler/anchor.c, ff_mask_frames and ff_anchor_select");
}

// ---- curves over steps ----

// values: [steps, stride]; two columns may be drawn.
static ff_status add_step_curves(ff_page *page, const ff_explanation *all, const char *title, const float *values,
                                 size_t stride, ff_error *error)
{
    static const char *const colours[] = {"still", "text"};
    size_t steps = all->plan.steps;
    double *columns = malloc(2 * steps * sizeof *columns);
    ff_curve curves[2];
    if (!columns)
        return fail_memory(error);
    for (size_t k = 0; k < stride; k++) {
        for (size_t i = 0; i < steps; i++)
            columns[k * steps + i] = values[i * stride + k];
        curves[k] = (ff_curve){columns + k * steps, steps, colours[stride == 1 ? 0 : k], true};
    }
    ff_page_add(page, "<div class=\"card one plot\">");
    ff_plot_draw(page, &(ff_plot){.title = title, .unit = "by step", .fps = 0, .floor = NAN, .count = stride,
                                  .curves = curves});
    ff_page_add(page, "</div>\n");
    free(columns);
    return FF_OK;
}

static ff_status add_timesteps(ff_page *page, const ff_explanation *all, ff_error *error)
{
    ff_page_add(page, "<h2>4. What each token is told about noise</h2>\n<p>Each token has a timestep of its own. The "
                "still&#39;s are told 0 at every step, &ldquo;there is no noise here&rdquo;; the others count down "
                "from noise to picture.</p>\n<p class=\"quiet legend\"><span><i class=\"key still\"></i>known tokens</span>"
                "<span><i class=\"key text\"></i>all others</span></p>\n");
    ff_status status = add_step_curves(page, all, "Timestep", all->timesteps, 2, error);
    add_source(page, "ref/sampler/anchor.c, ff_anchor_timesteps");
    return status;
}

static ff_status add_guidance(ff_page *page, const ff_explanation *all, ff_error *error)
{
    ff_page_add(page, "<h2>8. How much the words steer</h2>\n");
    if (!(all->plan.guidance_scale > 1)) {
        ff_page_add(page, "<p>This run had no guidance: each step asked the model once.</p>\n");
        return FF_OK;
    }
    ff_page_add(page, "<p>Each step asks the model twice, with the prompt and with the negative prompt, and goes %g "
                "times their difference from the latter. The curve is that difference&#39;s size over the size of the "
                "answer to the prompt.</p>\n", all->plan.guidance_scale);
    ff_status status = add_step_curves(page, all, "Guidance vector", all->guidance, 1, error);
    add_source(page, "ref/kernels/scalar.c, guidance; ref/pipeline/denoise.c, denoise");
    return status;
}

// ---- denoising ----

static ff_status add_looks(ff_page *page, const ff_explanation *all, ff_error *error)
{
    ff_status status = FF_OK;
    ff_page_add(page, "<h2>5. The clip it has in mind</h2>\n<p>At each step the model says what to take away, and so, "
                "what would be left: the clip as it guesses it by then. The first frame is there from the start; the "
                "rest grows out of it.</p>\n<div class=\"clips\">\n");
    for (size_t k = 0; k < all->look_count && status == FF_OK; k++) {
        const ff_look *look = &all->looks[k];
        char alt[48];
        snprintf(alt, sizeof alt, "predicted clip at step %zu", look->step + 1);
        ff_page_add(page, "<figure class=\"card\">");
        status = ff_page_file(page, look->path, all->plan.width, all->plan.height, alt, error);
        ff_page_add(page, "<figcaption>step %zu of %zu, noise level %.3f</figcaption></figure>\n", look->step + 1,
                    all->plan.steps, all->sigmas[look->step]);
    }
    ff_page_add(page, "</div>\n");
    add_source(page, "ref/pipeline/denoise.c, denoise (x - sigma v); ref/vae/vae.c, ff_vae_decode");
    return status;
}

// ---- attention ----

// The share paid to latent frame 0, averaged over what is left out: steps or blocks or heads or (always) frames after
// the first.
static double mean_share(const ff_explanation *all, long step, long layer, long head, long frame)
{
    size_t layers = all->facts.layers, heads = all->facts.heads, frames = all->plan.latent_frames, count = 0;
    double total = 0;
    for (size_t s = step < 0 ? 0 : (size_t)step; s < (step < 0 ? all->plan.steps : (size_t)step + 1); s++)
        for (size_t l = layer < 0 ? 0 : (size_t)layer; l < (layer < 0 ? layers : (size_t)layer + 1); l++)
            for (size_t h = head < 0 ? 0 : (size_t)head; h < (head < 0 ? heads : (size_t)head + 1); h++)
                for (size_t f = frame < 0 ? 1 : (size_t)frame; f < (frame < 0 ? frames : (size_t)frame + 1); f++) {
                    total += all->to_first[((s * layers + l) * heads + h) * frames + f];
                    count++;
                }
    return count ? total / (double)count : 0;
}

typedef enum axis { BY_STEP, BY_FRAME, BY_HEAD } axis;

static ff_status add_share_map(ff_page *page, const ff_explanation *all, axis what, double full, ff_error *error)
{
    static const char *const titles[] = {"By block and step", "By block and latent frame", "By block and head"};
    static const char *const names[] = {"Step", "Frame", "Head"};
    size_t rows = all->facts.layers;
    size_t columns = what == BY_STEP ? all->plan.steps : what == BY_FRAME ? all->plan.latent_frames - 1
                                                                         : all->facts.heads;
    double *values = malloc(rows * columns * sizeof *values);
    if (!values)
        return fail_memory(error);
    for (size_t r = 0; r < rows; r++)
        for (size_t c = 0; c < columns; c++)
            values[r * columns + c] = mean_share(all, what == BY_STEP ? (long)c : -1, (long)r,
                                                 what == BY_HEAD ? (long)c : -1, what == BY_FRAME ? (long)c + 1 : -1);
    ff_page_add(page, "<div class=\"card\">");
    ff_heat_draw(page, &(ff_heat){.title = titles[what], .row_name = "Block", .column_name = names[what],
                                  .first_column = what != BY_HEAD, .rows = rows, .columns = columns,
                                  .values = values, .full = full});
    ff_page_add(page, "</div>\n");
    free(values);
    return FF_OK;
}

static ff_status add_attention(ff_page *page, const ff_explanation *all, ff_error *error)
{
    size_t best_layer = 0, best_head = 0, frames = all->plan.latent_frames;
    double most = 0, uniform = 1 / (double)frames;
    ff_status status = FF_OK;
    ff_page_add(page, "<h2>6. Who looks at the first frame</h2>\n");
    if (frames == 1) {
        ff_page_add(page, "<p>The clip has no other frame.</p>\n");
        return FF_OK;
    }
    for (size_t l = 0; l < all->facts.layers; l++)
        for (size_t h = 0; h < all->facts.heads; h++) {
            double share = mean_share(all, -1, (long)l, (long)h, -1);
            if (share > most) {
                most = share;
                best_layer = l;
                best_head = h;
            }
        }
    ff_page_add(page, "<p>Every token attends to every other. This is the share that the tokens of later frames pay to "
                "those of the first; if they made no difference between frames it would be %.1f %%. On the whole it is "
                "%.1f %%, and block %zu, head %zu, which looks there most, pays %.1f %%. Full colour is that share."
                "</p>\n<div class=\"plots\">\n", 100 * uniform, 100 * mean_share(all, -1, -1, -1, -1), best_layer,
                best_head, 100 * most);
    for (axis what = BY_STEP; what <= BY_HEAD && status == FF_OK; what++)
        status = add_share_map(page, all, what, most, error);
    ff_page_add(page, "</div>\n<p>Looking somewhere is no proof of being held by it: that takes an experiment, "
                "<code>--ablate</code>.</p>\n");
    add_source(page, "ref/transformer/block.c, self_attention; ref/transformer/attention_map.c, ff_attention_by_frame");
    return status;
}

// A frame of the clip, dark where a word gets little attention from the tokens there.
static ff_status add_word(ff_page *page, const ff_explanation *all, const ff_word *word, size_t latent_frame,
                          const ff_image *frame, ff_error *error)
{
    size_t area = all->rows * all->columns;
    ff_image image = {frame->width, frame->height, malloc(3 * frame->width * frame->height)};
    double *shares = calloc(area, sizeof *shares), least = INFINITY, most = 0;
    ff_status status = image.rgb && shares ? FF_OK : fail_memory(error);
    for (size_t i = 0; i < area && status == FF_OK; i++) {
        for (size_t t = word->first; t < word->end; t++)
            shares[i] += all->to_text[(latent_frame * area + i) * all->text_tokens + t];
        least = shares[i] < least ? shares[i] : least;
        most = shares[i] > most ? shares[i] : most;
    }
    for (size_t i = 0; i < image.width * image.height && status == FF_OK; i++) {
        size_t row = i / image.width * all->rows / image.height, column = i % image.width * all->columns / image.width;
        double share = most > least ? (shares[row * all->columns + column] - least) / (most - least) : 1;
        for (size_t c = 0; c < 3; c++)
            image.rgb[3 * i + c] = (uint8_t)(frame->rgb[3 * i + c] * (0.12 + 0.88 * share));
    }
    if (status == FF_OK) {
        ff_page_add(page, "<figure>");
        status = ff_page_picture(page, &image, "where the clip looks at a word", error);
        ff_page_add(page, "<figcaption>");
        ff_page_text(page, word->text);
        ff_page_add(page, "</figcaption></figure>\n");
    }
    free(image.rgb);
    free(shares);
    return status;
}

static ff_status add_words(ff_page *page, const ff_explanation *all, ff_error *error)
{
    size_t latent_frame = all->plan.latent_frames / 2;
    size_t shown = latent_frame ? 1 + (latent_frame - 1) * all->facts.temporal_factor : 0;
    ff_status status = FF_OK;
    ff_page_add(page, "<h2>7. What each word looks at</h2>\n<p>Every token also attends to the prompt&#39;s words. For "
                "each word: bright where the tokens of a frame in the middle of the clip look at it most, over all "
                "steps and blocks.</p>\n<div class=\"small\">\n");
    for (size_t i = 0; i < all->word_count && status == FF_OK; i++)
        status = add_word(page, all, &all->words[i], latent_frame, &all->trials[0].clip.frames[shown], error);
    ff_page_add(page, "</div>\n");
    add_source(page, "ref/transformer/block.c, cross_attention; ref/transformer/attention_map.c, ff_attention_by_key");
    return status;
}

// ---- time and trials ----

static void add_time(ff_page *page, const ff_explanation *all)
{
    static const char *const stages[] = {"reading the prompt", "encoding the still", "denoising", "decoding"};
    static const char *const sources[] = {"ref/text/umt5.c", "ref/vae/vae.c", "ref/transformer/transformer.c", "ref/vae/vae.c"};
    const double work[] = {all->plan.gflop_text, all->plan.gflop_encode, all->plan.gflop_denoise,
                           all->plan.gflop_decode};
    ff_page_add(page, "<h2>9. Where the time went</h2>\n<table>\n<tr><th>stage</th><th>seconds</th><th>GFLOP</th>"
                "<th>code</th></tr>\n");
    for (int i = 0; i < 4; i++)
        ff_page_add(page, "<tr><td>%s</td><td>%.2f</td><td>%.1f</td><td><code>%s</code></td></tr>\n", stages[i],
                    all->seconds[i], work[i], sources[i]);
    ff_page_add(page, "</table>\n<p class=\"quiet\">Denoising includes the maps of attention, which an ordinary run "
                "does not compute.</p>\n");
}

static void add_trial_rows(ff_page *page, const ff_explanation *all)
{
    ff_page_add(page, "<table>\n<tr><th>drift from the still</th><th>identity</th><th>composition</th><th>palette</th>"
                "<th>motion, %%/s</th></tr>\n");
    for (size_t i = 0; i < all->trial_count; i++) {
        const ff_clip_drift *drift = &all->trials[i].drift;
        ff_page_add(page, "<tr><td>%s</td><td>%.3f</td><td>%.3f</td><td>%.2f</td><td>%.2f</td></tr>\n",
                    all->trials[i].name, drift->mean_from_still.identity, drift->mean_from_still.composition,
                    drift->mean_from_still.palette, drift->motion);
    }
    ff_page_add(page, "<tr class=\"head\"><th colspan=\"5\">drift from the own first frame</th></tr>\n");
    for (size_t i = 0; i < all->trial_count; i++) {
        const ff_clip_drift *drift = &all->trials[i].drift;
        ff_page_add(page, "<tr><td>%s</td><td>%.3f</td><td>%.3f</td><td>%.2f</td><td></td></tr>\n", all->trials[i].name,
                    drift->mean_from_first.identity, drift->mean_from_first.composition,
                    drift->mean_from_first.palette);
    }
    ff_page_add(page, "</table>\n");
}

static ff_status add_trials(ff_page *page, const ff_explanation *all, ff_error *error)
{
    static const char *const changes[] = {
        [FF_ABLATE_TIMESTEP] = "ref/sampler/ablation.c, equal_timesteps: after the conditioning&#39;s own "
                               "<code>timesteps</code>, every token gets <code>timestep</code>",
        [FF_ABLATE_KNOWN] = "ref/sampler/ablation.c, noisy_input: <code>x</code> as it is, instead of the "
                            "conditioning&#39;s own <code>input</code>",
        [FF_ABLATE_ATTENTION] = "ref/transformer/block.c, self_attention: <code>attend_without</code> instead of "
                                "<code>kernels-&gt;attention</code>",
    };
    ff_status status = FF_OK;
    ff_page_add(page, "<h2>10. What holds the first frame</h2>\n");
    if (all->trial_count == 1) {
        ff_page_add(page, "<p>Run this again with <code>--ablate all</code> to see the clip with the known tokens&#39; "
                    "advantages taken away one by one.</p>\n");
        return FF_OK;
    }
    ff_page_add(page, "<p>The same seed, with one advantage of the known tokens taken away. Decoding always puts the "
                "still in place of the first frame; what follows shows whether it was held by what was taken.</p>\n"
                "<div class=\"clips\">\n");
    for (size_t i = 0; i < all->trial_count && status == FF_OK; i++) {
        const ff_trial *trial = &all->trials[i];
        ff_page_add(page, "<figure class=\"card\">");
        status = ff_page_file(page, trial->path, all->plan.width, all->plan.height, trial->name, error);
        ff_page_add(page, "<figcaption><strong>%s</strong>%s%s</figcaption></figure>\n", trial->name,
                    trial->ablation ? "<br>" : "", trial->ablation ? changes[trial->ablation] : "");
    }
    ff_page_add(page, "</div>\n");
    add_trial_rows(page, all);
    return status;
}

// ---- the page ----

static ff_status add_start(ff_page *page, const ff_explanation *all, ff_error *error)
{
    const ff_plan *plan = &all->plan;
    ff_page_begin(page, "How a still becomes a clip");
    ff_page_add(page, "<p>One run, from the still to the frames: <span class=\"prompt\">");
    ff_page_text(page, all->options->prompt);
    ff_page_add(page, "</span></p>\n<p class=\"quiet\">%zu&times;%zu pixels, %zu frames at %g fps, %zu steps with %s, "
                "guidance %g; firstframe " FF_VERSION "</p>\n<h2>1. The still, and what became of it</h2>\n"
                "<div class=\"pair wide\"><figure>", plan->width, plan->height, plan->frames, all->fps, plan->steps,
                plan->scheduler, plan->guidance_scale);
    ff_status status = ff_page_picture(page, &all->still, "the still", error);
    ff_page_add(page, "<figcaption>the still</figcaption></figure><figure>");
    if (status == FF_OK)
        status = ff_page_file(page, all->trials[0].path, plan->width, plan->height, "the clip", error);
    ff_page_add(page, "<figcaption>the clip</figcaption></figure></div>\n");
    return status;
}

ff_status ff_explain_page_write(const ff_explanation *all, const char *path, ff_error *error)
{
    ff_page page = {0};
    ff_status status;
    if ((status = add_start(&page, all, error)) || (status = add_latents(&page, all, error)))
        goto failed;
    add_mask(&page, all);
    if ((status = add_timesteps(&page, all, error)) || (status = add_looks(&page, all, error)) ||
        (status = add_attention(&page, all, error)) || (status = add_words(&page, all, error)) ||
        (status = add_guidance(&page, all, error)))
        goto failed;
    add_time(&page, all);
    if ((status = add_trials(&page, all, error)))
        goto failed;
    return ff_page_write(&page, path, error);
failed:
    ff_page_free(&page);
    return status;
}
