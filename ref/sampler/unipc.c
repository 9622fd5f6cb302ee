// Host mathematics: double from the float32 noise levels, each coefficient rounded once.
#include "unipc.h"

#include "../kernels/mathematics.h"

// Half the logarithm of the signal-to-noise ratio is the solver's time.
static double solver_time(float sigma)
{
    return ff_log(1.0 - sigma) - ff_log(sigma);
}

// What both updates share: the way from sigmas[from] to sigmas[to], and the times of earlier outputs relative to it.
typedef struct interval {
    double alpha;                        // 1 - sigma at the end
    double ratio;                        // sigma at the end over sigma at the start
    double phi;                          // e^-h - 1, h the length in solver time
    double scale;                        // B(h): -h for bh1, phi for bh2
    double moments[FF_UNIPC_MOST_ORDER]; // right-hand sides of the order conditions
    double nodes[FF_UNIPC_MOST_ORDER];   // times of m1, m2, ... in lengths h from the start, then 1 for the end
} interval;

static interval measure(const float *sigmas, size_t from, size_t to, size_t order, bool bh1)
{
    interval span;
    double start = solver_time(sigmas[from]);
    double h = solver_time(sigmas[to]) - start;
    span.alpha = 1.0 - sigmas[to];
    span.ratio = (double)sigmas[to] / sigmas[from];
    span.phi = ff_expm1(-h);
    span.scale = bh1 ? -h : span.phi;
    for (size_t j = 1; j < order; j++)
        span.nodes[j - 1] = (solver_time(sigmas[from - j]) - start) / h;
    span.nodes[order - 1] = 1;

    double integral = span.phi / -h - 1, factorial = 1;
    for (size_t j = 0; j < order; j++) {
        span.moments[j] = integral * factorial / span.scale;
        factorial *= (double)(j + 2);
        integral = integral / -h - 1 / factorial;
    }
    return span;
}

// Solves sum_j weights[j] * nodes[j]^i = moments[i], i = 0 to count - 1, in closed form.
static void solve(size_t count, const double *nodes, const double *moments, double *weights)
{
    if (count == 1) {
        weights[0] = moments[0];
    } else if (count == 2) {
        weights[0] = (nodes[1] * moments[0] - moments[1]) / (nodes[1] - nodes[0]);
        weights[1] = (moments[1] - nodes[0] * moments[0]) / (nodes[1] - nodes[0]);
    } else {
        for (size_t j = 0; j < 3; j++) {
            double a = nodes[(j + 1) % 3], b = nodes[(j + 2) % 3];
            weights[j] = (moments[2] - (a + b) * moments[1] + a * b * moments[0]) / ((nodes[j] - a) * (nodes[j] - b));
        }
    }
}

// ratio * x - alpha * phi * m0 - alpha * B * sum_j weights[j] * (m_j - m0) / nodes[j], gathered by tensor.
static void gather(const interval *span, size_t differences, const double *weights, float *k)
{
    double start = -span->alpha * span->phi;
    for (size_t j = 0; j < differences; j++) {
        double share = -span->alpha * span->scale * weights[j] / span->nodes[j];
        k[j + 2] = (float)share;
        start -= share;
    }
    k[0] = (float)span->ratio;
    k[1] = (float)start;
}

void ff_unipc_predict(const float *sigmas, size_t i, size_t order, bool bh1, float *k)
{
    for (size_t j = 0; j <= order; j++)
        k[j] = 0;
    if (sigmas[i + 1] == 0) {  // infinitely far in solver time: the limit is m0
        k[1] = 1;
        return;
    }
    if (sigmas[i + 1] == sigmas[i]) {  // final_sigmas_type sigma_min ends with a step of no length
        k[0] = 1;
        return;
    }
    interval span = measure(sigmas, i, i + 1, order, bh1);
    double weights[FF_UNIPC_MOST_ORDER] = {0.5};  // order 2: the paper's simplification
    if (order == 3)
        solve(2, span.nodes, span.moments, weights);
    gather(&span, order - 1, weights, k);
}

void ff_unipc_correct(const float *sigmas, size_t i, size_t order, bool bh1, float *k)
{
    interval span = measure(sigmas, i - 1, i, order, bh1);
    double weights[FF_UNIPC_MOST_ORDER] = {0.5};  // order 1: the paper's simplification
    if (order > 1)
        solve(order, span.nodes, span.moments, weights);
    gather(&span, order, weights, k);
}
