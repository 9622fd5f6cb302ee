// When is a difference rounding? When it is no larger than what the stage itself loses in the tensor's precision,
// measured against the stage in double, with a margin for other orders of summation and other places to round at.
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "verify_parts.h"

// Correct programs stay below these multiples of the loss measured here; a slice of a tensor, a small sample, gets
// twice as much.
static const double margins[] = {[FF_SINGLE] = 8, [FF_BFLOAT] = 3, [FF_HALF] = 4};
// Relative error of storing a result, which nobody escapes.
static const double storing[] = {[FF_SINGLE] = 0x1p-25, [FF_BFLOAT] = 0x1p-9, [FF_HALF] = 0x1p-12};

size_t ff_slices_elements(ff_slices slices)
{
    return slices.outer * slices.count * slices.inner;
}

bool ff_floats_equal(const float *a, const float *b, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!(a[i] == b[i]) && !(isnan(a[i]) && isnan(b[i])))
            return false;
    return true;
}

double ff_relative_distance(const float *x, const float *reference, size_t n)
{
    double difference = 0, size = 0;
    for (size_t i = 0; i < n; i++) {
        double d = (double)x[i] - reference[i];
        difference += d * d;
        size += (double)reference[i] * reference[i];
    }
    if (difference == 0)
        return 0;
    return isfinite(difference) && size > 0 ? sqrt(difference / size) : INFINITY;
}

// Sum of squared differences in one slice.
static double slice_distance(ff_slices s, size_t slice, const float *a, const float *b)
{
    double sum = 0;
    for (size_t o = 0; o < s.outer; o++) {
        const float *x = a + (o * s.count + slice) * s.inner, *y = b + (o * s.count + slice) * s.inner;
        for (size_t i = 0; i < s.inner; i++) {
            double d = (double)x[i] - y[i];
            sum += d * d;
        }
    }
    return sum;
}

static double square_sum(size_t n, const float *x)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += (double)x[i] * x[i];
    return sum;
}

ff_rounding_comparison ff_compare_rounding(ff_slices slices, ff_precision precision, const float *dumped,
                                           const float *exact, const float *rounded)
{
    ff_rounding_comparison c = {.finite = true};
    size_t n = ff_slices_elements(slices);
    for (size_t i = 0; i < n; i++)
        c.finite = c.finite && (isfinite(dumped[i]) || !isfinite(exact[i]));
    c.error = ff_relative_distance(dumped, exact, n);
    double loss = ff_relative_distance(rounded, exact, n);
    if (!isfinite(loss))
        loss = 0;
    c.expected = margins[precision] * (loss + storing[precision]);
    c.excess = c.error / c.expected;

    // what a slice may lose: what it loses here, but at least what slices lose on the average
    double size = square_sum(n, exact), average = size * c.expected * c.expected / (double)slices.count, worst = 0;
    for (size_t s = 0; s < slices.count; s++) {
        double allowed = margins[precision] * margins[precision] * slice_distance(slices, s, rounded, exact);
        double found = slice_distance(slices, s, dumped, exact);
        double ratio = found == 0 ? 0 : sqrt(found / (allowed > average ? allowed : average)) / 2;
        c.bad_slices += !(ratio <= 1);
        if (!(ratio <= worst)) {
            worst = ratio;
            c.worst_slice = s;
        }
    }
    if (!(worst <= c.excess))
        c.excess = worst;
    if (!c.finite || !(c.excess < INFINITY))
        c.excess = INFINITY;
    return c;
}

// ---- findings ----

const char *ff_verdict_name(ff_verdict verdict)
{
    static const char *const names[] = {"not judged", "equal", "rounding", "fault"};
    return names[verdict];
}

ff_stage_finding *ff_finding_of(ff_findings *findings, const char *stage_format, ...)
{
    char stage[sizeof findings->list->stage];
    va_list arguments;
    va_start(arguments, stage_format);
    vsnprintf(stage, sizeof stage, stage_format, arguments);
    va_end(arguments);
    for (size_t i = 0; i < findings->count; i++)
        if (strcmp(findings->list[i].stage, stage) == 0)
            return &findings->list[i];
    if (findings->count == findings->capacity)
        return NULL;
    ff_stage_finding *finding = &findings->list[findings->count++];
    *finding = (ff_stage_finding){0};
    memcpy(finding->stage, stage, sizeof stage);
    return finding;
}

void ff_finding_missing(ff_stage_finding *finding, const char *tensor)
{
    if (finding->verdict != FF_NOT_JUDGED || finding->tensor[0])
        return;
    snprintf(finding->tensor, sizeof finding->tensor, "%s", tensor);
    snprintf(finding->where, sizeof finding->where, "%s is not in the dump", tensor);
}

bool ff_finding_add(ff_stage_finding *finding, ff_verdict verdict, const char *tensor, double error, double expected)
{
    bool worse = verdict > finding->verdict;
    if (verdict == finding->verdict && verdict == FF_ROUNDING)
        worse = error * finding->expected > finding->error * expected;
    if (!worse)
        return false;
    finding->verdict = verdict;
    finding->error = error;
    finding->expected = expected;
    finding->cause[0] = finding->where[0] = 0;
    snprintf(finding->tensor, sizeof finding->tensor, "%s", tensor);
    return verdict == FF_FAULT;
}

void ff_describe_slices(ff_slices slices, const ff_rounding_comparison *c, char *out, size_t capacity)
{
    if (!c->finite)
        snprintf(out, capacity, "it holds values that are not finite");
    else if (slices.count < 2)
        snprintf(out, capacity, "%s", "");
    else if (c->bad_slices == slices.count)
        snprintf(out, capacity, "in every %s, most in %s %zu", slices.name, slices.name, c->worst_slice);
    else if (c->bad_slices)
        snprintf(out, capacity, "in %zu of %zu %ss, most in %s %zu", c->bad_slices, slices.count, slices.name,
                 slices.name, c->worst_slice);
    else
        snprintf(out, capacity, "spread thin, most in %s %zu", slices.name, c->worst_slice);
}

// ---- explanations ----

static void apply(const ff_mistake *mistake, void *variant)
{
    for (int i = 0; i < 4 && mistake->set[i].offset; i++)
        memcpy((char *)variant + mistake->set[i].offset, &mistake->set[i].value, sizeof(int));
}

// The mistake that, on top of `base`, leaves the least error; NULL if none leaves less than `best`.
static ff_status search_one(const ff_search *s, const void *base, ff_reduced_precision reduced, void *variant,
                            float *out, double *best, const ff_mistake **found, ff_error *error)
{
    *found = NULL;
    for (size_t i = 0; i < s->count; i++) {
        const ff_mistake *mistake = &s->mistakes[i];
        if (!(mistake->parts & s->parts))
            continue;
        memcpy(variant, base, s->variant_size);
        apply(mistake, variant);
        ff_reduced_precision used = mistake->reduced ? mistake->reduced : reduced;
        ff_reduced_state state;
        const ff_kernels kernels = ff_verify_reduced(used, &state);
        ff_status status = s->replay(s->user, variant, &kernels, out, error);
        if (status)
            return status;
        if (state.starved)
            return ff_fail(error, FF_ERROR_MEMORY, "not enough memory to try explanations");
        double left = ff_relative_distance(s->dumped, out, s->n);
        if (left < *best * 0.98) {  // of two that are equally good, the first
            *best = left;
            *found = mistake;
        }
        if (*found && *best <= s->expected && *best < 0.1 * s->error)
            break;  // this is it; a large model's replays take their time
    }
    return FF_OK;
}

ff_status ff_diagnose(const ff_search *s, ff_diagnosis *out, ff_error *error)
{
    const ff_mistake *first, *second = NULL;
    *out = (ff_diagnosis){0};
    char *base = calloc(2, s->variant_size ? s->variant_size : 1), *variant = base ? base + s->variant_size : NULL;
    float *result = malloc(s->n ? s->n * sizeof *result : 1);
    double best = s->error < INFINITY ? s->error : 1e30, alone;
    ff_status status = base && result ? search_one(s, base, FF_NOT_REDUCED, variant, result, &best, &first, error)
                                      : ff_fail(error, FF_ERROR_MEMORY, "not enough memory to try explanations");
    if (status || !first)
        goto done;
    alone = best;
    if (alone > s->expected && alone > 0.02 * s->error && alone < 0.7 * s->error) {
        // something is left to be explained: look for a second mistake beside the first
        apply(first, base);
        if ((status = search_one(s, base, first->reduced, variant, result, &best, &second, error)))
            goto done;
        if (best > 0.3 * alone)
            second = NULL;
    }
    double left = second ? best : alone;
    out->found = left <= s->expected || left < 0.3 * s->error;
    out->harmless = first->harmless && (!second || second->harmless);
    out->parts = first->parts;
    out->error = left;
    snprintf(out->cause, sizeof out->cause, "%s%s%s", first->cause, second ? "; and " : "",
             second ? second->cause : "");
done:
    free(base);
    free(result);
    return status;
}

// ---- verdicts ----

ff_status ff_judge(ff_verifier *v, ff_stage_finding *finding, ff_case *x, ff_stage_finding *const *others)
{
    if (x->equal) {
        ff_finding_add(finding, FF_EQUAL, x->tensor, 0, 0);
        return FF_OK;
    }
    ff_rounding_comparison c = ff_compare_rounding(x->slices, x->precision, x->dumped, x->exact, x->rounded);
    ff_diagnosis why = {0};
    // below the limit, only a mistake that explains most of the error makes it a fault
    bool beyond = !(c.excess <= 1), suspicious = c.error > 0.2 * c.expected;
    bool worst_so_far = finding->verdict != FF_FAULT;
    if ((beyond || suspicious) && worst_so_far && x->search.replay && c.finite) {
        x->search.n = ff_slices_elements(x->slices);
        x->search.dumped = x->dumped;
        x->search.error = c.error;
        x->search.expected = c.expected;
        ff_status status = ff_diagnose(&x->search, &why, v->error);
        if (status)
            return status;
    }
    bool explained = why.found && why.error < 0.4 * c.error;
    if (why.found && !explained && !beyond)
        why.found = false;
    ff_verdict verdict = beyond || (explained && !why.harmless) ? FF_FAULT : FF_ROUNDING;
    if (explained && why.harmless && why.error <= c.expected)
        verdict = FF_ROUNDING;
    if (verdict == FF_FAULT && why.found && others)
        for (int bit = 0; bit < 32; bit++)
            if (why.parts == 1u << bit && others[bit])
                finding = others[bit];
    double expected = verdict == FF_ROUNDING && c.error > c.expected ? c.error : c.expected;
    if (ff_finding_add(finding, verdict, x->tensor, c.error, expected) || (why.found && verdict == finding->verdict)) {
        if (why.found)
            snprintf(finding->cause, sizeof finding->cause, "%s", why.cause);
        if (verdict == FF_FAULT)
            ff_describe_slices(x->slices, &c, finding->where, sizeof finding->where);
    }
    return FF_OK;
}
