// Compiled once for each instruction set with ENTRAIN_KERNELS_TABLE as the name of its table, the only symbol of the object file: a function with a
// name that other objects share could be taken by the linker for machines that cannot run it. So nothing of the C++ library is used here, and
// everything else is in an unnamed namespace.
#include "kernels/loops.hpp"

#if defined(__x86_64__)
#include <immintrin.h>  // its functions are always inlined
#endif
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"  // of deliberately undefined vectors in immintrin.h (GCC bug 105593)
#endif

namespace entrain::kernels {
namespace {

using std::size_t;

#if defined(__AVX512F__)
constexpr size_t width = 8;
constexpr size_t matrix_panel = 13;  // 2 sums for each vector of rows, 26 of 32 registers: 98 rows are one panel
constexpr size_t score_panel = 4;    // x 6 keys = 24 sums
constexpr size_t tile_keys = 6;
#elif defined(__AVX__)
constexpr size_t width = 4;
constexpr size_t matrix_panel = 6;  // 12 of 16 registers
constexpr size_t score_panel = 3;   // x 4 keys = 12 sums
constexpr size_t tile_keys = 4;
#else
constexpr size_t width = 2;
constexpr size_t matrix_panel = 6;
constexpr size_t score_panel = 3;
constexpr size_t tile_keys = 4;
#endif

typedef double Vector __attribute__((vector_size(width * sizeof(double))));
typedef std::int64_t Bits __attribute__((vector_size(width * sizeof(double))));
typedef double Anywhere __attribute__((vector_size(width * sizeof(double)), aligned(sizeof(double)), may_alias));
typedef double Pair __attribute__((vector_size(2 * sizeof(double))));
typedef double PairAnywhere __attribute__((vector_size(2 * sizeof(double)), aligned(sizeof(double)), may_alias));

inline Vector load(const double* p) { return *reinterpret_cast<const Anywhere*>(p); }
inline Vector load_aligned(const double* p) { return *reinterpret_cast<const Vector*>(p); }
/// For a number of two products: left alone, the compiler makes it an operand in memory of both and loads it twice.
inline Vector load_once(const double* p) {
    Vector v = load_aligned(p);
#if defined(__AVX512F__)
    __asm__("" : "+v"(v));
#elif defined(__x86_64__)
    __asm__("" : "+x"(v));
#endif
    return v;
}
inline void store(double* p, Vector v) { *reinterpret_cast<Anywhere*>(p) = v; }
inline Vector all(double number) { return number - Vector{}; }
inline Bits bits(Vector v) { return reinterpret_cast<Bits>(v); }
inline Vector number(Bits b) { return reinterpret_cast<Vector>(b); }
inline Vector magnitude(Vector v) { return number(bits(v) & 0x7fffffffffffffff); }
inline Vector larger(Vector a, Vector b) { return a < b ? b : a; }  // a if it is NaN
inline Vector smaller(Vector a, Vector b) { return b < a ? b : a; }

// The last, incomplete vector of an array, 0 < count < width; and square roots, which the compiler does not make of loops over lanes.
#if defined(__AVX512F__)
inline __mmask8 first(size_t count) { return static_cast<__mmask8>((1U << count) - 1U); }
inline Vector load_part(const double* p, size_t count) { return _mm512_maskz_loadu_pd(first(count), p); }
inline void store_part(double* p, Vector v, size_t count) { _mm512_mask_storeu_pd(p, first(count), v); }
inline Vector root(Vector v) { return _mm512_sqrt_pd(v); }
#elif defined(__AVX__)
inline __m256i first(size_t count) { return reinterpret_cast<__m256i>(Bits{0, 1, 2, 3} < static_cast<std::int64_t>(count)); }
inline Vector load_part(const double* p, size_t count) { return _mm256_maskload_pd(p, first(count)); }
inline void store_part(double* p, Vector v, size_t count) { _mm256_maskstore_pd(p, first(count), v); }
inline Vector root(Vector v) { return _mm256_sqrt_pd(v); }
#else
inline Vector load_part(const double* p, size_t /*count*/) { return Vector{p[0], 0.0}; }
inline void store_part(double* p, Vector v, size_t /*count*/) { p[0] = v[0]; }
#if defined(__x86_64__)
inline Vector root(Vector v) { return _mm_sqrt_pd(v); }
#else
inline Vector root(Vector v) { return Vector{__builtin_sqrt(v[0]), __builtin_sqrt(v[1])}; }
#endif
#endif
inline Vector load_rows(const double* p, size_t count) { return count >= width ? load(p) : load_part(p, count); }
inline void store_rows(double* p, Vector v, size_t count) { count >= width ? store(p, v) : store_part(p, v, count); }

inline double sum(Vector v) {
    double total = v[0];
    for (size_t i = 1; i < width; ++i) total += v[i];
    return total;
}

// ---- elementary functions

constexpr double nothing = __builtin_nan("");
constexpr double to_integer = 0x1.8p52;  // added to |x| < 2^51 it leaves the nearest integer in the low bits

struct Circular {
    Vector cosine, sine;
};

/// For |x| <= 1e8; anything finite beyond gives finite nonsense. pi/2 in parts of 26, 26 and 53 bits: their products with a multiple below 2^27 are
/// exact without fused multiply-add, too.
inline Circular circular(Vector x) {
    constexpr double part_1 = 0x1.921fb5p+0;
    constexpr double part_2 = 0x1.110b46p-26;
    constexpr double part_3 = 0x1.1a62633145c07p-54;
    const Vector shifted = x * 0x1.45f306dc9c883p-1 + to_integer;
    const Vector multiple = shifted - to_integer;
    const Vector r = ((x - multiple * part_1) - multiple * part_2) - multiple * part_3;
    // Coefficients of fdlibm's __kernel_sin and __kernel_cos (Sun Microsystems 1993), |r| <= pi/4; in pairs, which wait less for each other than one
    // after the other.
    const Vector z = r * r;
    const Vector zz = z * z;
    const Vector s = r + (r * z) * ((-1.66666666666666324348e-01 + z * 8.33333333332248946124e-03) +
                                    zz * ((-1.98412698298579493134e-04 + z * 2.75573137070700676789e-06) +
                                          zz * (-2.50507602534068634195e-08 + z * 1.58969099521155010221e-10)));
    const Vector c = (1.0 - 0.5 * z) + zz * ((4.16666666666666019037e-02 + z * -1.38888888888741095749e-03) +
                                             zz * ((2.48015872894767294178e-05 + z * -2.75573143513906633035e-07) +
                                                   zz * (2.08757232129817482790e-09 + z * -1.13596475577881948265e-11)));
    const Bits quadrant = bits(shifted);
    const auto odd = (quadrant & 1) != 0;
    const Vector sine = odd ? c : s;
    const Vector cosine = odd ? s : c;
    return {number(bits(cosine) ^ (((quadrant + 1) & 2) << 62)), number(bits(sine) ^ ((quadrant & 2) << 62))};
}

/// NaN where circular() is not valid.
inline Vector reducible(Vector x) { return magnitude(x) <= 1e8 ? x : all(nothing); }

struct Exponential {
    Vector scale, fraction;  ///< e^x = scale (1 + fraction)
};

/// For -708 <= x <= 0. Taylor series to x^13 for |x| <= ln(2)/2: the next term is below 2e-17 of the first.
inline Exponential exponential(Vector x) {
    const Vector shifted = x * 1.44269504088896338700e+00 + to_integer;
    const Vector multiple = shifted - to_integer;
    const Vector r = (x - multiple * 6.93147180369123816490e-01) - multiple * 1.90821492927058770002e-10;  // ln 2, the first part in 33 bits
    const Vector z = r * r;
    const Vector even = 1.0 / 2 + z * (1.0 / 24 + z * (1.0 / 720 + z * (1.0 / 40320 + z * (1.0 / 3628800 + z * (1.0 / 479001600)))));
    const Vector odd = 1.0 / 6 + z * (1.0 / 120 + z * (1.0 / 5040 + z * (1.0 / 362880 + z * (1.0 / 39916800 + z * (1.0 / 6227020800)))));
    return {number((bits(shifted) + 1023) << 52), r + z * (even + r * odd)};
}

/// e^x for x <= 0; NaN stays, and what is below the smallest normal number becomes 3e-308.
inline Vector exponential_of(Vector x) {
    const Exponential e = exponential(larger(x, all(-708.0)));
    return e.scale + e.scale * e.fraction;
}

/// 2^x for -1022 <= x < 1. Taylor series to x^12 for |x| <= 1/2: the next term is 2e-16.
inline Vector power_of_two(Vector x) {
    constexpr double ln_2 = 0.69314718055994530942;
    constexpr auto term = [](int k) {
        double c = 1.0;
        for (int i = 1; i <= k; ++i) c *= ln_2 / i;
        return c;
    };
    const Vector shifted = x + to_integer;
    const Vector r = x - (shifted - to_integer);
    const Vector z = r * r;
    const Vector zz = z * z;
    const Vector low = (1.0 + r * term(1)) + z * (term(2) + r * term(3));
    const Vector middle = (term(4) + r * term(5)) + z * (term(6) + r * term(7));
    const Vector high = ((term(8) + r * term(9)) + z * (term(10) + r * term(11))) + zz * term(12);
    return number((bits(shifted) + 1023) << 52) * (low + zz * (middle + zz * high));
}

/// ln(1 + e^x) with an exponent that is never positive. ln(1 + y) = [ln 2] + 2 artanh(s), |s| <= 0.172: s^22/23 is below 1e-17.
inline Vector softplus(Vector x) {
    const Vector y = exponential_of(-magnitude(x));
    const auto upper = y > 0.41421356237309503;  // sqrt(2) - 1
    const Vector one = upper ? all(1.0) : Vector{};
    const Vector s = (y - one) / (2.0 + one + y);
    const Vector z = s * s;
    const Vector series =
        1.0 + z * (1.0 / 3 +
                   z * (1.0 / 5 +
                        z * (1.0 / 7 +
                             z * (1.0 / 9 + z * (1.0 / 11 + z * (1.0 / 13 + z * (1.0 / 15 + z * (1.0 / 17 + z * (1.0 / 19 + z * (1.0 / 21))))))))));
    return larger(x, Vector{}) + (one * 0.69314718055994530942 + 2.0 * s * series);
}

void sincos(size_t n, const double* angle, double* cosine, double* sine) {
    size_t i = 0;
    for (; i + width <= n; i += width) {
        const Circular c = circular(reducible(load(angle + i)));
        store(cosine + i, c.cosine);
        store(sine + i, c.sine);
    }
    if (i == n) return;
    const Circular c = circular(reducible(load_part(angle + i, n - i)));
    store_part(cosine + i, c.cosine, n - i);
    store_part(sine + i, c.sine, n - i);
}

void sincos_pairs(size_t n, const double* angle, double* pairs) {
    constexpr size_t block = 64 * width;  // in the nearest cache
    double cosine[block];
    double sine[block];
    for (size_t first = 0; first < n; first += block) {
        const size_t count = n - first < block ? n - first : block;
        sincos(count, angle + first, cosine, sine);
        for (size_t i = 0; i < count; ++i) {
            pairs[2 * (first + i)] = cosine[i];
            pairs[2 * (first + i) + 1] = sine[i];
        }
    }
}

void rates(size_t n, const double* cosine, const double* sine, const double* pull_re, const double* pull_im, const double* detuning, double* rate) {
    size_t i = 0;
    for (; i + width <= n; i += width)
        store(rate + i, load(detuning + i) + load(pull_im + i) * load(cosine + i) - load(pull_re + i) * load(sine + i));
    for (; i < n; ++i) rate[i] = detuning[i] + pull_im[i] * cosine[i] - pull_re[i] * sine[i];
}

// ---- coupling matrices

inline size_t panel_height(const PanelShape& shape, size_t panel) {
    return shape.vectors / shape.panels + (panel < shape.vectors % shape.panels ? 1 : 0);
}

template <size_t height>
void dense_panel(const double* panel, size_t columns, const double* re, const double* im, Vector* sums) {
    Vector of_re[height];
    Vector of_im[height];
#pragma GCC unroll 16
    for (size_t v = 0; v < height; ++v) of_re[v] = of_im[v] = Vector{};
    for (size_t j = 0; j < columns; ++j, panel += height * width) {
        const Vector x = all(re[j]);
        const Vector y = all(im[j]);
#pragma GCC unroll 16
        for (size_t v = 0; v < height; ++v) {
            const Vector a = load_once(panel + v * width);
            of_re[v] += a * x;
            of_im[v] += a * y;
        }
    }
#pragma GCC unroll 16
    for (size_t v = 0; v < height; ++v) {
        sums[v] = of_re[v];
        sums[height + v] = of_im[v];
    }
}

template <size_t height>
void dense_complex_panel(const double* panel, size_t columns, const double* re, const double* im, Vector* sums) {
    Vector of_re[height];
    Vector of_im[height];
#pragma GCC unroll 16
    for (size_t v = 0; v < height; ++v) of_re[v] = of_im[v] = Vector{};
    for (size_t j = 0; 2 * j < columns; ++j, panel += 2 * height * width) {
        const Vector x = all(re[j]);
        const Vector y = all(im[j]);
#pragma GCC unroll 16
        for (size_t v = 0; v < height; ++v) {
            const Vector a = load_once(panel + v * width);
            const Vector b = load_once(panel + (height + v) * width);
            of_re[v] += a * x;
            of_im[v] += a * y;
            of_re[v] -= b * y;
            of_im[v] += b * x;
        }
    }
#pragma GCC unroll 16
    for (size_t v = 0; v < height; ++v) {
        sums[v] = of_re[v];
        sums[height + v] = of_im[v];
    }
}

using DensePanel = void (*)(const double*, size_t, const double*, const double*, Vector*);
constexpr DensePanel dense_panels[] = {
    dense_panel<1>, dense_panel<2>, dense_panel<3>, dense_panel<4>,  dense_panel<5>,  dense_panel<6>,
#if defined(__AVX512F__)
    dense_panel<7>, dense_panel<8>, dense_panel<9>, dense_panel<10>, dense_panel<11>, dense_panel<12>, dense_panel<13>,
#endif
};
constexpr DensePanel dense_complex_panels[] = {
    dense_complex_panel<1>,  dense_complex_panel<2>,  dense_complex_panel<3>,  dense_complex_panel<4>,
    dense_complex_panel<5>,  dense_complex_panel<6>,
#if defined(__AVX512F__)
    dense_complex_panel<7>,  dense_complex_panel<8>,  dense_complex_panel<9>,  dense_complex_panel<10>,
    dense_complex_panel<11>, dense_complex_panel<12>, dense_complex_panel<13>,
#endif
};
static_assert(sizeof(dense_panels) / sizeof(DensePanel) == matrix_panel && sizeof(dense_complex_panels) == sizeof(dense_panels));

inline void all_panels(const DensePanel* of_height, const PanelShape& shape, const double* panels, const double* re, const double* im, double* out_re,
                       double* out_im) {
    size_t row = 0;
    for (size_t p = 0; p < shape.panels; ++p) {
        const size_t height = panel_height(shape, p);
        Vector sums[2 * matrix_panel];
        of_height[height - 1](panels, shape.columns, re, im, sums);
        for (size_t v = 0; v < height; ++v, row += width) {
            store_rows(out_re + row, sums[v], shape.rows - row);
            store_rows(out_im + row, sums[height + v], shape.rows - row);
        }
        panels += height * width * shape.columns;
    }
}

void dense(const PanelShape& shape, const double* panels, const double* re, const double* im, double* out_re, double* out_im) {
    all_panels(dense_panels, shape, panels, re, im, out_re, out_im);
}

void dense_complex(const PanelShape& shape, const double* panels, const double* re, const double* im, double* out_re, double* out_im) {
    all_panels(dense_complex_panels, shape, panels, re, im, out_re, out_im);
}

void interleave(size_t n, const double* re, const double* im, double* pairs) {
    for (size_t i = 0; i < n; ++i) {
        pairs[2 * i] = re[i];
        pairs[2 * i + 1] = im[i];
    }
}

constexpr size_t entries_ahead = 128;  // what is worked on while memory answers: some 100 ns

/// Calls done(i, sum of row i). Two sums for each row, which go on at the same time.
template <class PairOf, class Done>
inline void sparse_rows(const SparseRows& matrix, PairOf pair_of, Done done) {
    size_t k = 0;
    for (size_t i = 0; i < matrix.rows; ++i) {
        Pair even{};
        Pair odd{};
        const size_t end = matrix.start[i + 1];
        // Entries are used once: fetched past the caches, they leave them to the pairs.
        __builtin_prefetch(matrix.value + k + entries_ahead, 0, 0);
        __builtin_prefetch(matrix.column + k + entries_ahead, 0, 0);
        for (; k + 1 < end; k += 2) {
            even += matrix.value[k] * pair_of(k);
            odd += matrix.value[k + 1] * pair_of(k + 1);
        }
        if (k < end) {
            even += matrix.value[k] * pair_of(k);
            ++k;
        }
        done(i, even + odd);
    }
}

template <class PairOf, class Done>
inline void sparse_complex_rows(const SparseRows& matrix, PairOf pair_of, Done done) {
    size_t k = 0;
    for (size_t i = 0; i < matrix.rows; ++i) {
        Pair by_re{};
        Pair by_im{};
        for (; k < matrix.start[i + 1]; ++k) {
            const Pair x = pair_of(k);
            by_re += matrix.value[2 * k] * x;
            by_im += matrix.value[2 * k + 1] * x;
        }
        done(i, Pair{by_re[0] - by_im[1], by_re[1] + by_im[0]});
    }
}

inline auto from_pairs(const SparseRows& matrix, const double* pairs) {
    return [column = matrix.column, pairs](size_t k) -> Pair {
        return *reinterpret_cast<const PairAnywhere*>(pairs + 2 * static_cast<size_t>(column[k]));
    };
}
inline auto from_arrays(const SparseRows& matrix, const double* re, const double* im) {
    return [column = matrix.column, re, im](size_t k) -> Pair { return Pair{re[column[k]], im[column[k]]}; };
}
inline auto into_arrays(double* re, double* im) {
    return [re, im](size_t i, Pair total) {
        re[i] = total[0];
        im[i] = total[1];
    };
}

void sparse(const SparseRows& matrix, const double* pairs, double* out_re, double* out_im) {
    sparse_rows(matrix, from_pairs(matrix, pairs), into_arrays(out_re, out_im));
}
void sparse_complex(const SparseRows& matrix, const double* pairs, double* out_re, double* out_im) {
    sparse_complex_rows(matrix, from_pairs(matrix, pairs), into_arrays(out_re, out_im));
}
void sparse_rates(const SparseRows& matrix, const double* pairs, const double* detuning, double* rate) {
    sparse_rows(matrix, from_pairs(matrix, pairs),
                [=](size_t i, Pair total) { rate[i] = detuning[i] + total[1] * pairs[2 * i] - total[0] * pairs[2 * i + 1]; });
}
void sparse_apart(const SparseRows& matrix, const double* re, const double* im, double* out_re, double* out_im) {
    sparse_rows(matrix, from_arrays(matrix, re, im), into_arrays(out_re, out_im));
}
void sparse_complex_apart(const SparseRows& matrix, const double* re, const double* im, double* out_re, double* out_im) {
    sparse_complex_rows(matrix, from_arrays(matrix, re, im), into_arrays(out_re, out_im));
}

void turn(size_t n, const double* turn_re, const double* turn_im, double* re, double* im) {
    for (size_t i = 0; i < n; ++i) {
        const double x = re[i];
        re[i] = x * turn_re[i] - im[i] * turn_im[i];
        im[i] = x * turn_im[i] + im[i] * turn_re[i];
    }
}

double read(size_t n, const double* numbers) {
    Vector sums[16];
#pragma GCC unroll 16
    for (Vector& s : sums) s = Vector{};
    const double* const end = numbers + n;
    for (; numbers + 16 * width <= end; numbers += 16 * width)
#pragma GCC unroll 16
        for (size_t v = 0; v < 16; ++v) sums[v] += load_aligned(numbers + v * width);
    for (; numbers < end; numbers += width) sums[0] += load_aligned(numbers);
    Vector total{};
    for (const Vector& s : sums) total += s;
    return sum(total);
}

// ---- closed forms

struct Planar {
    Vector x, y;
};

/// a^2 + b^2 - c^2 as if computed with twice the digits: without them the lock boundary is off by 1e-16 |f|, and a distance l from it by 1e-16
/// (|f|/l)^2. Squares of 26 bits and sums with their errors (Dekker 1971); no step depends on whether products are fused into sums, for they are
/// exact.
inline Vector square_difference(Vector a, Vector b, Vector c) {
    const auto upper = [](Vector v) { return number(bits(v) & ~0x7ffffff); };
    const Vector ah = upper(a);
    const Vector bh = upper(b);
    const Vector ch = upper(c);
    const Vector al = a - ah;
    const Vector bl = b - bh;
    const Vector cl = c - ch;
    const Vector a2 = ah * ah;
    const Vector b2 = bh * bh;
    const Vector c2 = ch * ch;
    const Vector ab = a2 + b2;
    const Vector ab_2 = ab - a2;
    const Vector ab_error = (a2 - (ab - ab_2)) + (b2 - ab_2);
    const Vector abc = ab - c2;
    const Vector abc_2 = abc - ab;
    const Vector abc_error = (ab - (abc - abc_2)) - (c2 + abc_2);
    const Vector low = 2.0 * (ah * al + bh * bl - ch * cl) + (al * al + bl * bl - cl * cl);
    return abc + ((ab_error + abc_error) + low);
}

inline Planar planar(Vector fx, Vector fy, Vector w, Vector t, Vector x, Vector y) {
    const Vector square = square_difference(fx, fy, w);
    const auto locked = square >= 0.0;
    // A smallest u keeps 0/0 away: the ratios below are 1 there to the last digit.
    const Vector u = larger(0.5 * root(magnitude(square)) * t, all(1e-150));
    const Vector inverse = 0.5 * t / u;  // 1/l
    // e^-300: what moves only after that starts within 1e-130 of the unstable point, closer than numbers around 1 can say.
    const Exponential e = exponential(-2.0 * smaller(u, all(150.0)));
    const Vector expm1 = e.scale * e.fraction + (e.scale - 1.0);
    const Circular turned = circular(reducible(u));
    // Long locked: (1 + B/l) + E (1 - B/l), for 1 + E and 1 - E lose E beside 1, which counts near the unstable point, where 1 + B/l vanishes.
    const auto late = locked & (u > 0.5);
    const Vector c = late ? all(1.0) : (locked ? 2.0 + expm1 : turned.cosine);
    const Vector s = late ? inverse : inverse * (locked ? -expm1 : turned.sine);
    const Vector remaining = late ? e.scale + e.scale * e.fraction : Vector{};

    const Vector px = c * x;
    const Vector py = c * y;
    const Vector ax = s * (fx - w * y);
    const Vector ay = s * (fy + w * x);
    const Vector bx = s * (fx * x + fy * y);
    const Vector by = s * (fx * y - fy * x - w);
    const Vector top_x = (px + ax) + remaining * (px - ax);
    const Vector top_y = (py + ay) + remaining * (py - ay);
    const Vector low_x = (c + bx) + remaining * (c - bx);
    const Vector low_y = by - remaining * by;
    const Vector scale = 1.0 / (low_x * low_x + low_y * low_y);
    return {(top_x * low_x + top_y * low_y) * scale, (top_y * low_x - top_x * low_y) * scale};
}

template <class TimeOf, class TimeOfPart>
inline void planar_loop(size_t n, const double* fx, const double* fy, const double* w, TimeOf time_of, TimeOfPart time_of_part, const double* start_x,
                        const double* start_y, double* x, double* y) {
    size_t i = 0;
    for (; i + width <= n; i += width) {
        const Planar z = planar(load(fx + i), load(fy + i), load(w + i), time_of(i), load(start_x + i), load(start_y + i));
        store(x + i, z.x);
        store(y + i, z.y);
    }
    if (i == n) return;
    const auto part = [&](const double* p) { return load_part(p + i, n - i); };
    const Planar z = planar(part(fx), part(fy), part(w), time_of_part(i, n - i), part(start_x), part(start_y));
    store_part(x + i, z.x, n - i);
    store_part(y + i, z.y, n - i);
}

void planar_states(size_t n, const double* drive_x, const double* drive_y, const double* detuning, const double* time, const double* start_x,
                   const double* start_y, double* x, double* y) {
    planar_loop(
        n, drive_x, drive_y, detuning, [=](size_t i) { return load(time + i); }, [=](size_t i, size_t count) { return load_part(time + i, count); },
        start_x, start_y, x, y);
}

void planar_states_at(size_t n, const double* drive_x, const double* drive_y, const double* detuning, double time, const double* start_x,
                      const double* start_y, double* x, double* y) {
    planar_loop(
        n, drive_x, drive_y, detuning, [=](size_t) { return all(time); }, [=](size_t, size_t) { return all(time); }, start_x, start_y, x, y);
}

void sphere_states(size_t n, size_t d, const double* drive, const double* time, const double* start, double* state) {
    for (size_t first = 0; first < n; first += width) {
        const size_t rows = n - first < width ? n - first : width;
        Vector squares{};
        for (size_t i = 0; i < rows; ++i) {
            const double* h = drive + (first + i) * d;
            Vector sums{};
            size_t k = 0;
            for (; k + width <= d; k += width) sums += load(h + k) * load(h + k);
            double total = sum(sums);
            for (; k < d; ++k) total += h[k] * h[k];
            squares[i] = total;
        }
        const Vector length = root(squares);
        Vector inverse = squares > 0.0 ? 1.0 / length : Vector{};
        // |x0 + u|^2 and |x0 - u|^2 are 2 (1 + c) and 2 (1 - c) without the cancellation of 1 + c near the point opposite to the drive.
        Vector plus{};
        Vector minus{};
        for (size_t i = 0; i < rows; ++i) {
            const double* h = drive + (first + i) * d;
            const double* x = start + (first + i) * d;
            const double to_unit = inverse[i];
            Vector of_plus{};
            Vector of_minus{};
            size_t k = 0;
            for (; k + width <= d; k += width) {
                const Vector u = load(h + k) * to_unit;
                const Vector p = load(x + k) + u;
                const Vector m = load(x + k) - u;
                of_plus += p * p;
                of_minus += m * m;
            }
            double total_plus = sum(of_plus);
            double total_minus = sum(of_minus);
            for (; k < d; ++k) {
                const double u = h[k] * to_unit;
                total_plus += (x[k] + u) * (x[k] + u);
                total_minus += (x[k] - u) * (x[k] - u);
            }
            plus[i] = total_plus;
            minus[i] = total_minus;
        }
        const Vector a = 0.5 * plus;
        const Vector b = 0.5 * minus;
        const Vector e = exponential_of(-smaller(length * load_rows(time + first, rows), all(300.0)));  // as in planar()
        const Vector scale = 1.0 / (a + b * e * e);
        // Opposite to the drive within its rounding to a unit vector, 2 units in the last place: where it would go is not known, and it stays.
        const auto moves = (squares > 0.0) & (plus > 2e-31);
        inverse = moves ? inverse : Vector{};
        const Vector of_sum = moves ? 2.0 * e * scale : all(1.0);  // of x0 + u
        const Vector of_drive = (a - b * e * e - 2.0 * a * e) * scale * inverse;
        for (size_t i = 0; i < rows; ++i) {
            const double* h = drive + (first + i) * d;
            const double* x = start + (first + i) * d;
            double* out = state + (first + i) * d;
            const double to_unit = inverse[i];
            const double p = of_sum[i];
            const double q = of_drive[i];
            size_t k = 0;
            for (; k + width <= d; k += width) store(out + k, p * (load(x + k) + load(h + k) * to_unit) + q * load(h + k));
            for (; k < d; ++k) out[k] = p * (x[k] + h[k] * to_unit) + q * h[k];
        }
    }
}

// ---- passes of fixed-query attention

/// One step of a transposition: exchanges the lanes with bit `distance` of the upper rows with those without of the lower.
template <size_t distance>
inline void exchange(Vector* rows) {
    Bits of_upper;
    Bits of_lower;
    for (size_t l = 0; l < width; ++l) {
        of_upper[l] = static_cast<std::int64_t>((l & distance) != 0 ? width + l - distance : l);
        of_lower[l] = static_cast<std::int64_t>((l & distance) != 0 ? width + l : l + distance);
    }
#pragma GCC unroll 8
    for (size_t i = 0; i < width; ++i)
        if ((i & distance) == 0) {
            const Vector upper = rows[i];
            rows[i] = __builtin_shuffle(upper, rows[i + distance], of_upper);
            rows[i + distance] = __builtin_shuffle(upper, rows[i + distance], of_lower);
        }
}

inline void transpose(Vector* rows) {
    if constexpr (width >= 8) exchange<4>(rows);
    if constexpr (width >= 4) exchange<2>(rows);
    exchange<1>(rows);
}

void pack(const PanelShape& shape, const Rows& matrix, double* panels) {
    size_t row = 0;
    for (size_t p = 0; p < shape.panels; ++p) {
        const size_t lanes = panel_height(shape, p) * width;
        for (size_t v = 0; v < lanes; v += width, row += width) {
            const double* const from = matrix.numbers + row * matrix.stride;
            size_t c = 0;
            if (row + width <= shape.rows)
                for (; c + width <= shape.columns; c += width) {
                    Vector block[width];
#pragma GCC unroll 8
                    for (size_t i = 0; i < width; ++i) block[i] = load(from + i * matrix.stride + c);
                    transpose(block);
#pragma GCC unroll 8
                    for (size_t i = 0; i < width; ++i) store(panels + (c + i) * lanes + v, block[i]);
                }
            for (; c < shape.columns; ++c)
                for (size_t i = 0; i < width; ++i) panels[c * lanes + v + i] = row + i < shape.rows ? from[i * matrix.stride + c] : 0.0;
        }
        panels += lanes * shape.columns;
    }
}

/// Products of a panel with `keys` rows: out[j][lane].
template <size_t height, size_t keys>
inline void tile(const double* panel, size_t depth, const double* rows, size_t stride, double* out, size_t out_stride) {
    Vector sums[keys][height];
#pragma GCC unroll 8
    for (size_t j = 0; j < keys; ++j)
#pragma GCC unroll 8
        for (size_t v = 0; v < height; ++v) sums[j][v] = Vector{};
    for (size_t c = 0; c < depth; ++c, panel += height * width) {
        Vector a[height];
#pragma GCC unroll 8
        for (size_t v = 0; v < height; ++v) a[v] = load_aligned(panel + v * width);
#pragma GCC unroll 8
        for (size_t j = 0; j < keys; ++j) {
            const Vector b = all(rows[j * stride + c]);
#pragma GCC unroll 8
            for (size_t v = 0; v < height; ++v) sums[j][v] += a[v] * b;
        }
    }
#pragma GCC unroll 8
    for (size_t j = 0; j < keys; ++j)
#pragma GCC unroll 8
        for (size_t v = 0; v < height; ++v) *reinterpret_cast<Vector*>(out + j * out_stride + v * width) = sums[j][v];
}

template <size_t height>
void tiles(const double* panel, size_t depth, const Rows& rows, double* out, size_t out_stride) {
    size_t j = 0;
    for (; j + tile_keys <= rows.count; j += tile_keys)
        tile<height, tile_keys>(panel, depth, rows.numbers + j * rows.stride, rows.stride, out + j * out_stride, out_stride);
    for (; j + 2 <= rows.count; j += 2) tile<height, 2>(panel, depth, rows.numbers + j * rows.stride, rows.stride, out + j * out_stride, out_stride);
    if (j < rows.count) tile<height, 1>(panel, depth, rows.numbers + j * rows.stride, rows.stride, out + j * out_stride, out_stride);
}

using Tiles = void (*)(const double*, size_t, const Rows&, double*, size_t);
constexpr Tiles tiles_of_height[] = {
    tiles<1>,
    tiles<2>,
    tiles<3>,
#if defined(__AVX512F__)
    tiles<4>,
#endif
};
static_assert(sizeof(tiles_of_height) / sizeof(Tiles) == score_panel);

void multiply(const PanelShape& shape, const double* panels, const Rows& matrix, double* products) {
    for (size_t p = 0, row = 0; p < shape.panels; ++p) {
        const size_t height = panel_height(shape, p);
        tiles_of_height[height - 1](panels, shape.columns, matrix, products + row, shape.vectors * width);
        panels += height * width * shape.columns;
        row += height * width;
    }
}

/// Sums over the keys of one vector of queries.
struct Drive {
    Vector x, y;
};

template <class DriveOf>
inline void drives(const Scores& scores, DriveOf drive_of, double* scratch, double* drive_x, double* drive_y) {
    const double* panel = scores.query_panels;
    const PanelShape& shape = scores.queries;
    for (size_t p = 0, row = 0; p < shape.panels; ++p) {
        const size_t height = panel_height(shape, p);
        tiles_of_height[height - 1](panel, shape.columns, scores.keys, scratch, height * width);
        for (size_t v = 0; v < height; ++v, row += width) {
            const Drive h = drive_of(scratch + v * width, height * width);
            store_rows(drive_x + row, h.x, shape.rows - row);
            store_rows(drive_y + row, h.y, shape.rows - row);
        }
        panel += height * width * shape.columns;
    }
}

void exponential_drive(const Scores& scores, const PlanarPoints& anchors, double* scratch, double* drive_x, double* drive_y) {
    const double to_base_2 = scores.scale * 1.44269504088896338700;
    drives(
        scores,
        [&](const double* s, size_t stride) -> Drive {
            Vector largest = load_aligned(s);
            for (size_t j = 1; j < scores.keys.count; ++j) largest = larger(largest, load_aligned(s + j * stride));
            const Vector top = to_base_2 * largest;
            Vector total{};
            Vector x{};
            Vector y{};
            for (size_t j = 0; j < scores.keys.count; ++j) {
                const Vector weight = power_of_two(larger(to_base_2 * load_aligned(s + j * stride) - top, all(-1022.0)));
                total += weight;
                x += weight * anchors.x[j];
                y += weight * anchors.y[j];
            }
            const Vector inverse = 1.0 / total;
            return {x * inverse, y * inverse};
        },
        scratch, drive_x, drive_y);
}

void softplus_drive(const Scores& scores, const PlanarPoints& anchors, double* scratch, double* drive_x, double* drive_y) {
    drives(
        scores,
        [&](const double* s, size_t stride) -> Drive {
            Vector x{};
            Vector y{};
            for (size_t j = 0; j < scores.keys.count; ++j) {
                const Vector weight = softplus(scores.scale * load_aligned(s + j * stride));
                x += weight * anchors.x[j];
                y += weight * anchors.y[j];
            }
            return {x, y};
        },
        scratch, drive_x, drive_y);
}

void attention_rows(size_t rows, size_t keys, const PlanarPoints& drives_of, const PlanarPoints& anchors, double* attention) {
    for (size_t i = 0; i < rows; ++i, attention += keys) {
        const double length = __builtin_sqrt(drives_of.x[i] * drives_of.x[i] + drives_of.y[i] * drives_of.y[i]);
        const double inverse = 1.0 / (length < 1e-12 ? 1e-12 : length);  // 1e-12: of the definition, keeps h = 0 finite
        const double x = drives_of.x[i] * inverse;
        const double y = drives_of.y[i] * inverse;
        Vector sums{};
        size_t j = 0;
        for (; j + width <= keys; j += width) {
            const Vector gain = larger(1.0 + x * load(anchors.x + j) + y * load(anchors.y + j), Vector{});
            store(attention + j, gain);
            sums += gain;
        }
        double total = sum(sums);
        for (; j < keys; ++j) {
            const double gain = 1.0 + x * anchors.x[j] + y * anchors.y[j];
            attention[j] = gain < 0.0 ? 0.0 : gain;
            total += attention[j];
        }
        const double scale = total == 0.0 ? 0.0 : 1.0 / total;
        for (j = 0; j + width <= keys; j += width) store(attention + j, load(attention + j) * scale);
        for (; j < keys; ++j) attention[j] *= scale;
    }
}

}  // namespace

extern const Loops ENTRAIN_KERNELS_TABLE;
const Loops ENTRAIN_KERNELS_TABLE = {
    .width = width,
    .matrix_panel = matrix_panel,
    .score_panel = score_panel,
    .sincos = sincos,
    .sincos_pairs = sincos_pairs,
    .rates = rates,
    .dense = dense,
    .dense_complex = dense_complex,
    .interleave = interleave,
    .sparse = sparse,
    .sparse_complex = sparse_complex,
    .sparse_rates = sparse_rates,
    .sparse_apart = sparse_apart,
    .sparse_complex_apart = sparse_complex_apart,
    .turn = turn,
    .read = read,
    .planar_states = planar_states,
    .planar_states_at = planar_states_at,
    .sphere_states = sphere_states,
    .pack = pack,
    .multiply = multiply,
    .exponential_drive = exponential_drive,
    .softplus_drive = softplus_drive,
    .attention_rows = attention_rows,
};

}  // namespace entrain::kernels
