// Tries a library of CPU kernels against sums in double precision, and says how fast it is:
// `try-kernels LIBRARY [--invariant [--brief] | --pace [products | experts | attention] | --beside OTHER [SHAPE]]`. Ends with 1 where a
// result is wrong, with 3 where the processor does not run the library. `--invariant`: a result is wrong also when it depends on
// what else is in the call, and attention keeps to single precision; `--brief` behind it: fewer sizes, for an emulator. `--beside`: one token through weights that no cache holds,
// in turn with another library; SHAPE is any of `--types q4_K,f16`, `--width N`, `--mib N` of weights, `--threads N`.

#include "ggml.h"
#include "ggml-backend.h"
#include "ggml-cpu.h"

#include <dlfcn.h>
#include <time.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <string>
#include <thread>
#include <vector>

// Of the library that all kernels share; the type has no others in its traits
extern "C" void quantize_row_q8_K_ref(const float * x, void * y, int64_t n);
extern "C" void dequantize_row_q8_K(const void * x, float * y, int64_t n);

static int  failures = 0;
static bool brief    = false;  // fewer sizes

static void fail(const std::string & what, double got, double expected, double tolerance) {
    if (++failures <= 20) {
        printf("wrong    %s: %.9g instead of %.9g (+-%.3g)\n", what.c_str(), got, expected, tolerance);
    }
}

// ---- the library --------------------------------------------------------------------------------------------------------

struct Kernels {
    ggml_backend_t               backend;
    ggml_backend_set_n_threads_t set_threads;
    // Where the library lays out weights in a way of its own when a model is loaded: in tiles of AMX, or with rows interleaved. The
    // first that takes them is used
    std::vector<ggml_backend_buffer_type_t> layouts;
    // Whether products of halves are added up as halves (ARM with arithmetic of halves)
    bool sums_of_halves = false;

    bool as_loaded() const { return !layouts.empty(); }
    bool in_tiles() const { return as_loaded() && strcmp(ggml_backend_buft_name(layouts[0]), "AMX") == 0; }
    // So many rows, or the next number that all layouts take
    int rows(int number) const {
        const int multiple = in_tiles() ? 32 : as_loaded() ? 8 : 1;
        return (number + multiple - 1)/multiple*multiple;
    }
    std::string label() const { return in_tiles() ? "in tiles, " : as_loaded() ? "as loaded, " : ""; }
};

static bool has_feature(ggml_backend_reg_t registry, const char * name) {
    auto get = (ggml_backend_get_features_t) ggml_backend_reg_get_proc_address(registry, "ggml_backend_get_features");
    for (auto * feature = get ? get(registry) : nullptr; feature && feature->name; feature++) {
        if (strcmp(feature->name, name) == 0) {
            return true;
        }
    }
    return false;
}

static Kernels open_kernels(const char * path) {
    void * library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        fprintf(stderr, "%s\n", dlerror());
        exit(2);
    }
    auto init = (ggml_backend_reg_t (*)()) dlsym(library, "ggml_backend_init");
    auto score = (int (*)()) dlsym(library, "ggml_backend_score");
    if (!init || (score && score() == 0)) {
        fprintf(stderr, "this processor does not run %s\n", path);
        exit(3);
    }
    ggml_backend_reg_t registry = init();
    Kernels kernels;
    kernels.backend     = ggml_backend_dev_init(ggml_backend_reg_dev_get(registry, 0), nullptr);
    kernels.sums_of_halves = has_feature(registry, "FP16_VA");
    kernels.set_threads = (ggml_backend_set_n_threads_t) ggml_backend_reg_get_proc_address(registry, "ggml_backend_set_n_threads");
    auto types = (ggml_backend_dev_get_extra_bufts_t) ggml_backend_reg_get_proc_address(registry, "ggml_backend_dev_get_extra_bufts");
    for (auto * type = types ? types(ggml_backend_reg_dev_get(registry, 0)) : nullptr; type && *type; type++) {
        const std::string name = ggml_backend_buft_name(*type);
        if (name == "CPU_REPACK" || name == "AMX") {
            kernels.layouts.push_back(*type);
        }
    }
    return kernels;
}

// ---- numbers ------------------------------------------------------------------------------------------------------------

static uint64_t state = 1;

static uint32_t random_bits() {
    state = state*6364136223846793005ULL + 1442695040888963407ULL;
    return (uint32_t) (state >> 32);
}

static float uniform() {  // -1..1
    return (float) random_bits() / 2147483648.0f - 1.0f;
}

static float normal() {
    return (uniform() + uniform() + uniform() + uniform()) * 0.866f;
}

enum Weights { random_weights, zero_weights, largest_weights, wild_weights };
enum Activations { exact_activations, zero_activations, largest_activations, normal_activations };

static const char * weight_names[]     = { "random", "zero", "largest", "wild" };
static const char * activation_names[] = { "exact", "zero", "largest", "normal" };

// Where the halves (scales, mins) of a block lie
static std::vector<size_t> halves_of(ggml_type type) {
    switch (type) {
        case GGML_TYPE_Q4_1:
        case GGML_TYPE_Q5_1:
        case GGML_TYPE_Q4_K:
        case GGML_TYPE_Q5_K: return { 0, 2 };
        case GGML_TYPE_Q2_K: return { 80, 82 };
        case GGML_TYPE_Q3_K: return { 108 };
        case GGML_TYPE_Q6_K: return { 208 };
        case GGML_TYPE_MXFP4: return {};  // powers of two, in a byte
        default:             return { 0 };
    }
}

static void set_half(uint8_t * at, float value) {
    const ggml_fp16_t half = ggml_fp32_to_fp16(value);
    memcpy(at, &half, sizeof(half));
}

static float get_half(const uint8_t * at) {
    ggml_fp16_t half;
    memcpy(&half, at, sizeof(half));
    return ggml_fp16_to_fp32(half);
}

static std::vector<uint8_t> make_weights(ggml_type type, int rows, int length, Weights kind) {
    std::vector<uint8_t> bytes(ggml_row_size(type, length)*rows);
    if (kind == random_weights || kind == zero_weights || !ggml_is_quantized(type)) {
        std::vector<float> numbers((size_t) rows*length);
        for (float & number : numbers) {
            number = kind == zero_weights ? 0.0f : normal() * (kind == wild_weights ? 1e-4f : 1.0f);
        }
        ggml_quantize_chunk(type, numbers.data(), bytes.data(), 0, rows, length, nullptr);
        return bytes;
    }
    // All bits, or those that chance has given: also blocks that no quantization makes
    for (uint8_t & byte : bytes) {
        byte = kind == largest_weights ? 0xFF : (uint8_t) random_bits();
    }
    const size_t size = ggml_type_size(type);
    for (size_t block = 0; block < bytes.size(); block += size) {
        if (type == GGML_TYPE_MXFP4) {
            bytes[block] = kind == largest_weights ? 128 : (uint8_t) (random_bits() % 24 + 107);
        }
        for (size_t half : halves_of(type)) {
            const float wild = ldexpf(uniform(), (int) (random_bits() % 24) - 20);
            set_half(&bytes[block + half], kind == largest_weights ? (random_bits() % 2 ? 1.0f : -1.0f) : wild);
        }
    }
    return bytes;
}

// `exact` ones are whole numbers with a largest one of 127 in each 32 (and 256): no rounding, whoever quantizes them
static std::vector<float> make_activations(int columns, int length, Activations kind) {
    std::vector<float> numbers((size_t) columns*length);
    for (size_t i = 0; i < numbers.size(); i++) {
        switch (kind) {
            case exact_activations:   numbers[i] = i % 32 == 0 ? -127.0f : (float) (int) (random_bits() % 255) - 127.0f; break;
            case zero_activations:    numbers[i] = 0.0f; break;
            case largest_activations: numbers[i] = i % 256 != 0 && random_bits() % 2 ? 127.0f : -127.0f; break;
            case normal_activations:  numbers[i] = normal(); break;
        }
    }
    return numbers;
}

// ---- products -----------------------------------------------------------------------------------------------------------

// Puts weights where the library lays them out in a way of its own; null where it does not, for these
static ggml_backend_buffer_t lay_out(const Kernels & kernels, ggml_tensor * w, ggml_tensor * y) {
    for (ggml_backend_buffer_type_t layout : kernels.layouts) {
        ggml_backend_buffer_t buffer = ggml_backend_buft_alloc_buffer(layout, ggml_backend_buft_get_alloc_size(layout, w));
        ggml_backend_tensor_alloc(buffer, w, ggml_backend_buffer_get_base(buffer));
        if (w->extra && ggml_backend_supports_op(kernels.backend, y)) {
            return buffer;
        }
        ggml_backend_buffer_free(buffer);
        w->buffer = nullptr;
        w->data   = nullptr;
        w->extra  = nullptr;
    }
    return nullptr;
}

typedef std::function<void(const std::function<void()> &)> Repeat;

// Computes y, of weights w, once or as `repeat` does it, and frees the context; `fill` sets what is multiplied
static std::vector<float> compute(const Kernels & kernels, ggml_context * context, ggml_tensor * w, ggml_tensor * y, int threads,
                                  const std::function<void()> & fill, const Repeat & repeat) {
    ggml_cgraph * graph = ggml_new_graph(context);
    ggml_build_forward_expand(graph, y);
    ggml_backend_buffer_t own    = lay_out(kernels, w, y);
    ggml_backend_buffer_t buffer = ggml_backend_alloc_ctx_tensors(context, kernels.backend);
    fill();
    kernels.set_threads(kernels.backend, threads);
    const auto run = [&] { ggml_backend_graph_compute(kernels.backend, graph); };
    if (repeat) {
        repeat(run);
    } else {
        run();
    }
    std::vector<float> result((size_t) ggml_nelements(y));
    ggml_backend_tensor_get(y, result.data(), 0, result.size()*sizeof(float));
    ggml_backend_buffer_free(buffer);
    if (own) {
        ggml_backend_buffer_free(own);
    }
    ggml_free(context);
    return result;
}

// rows x columns products, column by column
static std::vector<float> multiply(const Kernels & kernels, ggml_type type, const std::vector<uint8_t> & weights, int rows,
                                   int length, const std::vector<float> & activations, int columns, int threads,
                                   const Repeat & repeat = nullptr) {
    ggml_context * context = ggml_init({ ggml_tensor_overhead()*8 + ggml_graph_overhead(), nullptr, true });
    ggml_tensor *  w       = ggml_new_tensor_2d(context, type, length, rows);
    ggml_tensor *  x       = ggml_new_tensor_2d(context, GGML_TYPE_F32, length, columns);
    return compute(kernels, context, w, ggml_mul_mat(context, w, x), threads, [&] {
        ggml_backend_tensor_set(w, weights.data(), 0, weights.size());
        ggml_backend_tensor_set(x, activations.data(), 0, activations.size()*sizeof(float));
    }, repeat);
}

// What activations become before they are multiplied, in double precision; `sums`: what stands in the place of the sum of
// each 32, where the type multiplies its mins with one
struct Quantized {
    std::vector<float> numbers;
    std::vector<float> sums;
};

static Quantized quantize(ggml_type type, const std::vector<float> & numbers) {
    Quantized result { numbers, {} };
    const int64_t n = (int64_t) numbers.size();
    if (type == GGML_TYPE_F32) {
        return result;
    }
    if (type == GGML_TYPE_Q8_1) {
        const size_t         size = ggml_type_size(type);
        std::vector<uint8_t> blocks(ggml_row_size(type, n));
        ggml_get_type_traits(type)->from_float_ref(numbers.data(), blocks.data(), n);
        result.sums.resize(n/32);
        for (int64_t i = 0; i < n; i++) {
            const uint8_t * block = &blocks[i/32*size];
            result.numbers[i]  = get_half(block) * (float) (int8_t) block[4 + i % 32];
            result.sums[i/32]  = get_half(block + 2);
        }
        return result;
    }
    std::vector<uint8_t> blocks(ggml_row_size(type, n));
    if (type == GGML_TYPE_Q8_K) {
        quantize_row_q8_K_ref(numbers.data(), blocks.data(), n);
        dequantize_row_q8_K(blocks.data(), result.numbers.data(), n);
        return result;
    }
    ggml_get_type_traits(type)->from_float_ref(numbers.data(), blocks.data(), n);
    ggml_get_type_traits(type)->to_float(blocks.data(), result.numbers.data(), n);
    return result;
}

static ggml_type multiplied_with(ggml_type type) {
    switch (type) {
        case GGML_TYPE_Q4_1:
        case GGML_TYPE_Q5_1:   return GGML_TYPE_Q8_1;
        case GGML_TYPE_Q4_0:
        case GGML_TYPE_Q5_0:
        case GGML_TYPE_Q8_0:
        case GGML_TYPE_MXFP4:
        case GGML_TYPE_IQ4_NL: return GGML_TYPE_Q8_0;
        case GGML_TYPE_F16:    return GGML_TYPE_F16;
        case GGML_TYPE_F32:    return GGML_TYPE_F32;
        default:               return GGML_TYPE_Q8_K;
    }
}

// A product in double precision
struct Exact {
    double sum;    // of what activations become before they are multiplied
    double size;   // of the absolute values
    double truth;  // of the activations as they were
};

static bool adds_halves(const Kernels & kernels, ggml_type type) {
    return kernels.sums_of_halves && type == GGML_TYPE_F16;
}

// Activations that rounding moves by one are for the mean to judge.
static double tolerance_of(const Exact & exact, Activations activations, bool halves) {
    return activations == normal_activations || halves ? exact.size*0.02 + 1e-6 : exact.size*1e-6 + 1e-30;
}

// Rows of weights and columns of activations
struct Reference {
    const ggml_type              type;
    const int                    length;
    const std::vector<uint8_t> & weights;
    const std::vector<float> &   activations;
    const Quantized              quantized;
    std::vector<float>           numbers;

    Reference(ggml_type type, int length, const std::vector<uint8_t> & weights, const std::vector<float> & activations)
        : type(type), length(length), weights(weights), activations(activations),
          quantized(quantize(multiplied_with(type), activations)),
          numbers(weights.size()/ggml_type_size(type)*ggml_blck_size(type)) {
        if (type == GGML_TYPE_F32) {
            memcpy(numbers.data(), weights.data(), weights.size());
        } else {
            ggml_get_type_traits(type)->to_float(weights.data(), numbers.data(), (int64_t) numbers.size());
        }
    }

    Exact product(int row, int column) const {
        Exact exact = { 0, 0, 0 };
        for (int i = 0; i < length; i++) {
            const double weight = numbers[(size_t) row*length + i];
            const double y      = quantized.numbers[(size_t) column*length + i];
            exact.sum   += weight*y;
            exact.size  += fabs(weight*y);
            exact.truth += weight*activations[(size_t) column*length + i];
        }
        for (int block = 0; block < (quantized.sums.empty() ? 0 : length/32); block++) {
            // The min of a block times the half that stands for its sum, rounded as it is
            const size_t at = (size_t) column*(length/32) + block;
            double all = 0;
            for (int i = 0; i < 32; i++) {
                all += quantized.numbers[at*32 + i];
            }
            const double min = get_half(&weights[ggml_row_size(type, length)*row + block*ggml_type_size(type) + 2]);
            exact.sum  += min*(quantized.sums[at] - all);
            exact.size += fabs(min*quantized.sums[at]);
        }
        return exact;
    }
};

struct Case {
    ggml_type   type;
    int         rows;
    int         length;
    int         columns;
    int         threads;
    Weights     weights;
    Activations activations;
};

static std::string describe(const Case & c) {
    return std::string(ggml_type_name(c.type)) + " " + std::to_string(c.rows) + "x" + std::to_string(c.length) + " by " +
           std::to_string(c.columns) + ", " + std::to_string(c.threads) + " threads, " + weight_names[c.weights] +
           " weights, " + activation_names[c.activations] + " activations";
}

// Root mean square of what was wrong, against the numbers before any quantization of activations
struct Errors {
    double ours      = 0;
    double reference = 0;
};

static Errors try_product(const Kernels & kernels, const Case & c) {
    const std::vector<uint8_t> weights     = make_weights(c.type, c.rows, c.length, c.weights);
    const std::vector<float>   activations = make_activations(c.columns, c.length, c.activations);
    const std::vector<float>   result = multiply(kernels, c.type, weights, c.rows, c.length, activations, c.columns, c.threads);

    const Reference reference(c.type, c.length, weights, activations);
    Errors errors;
    for (int column = 0; column < c.columns; column++) {
        for (int row = 0; row < c.rows; row++) {
            const double got   = result[(size_t) column*c.rows + row];
            const Exact  exact = reference.product(row, column);
            errors.ours      += (got - exact.truth)*(got - exact.truth);
            errors.reference += (exact.sum - exact.truth)*(exact.sum - exact.truth);
            const double tolerance = tolerance_of(exact, c.activations, adds_halves(kernels, c.type));
            if (!(fabs(got - exact.sum) <= tolerance)) {
                fail(describe(c), got, exact.sum, tolerance);
            }
        }
    }
    return errors;
}

static const std::vector<ggml_type> all_types = {
    GGML_TYPE_Q4_0, GGML_TYPE_Q4_1, GGML_TYPE_Q5_0, GGML_TYPE_Q5_1, GGML_TYPE_Q8_0,
    GGML_TYPE_IQ4_NL, GGML_TYPE_MXFP4, GGML_TYPE_Q4_K, GGML_TYPE_Q5_K, GGML_TYPE_Q6_K, GGML_TYPE_IQ4_XS, GGML_TYPE_F16,
};

// All, or those whose weights the library lays out in its own way on this processor
static std::vector<ggml_type> types_of(const Kernels & kernels) {
    std::vector<ggml_type> types;
    for (ggml_type type : all_types) {
        ggml_context * context = ggml_init({ ggml_tensor_overhead()*3, nullptr, true });
        ggml_tensor *  w       = ggml_new_tensor_2d(context, type, 1024, kernels.rows(8));
        ggml_tensor *  y       = ggml_mul_mat(context, w, ggml_new_tensor_2d(context, GGML_TYPE_F32, 1024, 1));
        ggml_backend_buffer_t buffer = lay_out(kernels, w, y);
        if (buffer || !kernels.as_loaded()) {
            types.push_back(type);
        }
        ggml_backend_buffer_free(buffer);
        ggml_free(context);
    }
    return types;
}

// Lengths of a row that are whole blocks: an odd number of them too
static std::vector<int> lengths_of(ggml_type type) {
    if (brief) {
        return { ggml_blck_size(type) == 256 ? 768 : 96 };
    }
    return ggml_blck_size(type) == 256 ? std::vector<int>{ 256, 768, 1024 } : std::vector<int>{ 32, 96, 160, 576, 1024 };
}

static void try_products(const Kernels & kernels) {
    const struct { Weights weights; Activations activations; } kinds[] = {
        { random_weights, exact_activations },  { random_weights, normal_activations },   { zero_weights, normal_activations },
        { random_weights, zero_activations },   { largest_weights, largest_activations }, { wild_weights, exact_activations },
    };
    for (ggml_type type : types_of(kernels)) {
        Errors total;
        int    cases = 0;
        for (int length : lengths_of(type)) {
            for (int rows : kernels.as_loaded() ? std::vector<int>{ kernels.rows(8), kernels.rows(40) } : std::vector<int>{ 1, 7, 36 }) {
                for (int columns : brief ? std::vector<int>{ 3, 21 } : std::vector<int>{ 1, 3, 8, 21, 37 }) {
                    for (const auto & kind : kinds) {
                        // Threads wait for each other, on a busy machine for long
                        const int threads = rows >= 36 && columns == 21 && kind.weights == wild_weights ? 3 : 1;
                        const Errors errors =
                            try_product(kernels, { type, rows, length, columns, threads, kind.weights, kind.activations });
                        if (kind.weights == random_weights && kind.activations == normal_activations) {
                            total.ours      += errors.ours;
                            total.reference += errors.reference;
                        }
                        cases++;
                    }
                }
            }
        }
        for (int columns : { 1, 5 }) {
            // Longer than what is unpacked at once
            const int length = ggml_blck_size(type) == 256 ? 67*256 : 65*32;
            try_product(kernels, { type, kernels.rows(13), length, columns, 1, random_weights, exact_activations });
            cases++;
        }
        const double ratio = sqrt(total.ours/total.reference);
        printf("%-8s %s%d cases, error %.4f of that of the plain code\n", ggml_type_name(type), kernels.label().c_str(), cases, ratio);
        if (!(ratio <= 1.01) && !adds_halves(kernels, type)) {
            fail(std::string(ggml_type_name(type)) + ": mean error", ratio, 1, 0.01);
        }
    }
}

// A scale that is not a number makes a result that is none, and nothing else
static void try_not_a_number(const Kernels & kernels) {
    for (ggml_type type : types_of(kernels)) {
        if (halves_of(type).empty()) {
            continue;
        }
        const int length = 1024, rows = kernels.rows(9), columns = 6;
        std::vector<uint8_t>     weights     = make_weights(type, rows, length, random_weights);
        const std::vector<float> activations = make_activations(columns, length, normal_activations);
        set_half(&weights[ggml_row_size(type, length)*4 + ggml_type_size(type)*2 + halves_of(type)[0]], NAN);
        const std::vector<float> result = multiply(kernels, type, weights, rows, length, activations, columns, 2);
        for (size_t i = 0; i < result.size(); i++) {
            if (std::isnan(result[i]) != (i % rows == 4)) {
                fail(std::string(ggml_type_name(type)) + ": not a number in row 4, row " + std::to_string(i % rows), result[i], NAN, 0);
            }
        }
    }
}

// What results have to be equal with: those of weights that are not interleaved. Tiles are added up in an order of their own, and
// on ARM the library multiplies interleaved ones in another way.
static Kernels kernels_of_whole(Kernels kernels) {
#if !defined(__aarch64__)
    if (!kernels.in_tiles()) {
        kernels.layouts.clear();
    }
#endif
    return kernels;
}

// Bit by bit the same, whatever else is in the call, and whoever computes it
static void try_invariance(const Kernels & kernels, bool long_rows) {
    for (ggml_type type : types_of(kernels)) {
        const bool wide   = ggml_blck_size(type) == 256;
        const int  length = long_rows ? (wide ? 67*256 : 65*32) : (wide ? 768 : 608);
        const int  rows = long_rows ? kernels.rows(16) : kernels.rows(262), columns = long_rows ? 9 : brief ? 33 : 70;
        const std::vector<uint8_t> weights     = make_weights(type, rows, length, random_weights);
        const std::vector<float>   activations = make_activations(columns, length, normal_activations);
        const std::vector<float> whole = multiply(kernels_of_whole(kernels), type, weights, rows, length, activations, columns, 1);
        int wrong = 0;
        for (int portion : brief ? std::vector<int>{ 1, 3, 8, 33 } : std::vector<int>{ 1, 2, 3, 4, 5, 7, 8, 9, 16, 31, 64 }) {
            for (int from = 0; from < columns; from += portion) {
                const int count = std::min(portion, columns - from);
                const std::vector<float> part(activations.begin() + (size_t) from*length, activations.begin() + (size_t) (from + count)*length);
                const std::vector<float> result = multiply(kernels, type, weights, rows, length, part, count, from == 0 && portion % 4 == 0 ? 2 : 1);
                if (memcmp(result.data(), &whole[(size_t) from*rows], result.size()*sizeof(float)) != 0 && wrong++ == 0) {
                    fail(std::string(ggml_type_name(type)) + ": columns alone and together, portions of " + std::to_string(portion) + ", " + kernels.label(), result[0], whole[(size_t) from*rows], 0);
                }
            }
        }
    }
}

// ---- experts ------------------------------------------------------------------------------------------------------------

// A mixture of experts: each token is multiplied with the matrices that it chose
struct Experts {
    ggml_type type;
    int       rows;    // of an expert
    int       length;
    int       count;
    int       used;    // by a token
    int       tokens;
    bool      own;     // each of a token's experts has activations of its own; else all have the same
};

static std::string describe(const Experts & e) {
    return std::string(ggml_type_name(e.type)) + " " + std::to_string(e.count) + " experts of " + std::to_string(e.rows) + "x" +
           std::to_string(e.length) + ", " + std::to_string(e.used) + " for each of " + std::to_string(e.tokens) + " tokens" +
           (e.own ? ", activations of their own" : "");
}

// Columns of activations of a token
static int columns_of(const Experts & e) {
    return e.own ? e.used : 1;
}

// [tokens][used]: the first expert is chosen by up to 65 tokens, the second by none, the third by one, the fourth by two, the
// others as it comes
static std::vector<int32_t> choose_experts(const Experts & e) {
    std::vector<int32_t> chosen;
    for (int token = 0; token < e.tokens; token++) {
        std::vector<int32_t> mine;
        if (token < 65) { mine.push_back(0); }
        if (token == 0) { mine.push_back(2); }
        if (token == 1 || token == 2) { mine.push_back(3); }
        while ((int) mine.size() < e.used) {
            const int32_t other = 4 + (int32_t) (random_bits() % (unsigned) (e.count - 4));
            if (std::find(mine.begin(), mine.end(), other) == mine.end()) {
                mine.push_back(other);
            }
        }
        std::rotate(mine.begin(), mine.begin() + token % e.used, mine.end());
        chosen.insert(chosen.end(), mine.begin(), mine.end());
    }
    return chosen;
}

// [tokens][used][rows]
static std::vector<float> multiply_experts(const Kernels & kernels, const Experts & e, const std::vector<uint8_t> & weights,
                                           const float * activations, const int32_t * chosen, int threads,
                                           const Repeat & repeat = nullptr) {
    ggml_context * context = ggml_init({ ggml_tensor_overhead()*8 + ggml_graph_overhead(), nullptr, true });
    ggml_tensor *  w       = ggml_new_tensor_3d(context, e.type, e.length, e.rows, e.count);
    ggml_tensor *  x       = ggml_new_tensor_3d(context, GGML_TYPE_F32, e.length, columns_of(e), e.tokens);
    ggml_tensor *  ids     = ggml_new_tensor_2d(context, GGML_TYPE_I32, e.used, e.tokens);
    return compute(kernels, context, w, ggml_mul_mat_id(context, w, x, ids), threads, [&] {
        ggml_backend_tensor_set(w, weights.data(), 0, weights.size());
        ggml_backend_tensor_set(x, activations, 0, ggml_nbytes(x));
        ggml_backend_tensor_set(ids, chosen, 0, ggml_nbytes(ids));
    }, repeat);
}

static std::vector<Experts> expert_cases(const Kernels & kernels, ggml_type type) {
    const int length = ggml_blck_size(type) == 256 ? 768 : 608;
    if (brief) {
        return {
            { type, kernels.rows(20), length, 5, 2, 33, true },
            { type, kernels.rows(33), length, 12, 5, 1, false },
        };
    }
    return {
        { type, kernels.rows(20), length, 9, 2, 70, false },
        { type, kernels.rows(20), length, 9, 2, 70, true },
        { type, kernels.rows(33), length, 12, 5, 1, false },
        { type, 8, length, 16, 7, 21, true },
        { type, 8, 16384, 5, 1, 9, false },
    };
}

static void try_experts(const Kernels & kernels) {
    int cases = 0;
    for (ggml_type type : types_of(kernels)) {
        for (const Experts & e : expert_cases(kernels, type)) {
            for (Activations kind : { exact_activations, normal_activations }) {
                const std::vector<uint8_t> weights     = make_weights(type, e.rows*e.count, e.length, random_weights);
                const std::vector<float>   activations = make_activations(e.tokens*columns_of(e), e.length, kind);
                const std::vector<int32_t> chosen      = choose_experts(e);
                const std::vector<float>   result = multiply_experts(kernels, e, weights, activations.data(), chosen.data(), 1 + cases % 3);
                const Reference            reference(type, e.length, weights, activations);
                for (int choice = 0; choice < e.tokens*e.used; choice++) {
                    for (int row = 0; row < e.rows; row++) {
                        const Exact  exact     = reference.product(chosen[choice]*e.rows + row, e.own ? choice : choice/e.used);
                        const double got       = result[(size_t) choice*e.rows + row];
                        const double tolerance = tolerance_of(exact, kind, adds_halves(kernels, type));
                        if (!(fabs(got - exact.sum) <= tolerance)) {
                            fail(kernels.label() + describe(e), got, exact.sum, tolerance);
                        }
                    }
                }
                cases++;
            }
        }
    }
    if (cases > 0) {
        printf("experts  %s%d cases\n", kernels.label().c_str(), cases);
    }
}

// A token becomes what it becomes alone, whoever else chose its experts
static void try_experts_invariance(const Kernels & kernels) {
    for (ggml_type type : types_of(kernels)) {
        for (const Experts & e : expert_cases(kernels, type)) {
            const std::vector<uint8_t> weights     = make_weights(type, e.rows*e.count, e.length, random_weights);
            const std::vector<float>   activations = make_activations(e.tokens*columns_of(e), e.length, normal_activations);
            const std::vector<int32_t> chosen      = choose_experts(e);
            const std::vector<float>   whole       = multiply_experts(kernels_of_whole(kernels), e, weights, activations.data(), chosen.data(), 1);
            for (int portion : brief ? std::vector<int>{ 1, 8 } : std::vector<int>{ 1, 2, 3, 8, 33, e.tokens }) {
                for (int from = 0; from < e.tokens; from += portion) {
                    Experts part = e;
                    part.tokens  = std::min(portion, e.tokens - from);
                    const int threads = from == 0 ? 1 + portion % 3 : 1;
                    const std::vector<float> result = multiply_experts(kernels, part, weights, &activations[(size_t) from*columns_of(e)*e.length],
                                                                       &chosen[(size_t) from*e.used], threads);
                    if (memcmp(result.data(), &whole[(size_t) from*e.used*e.rows], result.size()*sizeof(float)) != 0) {
                        fail(kernels.label() + describe(e) + ": tokens alone and together, portions of " + std::to_string(portion), result[0], whole[(size_t) from*e.used*e.rows], 0);
                        break;
                    }
                }
            }
        }
    }
}

// ---- attention ----------------------------------------------------------------------------------------------------------

struct Attention {
    ggml_type type;
    int       head;         // numbers of a key and of a value
    int       heads;
    int       kv_heads;
    int       keys;
    int       tokens;
    float     max_bias;
    float     softcap;
    bool      window;       // only the last 100 keys of each token
};

struct AttentionInput {
    std::vector<float>       q;        // [tokens][heads][head]
    std::vector<uint8_t>     k, v;     // [keys][kv_heads][head], in their type
    std::vector<float>       ks, vs;   // the numbers that these are
    std::vector<ggml_fp16_t> mask;  // [tokens][keys]
};

// Random numbers in a type, and what they are in it
static void fill(ggml_type type, int64_t rows, int64_t length, std::vector<uint8_t> & bytes, std::vector<float> & numbers) {
    numbers.resize((size_t) (rows*length));
    for (float & number : numbers) { number = normal(); }
    bytes.resize(ggml_row_size(type, length)*rows);
    if (type == GGML_TYPE_F32) {
        memcpy(bytes.data(), numbers.data(), bytes.size());
        return;
    }
    ggml_quantize_chunk(type, numbers.data(), bytes.data(), 0, rows, length, nullptr);
    ggml_get_type_traits(type)->to_float(bytes.data(), numbers.data(), rows*length);
}

static AttentionInput make_attention(const Attention & a) {
    AttentionInput input;
    input.q.resize((size_t) a.tokens*a.heads*a.head);
    for (float & number : input.q) { number = 2*normal(); }
    fill(a.type, (int64_t) a.keys*a.kv_heads, a.head, input.k, input.ks);
    fill(a.type, (int64_t) a.keys*a.kv_heads, a.head, input.v, input.vs);
    input.mask.resize((size_t) a.tokens*a.keys);
    // The tokens stand at the end, but for a few cells that hold nothing yet.
    const int last = a.keys - (a.keys > 40 ? 37 : 1);
    for (int token = 0; token < a.tokens; token++) {
        const int own = std::max(last - a.tokens + 1 + token, 0);
        for (int key = 0; key < a.keys; key++) {
            const bool seen = key <= own && (!a.window || key > own - 100);
            input.mask[(size_t) token*a.keys + key] = ggml_fp32_to_fp16(seen ? (a.max_bias > 0 ? (float) (key - own) : 0.0f) : -INFINITY);
        }
    }
    return input;
}

// [tokens][heads][head]
static std::vector<float> attend(const Kernels & kernels, const Attention & a, const AttentionInput & input, int threads,
                                 std::function<void(const std::function<void()> &)> repeat = nullptr) {
    ggml_context * context = ggml_init({ ggml_tensor_overhead()*16 + ggml_graph_overhead(), nullptr, true });
    ggml_tensor *  q       = ggml_new_tensor_3d(context, GGML_TYPE_F32, a.head, a.heads, a.tokens);
    ggml_tensor *  k       = ggml_new_tensor_3d(context, a.type, a.head, a.kv_heads, a.keys);
    ggml_tensor *  v       = ggml_new_tensor_3d(context, a.type, a.head, a.kv_heads, a.keys);
    ggml_tensor *  mask    = ggml_new_tensor_2d(context, GGML_TYPE_F16, a.keys, a.tokens);
    ggml_tensor *  y       = ggml_flash_attn_ext(context, ggml_permute(context, q, 0, 2, 1, 3), ggml_permute(context, k, 0, 2, 1, 3),
                                                 ggml_permute(context, v, 0, 2, 1, 3), mask, 1.0f/sqrtf((float) a.head), a.max_bias, a.softcap);
    ggml_cgraph *  graph   = ggml_new_graph(context);
    ggml_build_forward_expand(graph, y);
    ggml_backend_buffer_t buffer = ggml_backend_alloc_ctx_tensors(context, kernels.backend);
    ggml_backend_tensor_set(q, input.q.data(), 0, input.q.size()*sizeof(float));
    ggml_backend_tensor_set(k, input.k.data(), 0, input.k.size());
    ggml_backend_tensor_set(v, input.v.data(), 0, input.v.size());
    ggml_backend_tensor_set(mask, input.mask.data(), 0, input.mask.size()*sizeof(ggml_fp16_t));
    kernels.set_threads(kernels.backend, threads);
    const auto run = [&] { ggml_backend_graph_compute(kernels.backend, graph); };
    if (repeat) {
        repeat(run);
    } else {
        run();
    }
    std::vector<float> result(input.q.size());
    ggml_backend_tensor_get(y, result.data(), 0, result.size()*sizeof(float));
    ggml_backend_buffer_free(buffer);
    ggml_free(context);
    return result;
}

static std::string describe(const Attention & a) {
    return std::string("attention in ") + ggml_type_name(a.type) + ", " + std::to_string(a.heads) + " heads of " + std::to_string(a.head) +
           " on " + std::to_string(a.kv_heads) + ", " + std::to_string(a.tokens) + " tokens of " + std::to_string(a.keys) +
           (a.window ? ", window" : "") + (a.max_bias > 0 ? ", bias" : "") + (a.softcap > 0 ? ", softcap" : "");
}

static double slope_of(const Attention & a, int head) {
    if (a.max_bias <= 0) {
        return 1;
    }
    const int    power = 1 << (int) floor(log2(a.heads));
    const double base  = head < power ? pow(2, -a.max_bias/power) : pow(2, -a.max_bias/2/power);
    return pow(base, head < power ? head + 1 : 2*(head - power) + 1);
}

// What a token's head should see, in double precision
static std::vector<double> attend_exactly(const Attention & a, const AttentionInput & input, int token, int head) {
    const int           kv_head = head/(a.heads/a.kv_heads);
    std::vector<double> scores(a.keys);
    double              largest = -INFINITY, sum = 0;
    for (int key = 0; key < a.keys; key++) {
        double score = 0;
        for (int i = 0; i < a.head; i++) {
            score += (double) input.q[((size_t) token*a.heads + head)*a.head + i] *
                     input.ks[((size_t) key*a.kv_heads + kv_head)*a.head + i];
        }
        score /= sqrt((double) a.head);
        if (a.softcap > 0) {
            score = a.softcap*tanh(score/a.softcap);
        }
        scores[key] = score + slope_of(a, head)*ggml_fp16_to_fp32(input.mask[(size_t) token*a.keys + key]);
        largest     = std::max(largest, scores[key]);
    }
    std::vector<double> result(a.head);
    for (int key = 0; key < a.keys; key++) {
        const double weight = exp(scores[key] - largest);
        sum += weight;
        for (int i = 0; i < a.head; i++) {
            result[i] += weight*input.vs[((size_t) key*a.kv_heads + kv_head)*a.head + i];
        }
    }
    for (double & number : result) { number /= sum; }
    return result;
}

static const std::vector<Attention> attentions = {
    { GGML_TYPE_F16, 64, 9, 3, 256, 1, 0, 0, false },    { GGML_TYPE_F16, 64, 14, 2, 1792, 1, 0, 0, false },
    { GGML_TYPE_F16, 64, 9, 3, 1100, 3, 0, 0, false },   { GGML_TYPE_F16, 32, 8, 8, 600, 2, 0, 0, false },
    { GGML_TYPE_F16, 96, 4, 4, 301, 5, 0, 0, false },    { GGML_TYPE_F16, 128, 12, 2, 768, 8, 0, 0, false },
    { GGML_TYPE_F16, 256, 4, 1, 777, 4, 0, 50, true },   { GGML_TYPE_F16, 80, 6, 6, 512, 1, 8, 0, false },
    { GGML_TYPE_F16, 64, 9, 3, 640, 64, 0, 0, false },   { GGML_TYPE_F16, 64, 9, 3, 1100, 100, 0, 0, true },
    { GGML_TYPE_F16, 128, 8, 2, 256, 37, 0, 30, false }, { GGML_TYPE_F32, 64, 4, 2, 600, 7, 0, 0, false },
    { GGML_TYPE_F16, 64, 2, 1, 1, 1, 0, 0, false },      { GGML_TYPE_F16, 112, 4, 2, 65, 2, 8, 0, false },
    { GGML_TYPE_Q8_0, 64, 9, 3, 1100, 1, 0, 0, false },  { GGML_TYPE_Q8_0, 64, 14, 2, 1792, 8, 0, 0, false },
    { GGML_TYPE_Q8_0, 96, 4, 4, 301, 5, 0, 0, false },   { GGML_TYPE_Q8_0, 128, 12, 2, 768, 3, 0, 30, false },
    { GGML_TYPE_Q8_0, 256, 4, 1, 777, 4, 0, 50, true },  { GGML_TYPE_Q8_0, 64, 9, 3, 640, 63, 0, 0, false },
    { GGML_TYPE_Q8_0, 128, 8, 2, 1100, 37, 8, 0, true }, { GGML_TYPE_Q8_0, 32, 2, 1, 65, 2, 0, 0, false },
};

// tolerance: on processors that are not x64 with SSE3, llama.cpp's own attention holds queries and sums as halves
static void try_attention(const Kernels & kernels, double tolerance) {
    double largest = 0;
    for (const Attention & a : attentions) {
        const AttentionInput     input  = make_attention(a);
        const std::vector<float> result = attend(kernels, a, input, a.tokens == 1 ? 3 : 1);
        for (int token = 0; token < a.tokens; token += std::max(a.tokens/5, 1)) {
            for (int head = 0; head < a.heads; head++) {
                const std::vector<double> exact = attend_exactly(a, input, token, head);
                for (int i = 0; i < a.head; i++) {
                    const double got = result[((size_t) token*a.heads + head)*a.head + i];
                    largest = std::max(largest, fabs(got - exact[i]));
                    if (!(fabs(got - exact[i]) <= tolerance)) {
                        fail(describe(a) + ", token " + std::to_string(token) + ", head " + std::to_string(head), got, exact[i], tolerance);
                    }
                }
            }
        }
    }
    printf("attention %zu cases, largest error %.2g\n", attentions.size(), largest);
}

// A token sees the same alone and beside others, with however many threads
static void try_attention_invariance(const Kernels & kernels) {
    for (const Attention & a : attentions) {
        const AttentionInput     input = make_attention(a);
        const std::vector<float> whole = attend(kernels, a, input, 1);
        for (int portion : { 1, 2, 3, 8, 33, 64 }) {
            int from = 0;
            while (from < a.tokens) {
                Attention part = a;
                part.tokens    = std::min(portion, a.tokens - from);
                AttentionInput some = input;
                const size_t   width = (size_t) a.heads*a.head;
                some.q.assign(input.q.begin() + from*width, input.q.begin() + (from + part.tokens)*width);
                some.mask.assign(input.mask.begin() + (size_t) from*a.keys, input.mask.begin() + (size_t) (from + part.tokens)*a.keys);
                const std::vector<float> result = attend(kernels, part, some, from == 0 ? 1 + portion % 3 : 1);
                if (memcmp(result.data(), &whole[from*width], result.size()*sizeof(float)) != 0) {
                    fail(describe(a) + ": portions of " + std::to_string(portion), result[0], whole[from*width], 0);
                    break;
                }
                from += portion > 8 ? part.tokens : std::max(part.tokens, a.tokens/3);
            }
        }
    }
}

// ---- pace ---------------------------------------------------------------------------------------------------------------

static double now() {
    timespec time;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return time.tv_sec + time.tv_nsec*1e-9;
}

static void show_pace(const Kernels & kernels) {
    const int length = 1536, rows = 1024;
    for (ggml_type type : all_types) {
        printf("%-8s", ggml_type_name(type));
        for (int columns : { 1, 2, 4, 8, 64 }) {
            const std::vector<uint8_t> weights     = make_weights(type, rows, length, random_weights);
            const std::vector<float>   activations = make_activations(columns, length, normal_activations);
            double best = 1e9;
            multiply(kernels, type, weights, rows, length, activations, columns, 1, [&](const std::function<void()> & run) {
                for (int round = 0; round < (columns < 16 ? 60 : 12); round++) {
                    const double start = now();
                    run();
                    best = std::min(best, now() - start);
                }
            });
            printf("  %2d: %7.2f", columns, 1e-9*rows*length*columns/best);
        }
        printf("   thousand million products/s\n");
    }
}

// As the experts of a model of 64, of which each token takes 8
static void show_experts_pace(const Kernels & kernels) {
    for (ggml_type type : all_types) {
        printf("%-8s experts", ggml_type_name(type));
        std::vector<uint8_t> weights;
        for (int tokens : { 1, 4, 64, 512 }) {
            const Experts e { type, 512, 1024, 64, 8, tokens, false };
            if (weights.empty()) {
                weights = make_weights(type, e.rows*e.count, e.length, wild_weights);
            }
            const std::vector<float>   activations = make_activations(tokens, e.length, normal_activations);
            std::vector<int32_t>       chosen;
            for (int token = 0; token < tokens; token++) {
                std::vector<int32_t> all(e.count);
                for (int i = 0; i < e.count; i++) { all[i] = i; }
                for (int slot = 0; slot < e.used; slot++) {
                    std::swap(all[slot], all[slot + random_bits() % (unsigned) (e.count - slot)]);
                }
                chosen.insert(chosen.end(), all.begin(), all.begin() + e.used);
            }
            double best = 1e9;
            multiply_experts(kernels, e, weights, activations.data(), chosen.data(), 1, [&](const std::function<void()> & run) {
                for (int round = 0; round < (tokens < 16 ? 60 : 6); round++) {
                    const double start = now();
                    run();
                    best = std::min(best, now() - start);
                }
            });
            printf("  %3d: %7.2f", tokens, 1e-9*e.rows*e.length*e.used*tokens/best);
        }
        printf("   thousand million products/s\n");
    }
}

static void show_attention_pace(const Kernels & kernels) {
    // The last ones are as many as 30 layers have of 2,048 each: no cache holds them
    for (int keys : { 512, 2048, 61440 }) {
        for (int tokens : { 1, 4, 64 }) {
            if (keys > 2048 && tokens > 4) { continue; }
            printf("attention %5d keys, %2d tokens:", keys, tokens);
            for (const Attention & shape : { Attention{ GGML_TYPE_F16, 64, 9, 3, keys, tokens, 0, 0, false },
                                             Attention{ GGML_TYPE_F16, 64, 14, 2, keys, tokens, 0, 0, false },
                                             Attention{ GGML_TYPE_F16, 256, 4, 1, keys, tokens, 0, 0, false },
                                             Attention{ GGML_TYPE_F16, 128, 8, 8, keys, tokens, 0, 0, false },
                                             Attention{ GGML_TYPE_Q8_0, 64, 9, 3, keys, tokens, 0, 0, false } }) {
                const AttentionInput input = make_attention(shape);
                double               best  = 1e9;
                attend(kernels, shape, input, 1, [&](const std::function<void()> & run) {
                    for (int round = 0; round < (tokens < 16 ? 20 : 4); round++) {
                        const double start = now();
                        run();
                        best = std::min(best, now() - start);
                    }
                });
                printf("  %2d/%d of %3d %s %8.1f us", shape.heads, shape.kv_heads, shape.head, ggml_type_name(shape.type), best*1e6);
            }
            printf("\n");
        }
    }
}

// ---- beside another library ---------------------------------------------------------------------------------------------

struct Beside {
    int    width   = 2048;
    int    threads = 1;
    size_t size    = 256;  // of the weights, in MiB; no cache holds more than a part of what is not told
};

// The products of one token with the weights of a model
struct Model {
    ggml_context *                     context;
    ggml_cgraph *                      graph;
    std::vector<ggml_backend_buffer_t> buffers;
    size_t                             size;  // of the weights, in bytes
};

static const std::vector<ggml_type> model_types = {
    GGML_TYPE_Q4_0, GGML_TYPE_Q4_1, GGML_TYPE_Q5_0, GGML_TYPE_Q5_1, GGML_TYPE_Q8_0,   GGML_TYPE_IQ4_NL, GGML_TYPE_Q2_K,
    GGML_TYPE_Q3_K, GGML_TYPE_Q4_K, GGML_TYPE_Q5_K, GGML_TYPE_Q6_K, GGML_TYPE_IQ4_XS, GGML_TYPE_F16,
};

// `shared`: whose weights are taken, so that both read the same memory; where they are laid out in the library's own way, both
// libraries have the same one
static Model make_model(const Kernels & kernels, ggml_type type, const Beside & what, const Model * shared) {
    const int width = what.width;
    const struct { int rows, length; } matrices[] = { { width, width }, { 4*width, width }, { width, 4*width } };
    Model model;
    model.context = ggml_init({ ggml_tensor_overhead()*4096 + ggml_graph_overhead_custom(4096, false), nullptr, true });
    model.graph   = ggml_new_graph_custom(model.context, 4096, false);
    model.size    = 0;
    std::vector<ggml_tensor *> weights, inputs;
    while (model.size < what.size << 20) {
        for (const auto & matrix : matrices) {
            ggml_tensor * w = ggml_new_tensor_2d(model.context, type, matrix.length, matrix.rows);
            ggml_tensor * x = ggml_new_tensor_2d(model.context, GGML_TYPE_F32, matrix.length, 1);
            ggml_tensor * y = ggml_mul_mat(model.context, w, x);
            ggml_build_forward_expand(model.graph, y);
            if (ggml_backend_buffer_t own = lay_out(kernels, w, y)) {
                model.buffers.push_back(own);
            }
            if (shared) {
                const ggml_tensor * other = ggml_graph_node(shared->graph, ggml_graph_n_nodes(model.graph) - 1)->src[0];
                w->data = other->data;
                if (!w->extra) { w->buffer = other->buffer; }
            }
            weights.push_back(w);
            inputs.push_back(x);
            model.size += ggml_nbytes(w);
        }
    }
    model.buffers.push_back(ggml_backend_alloc_ctx_tensors(model.context, kernels.backend));
    for (size_t i = 0; i < weights.size(); i++) {
        const int length = (int) weights[i]->ne[0];
        ggml_backend_tensor_set(inputs[i], make_activations(1, length, normal_activations).data(), 0, length*sizeof(float));
        if (shared) {
            continue;
        }
        // The same 64 rows over and over: the pace does not depend on them
        const std::vector<uint8_t> some = make_weights(type, 64, length, random_weights);
        std::vector<uint8_t>       all;
        while (all.size() < ggml_nbytes(weights[i])) {
            all.insert(all.end(), some.begin(), some.end());
        }
        ggml_backend_tensor_set(weights[i], all.data(), 0, ggml_nbytes(weights[i]));
    }
    return model;
}

static void free_model(const Model & model) {
    for (ggml_backend_buffer_t buffer : model.buffers) {
        ggml_backend_buffer_free(buffer);
    }
    ggml_free(model.context);
}

struct Times {
    double wall;
    double processor;
};

static Times times_of(int repeats, const std::function<void()> & run) {
    const auto at = [](clockid_t clock) {
        timespec time;
        clock_gettime(clock, &time);
        return time.tv_sec + time.tv_nsec*1e-9;
    };
    const Times before { at(CLOCK_MONOTONIC), at(CLOCK_PROCESS_CPUTIME_ID) };
    for (int i = 0; i < repeats; i++) {
        run();
    }
    return { (at(CLOCK_MONOTONIC) - before.wall)/repeats, (at(CLOCK_PROCESS_CPUTIME_ID) - before.processor)/repeats };
}

static double quartile(std::vector<double> numbers, int quarters) {
    std::sort(numbers.begin(), numbers.end());
    return numbers[(numbers.size() - 1)*quarters/4];
}

// The same bytes, read and added by this many threads
static void read_all(const Model & model, int threads) {
    static std::atomic<uint64_t> kept;
    std::vector<std::thread> readers;
    const auto read = [&](int part) {
        uint64_t sums[8] = {};
        for (int node = 0; node < ggml_graph_n_nodes(model.graph); node++) {
            const ggml_tensor * w    = ggml_graph_node(model.graph, node)->src[0];
            const size_t        size = ggml_nbytes(w)/threads/64*8;
            const uint64_t *    from = (const uint64_t *) w->data + part*size;
            for (size_t i = 0; i < size; i += 8) {
                for (int j = 0; j < 8; j++) {
                    sums[j] += from[i + j];
                }
            }
        }
        for (uint64_t sum : sums) { kept += sum; }
    };
    for (int part = 1; part < threads; part++) {
        readers.emplace_back(read, part);
    }
    read(0);
    for (std::thread & reader : readers) { reader.join(); }
}

static void show_beside(const Kernels & ours, const Kernels & theirs, ggml_type type, const Beside & what) {
    const int   rounds  = 25, threads = what.threads;
    const Model first   = make_model(theirs, type, what, nullptr);
    const Model second  = make_model(ours, type, what, &first);
    const int   repeats = (int) std::max<size_t>(1, ((size_t) 128 << 20)/first.size);
    theirs.set_threads(theirs.backend, threads);
    ours.set_threads(ours.backend, threads);
    std::vector<double> processor, wall, paces[3];
    for (int round = -1; round < rounds; round++) {
        Times taken[2];
        for (int turn = 0; turn < 2; turn++) {
            const bool own = (turn + round) & 1;
            taken[own] = times_of(repeats, [&] { ggml_backend_graph_compute((own ? ours : theirs).backend, (own ? second : first).graph); });
        }
        const Times read = times_of(repeats, [&] { read_all(first, threads); });
        if (round < 0) {
            continue;
        }
        processor.push_back(taken[0].processor/taken[1].processor);
        wall.push_back(taken[0].wall/taken[1].wall);
        for (int i = 0; i < 3; i++) {
            paces[i].push_back(1e-9*first.size/(i < 2 ? taken[i] : read).processor*threads);
        }
    }
    printf("%-8s %d threads: GB/s %5.1f other, %5.1f here, %5.1f only read;  times as fast by processor %.3f (%.3f to %.3f), "
           "by the clock %.3f (%.3f to %.3f)\n",
           ggml_type_name(type), threads, quartile(paces[0], 2), quartile(paces[1], 2), quartile(paces[2], 2), quartile(processor, 2),
           quartile(processor, 1), quartile(processor, 3), quartile(wall, 2), quartile(wall, 1), quartile(wall, 3));
    fflush(stdout);
    free_model(second);
    free_model(first);
}

static void show_all_beside(const Kernels & ours, const Kernels & theirs, int count, char ** words) {
    // How each of its weights is laid out
    ggml_log_set([](ggml_log_level, const char *, void *) {}, nullptr);
    Beside      what;
    std::string types;
    for (int i = 0; i + 1 < count; i += 2) {
        if (strcmp(words[i], "--threads") == 0) { what.threads = atoi(words[i + 1]); }
        if (strcmp(words[i], "--width") == 0)   { what.width = atoi(words[i + 1]); }
        if (strcmp(words[i], "--mib") == 0)     { what.size = (size_t) atoi(words[i + 1]); }
        if (strcmp(words[i], "--types") == 0)   { types = std::string(",") + words[i + 1] + ","; }
    }
    for (ggml_type type : model_types) {
        const bool named = types.empty() || types.find(std::string(",") + ggml_type_name(type) + ",") != std::string::npos;
        if (named && what.width % ggml_blck_size(type) == 0) {
            show_beside(ours, theirs, type, what);
        }
    }
}

// Weights as they are in a file, or as one of the library's layouts has them
static void try_layout(const Kernels & kernels, bool invariant) {
    try_products(kernels);
    try_not_a_number(kernels);
    for (bool long_rows : { false, true }) {
        if (invariant) { try_invariance(kernels, long_rows); }
    }
    // Experts are not laid out in tiles
    if (!kernels.in_tiles()) {
        try_experts(kernels);
        if (invariant) { try_experts_invariance(kernels); }
    }
}

int main(int count, char ** words) {
    if (count < 2) {
        fprintf(stderr, "try-kernels LIBRARY [--invariant [--brief] | --pace [products | experts | attention] | --beside OTHER [SHAPE]]\n");
        return 2;
    }
    const Kernels     loaded = open_kernels(words[1]);
    const std::string option = count > 2 ? words[2] : "";
    brief = count > 3 && strcmp(words[3], "--brief") == 0;
    Kernels           kernels = loaded;
    kernels.layouts.clear();
    if (option == "--pace") {
        const std::string only = count > 3 ? words[3] : "";
        if (only.empty() || only == "products")  { show_pace(loaded); }
        if (only.empty() || only == "experts")   { show_experts_pace(loaded); }
        if (only.empty() || only == "attention") { show_attention_pace(kernels); }
        ggml_backend_free(kernels.backend);
        return 0;
    }
    if (option == "--beside" && count > 3) {
        show_all_beside(loaded, open_kernels(words[3]), count - 4, words + 4);
        return 0;
    }
    const bool invariant = option == "--invariant";
    try_layout(kernels, invariant);
    for (ggml_backend_buffer_type_t layout : loaded.layouts) {
        Kernels laid_out = loaded;
        laid_out.layouts = { layout };
        try_layout(laid_out, invariant);
    }
    try_attention(kernels, invariant ? 1e-5 : 3e-2);
    if (invariant) {
        try_attention_invariance(kernels);
    }
    ggml_backend_free(kernels.backend);
    printf("%s\n", failures == 0 ? "right" : "wrong");
    return failures == 0 ? 0 : 1;
}
