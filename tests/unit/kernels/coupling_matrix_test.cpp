#include "kernels/coupling_matrix.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <thread>

#include "unit/kernels/sets.hpp"

namespace entrain::kernels {
namespace {

class CouplingMatrices : public EachInstructionSet {};

using Complex = std::complex<double>;

struct Product {
    std::vector<double> re, im;
};

/// Longer than the matrix, to see what is written behind it.
Product apply(const CouplingMatrix& matrix, const std::vector<double>& re, const std::vector<double>& im) {
    Product y{std::vector<double>(re.size() + 8, 7.0), std::vector<double>(re.size() + 8, 7.0)};
    matrix.apply(re.data(), im.data(), y.re.data(), y.im.data());
    return y;
}

/// Compares a matrix of these entries with the sum over the entries as they are written down.
void expect_product(std::size_t n, const std::vector<Entry>& entries, InstructionSet set) {
    const auto matrix = coupling_matrix(n, entries, set);
    ASSERT_EQ(matrix->size(), n);
    Draw draw{5};
    const std::vector<double> re = draw.many(n, -1.0, 1.0);
    const std::vector<double> im = draw.many(n, -1.0, 1.0);
    std::vector<std::complex<long double>> expected(n);
    std::vector<double> absolute(n, 0.0);
    for (const Entry& e : entries) {
        expected[e.row] += std::complex<long double>{e.value} * std::complex<long double>{re[e.column], im[e.column]};
        absolute[e.row] += std::abs(e.value) * std::hypot(re[e.column], im[e.column]);
    }
    const Product y = apply(*matrix, re, im);
    for (std::size_t i = 0; i < n; ++i) {
        // n roundings of at most the sum of absolute values, and a few for turning rows
        const double tolerance = static_cast<double>(n + 8) * std::numeric_limits<double>::epsilon() * absolute[i];
        EXPECT_NEAR(y.re[i], static_cast<double>(expected[i].real()), tolerance) << i << " of " << n;
        EXPECT_NEAR(y.im[i], static_cast<double>(expected[i].imag()), tolerance) << i << " of " << n;
    }
    for (std::size_t i = n; i < n + 8; ++i) {
        EXPECT_EQ(y.re[i], 7.0);
        EXPECT_EQ(y.im[i], 7.0);
    }

    const std::vector<double> angle = draw.many(n, -3.0, 3.0);
    std::vector<double> wanted = draw.many(n, -1.0, 1.0);
    std::vector<double> rate(n + 8, 7.0);
    std::vector<double> work(4 * n, 7.0);
    matrix->rates(angle.data(), wanted.data(), work.data(), rate.data());
    for (const Entry& e : entries) wanted[e.row] += std::abs(e.value) * std::sin(std::arg(e.value) + angle[e.column] - angle[e.row]);
    for (std::size_t i = 0; i < n; ++i) EXPECT_NEAR(rate[i], wanted[i], 1e-14 * static_cast<double>(n + 8)) << i << " of " << n;  // weights up to 1.4
    for (std::size_t i = n; i < n + 8; ++i) EXPECT_EQ(rate[i], 7.0);
}

std::vector<std::size_t> sizes() {
    std::vector<std::size_t> n{64, 98, 104, 105, 130};
    for (std::size_t i = 1; i <= 40; ++i) n.push_back(i);
    return n;
}

/// `share` of all places in random order, each drawn by `value(row)`.
template <class Value>
std::vector<Entry> drawn(std::size_t n, double share, Value value) {
    Draw draw{static_cast<unsigned>(n)};
    std::vector<Entry> entries;
    for (std::uint32_t j = 0; j < n; ++j)  // by columns, for matrices are stored by rows
        for (std::uint32_t i = 0; i < n; ++i)
            if (draw.between(0.0, 1.0) < share) entries.push_back({i, j, value(i, draw)});
    return entries;
}

Complex real(std::uint32_t /*row*/, Draw& draw) { return draw.between(-1.0, 1.0); }
Complex any(std::uint32_t /*row*/, Draw& draw) { return {draw.between(-1.0, 1.0), draw.between(-1.0, 1.0)}; }
/// One lag per row, weights of both signs; every third row is real.
Complex lagged(std::uint32_t row, Draw& draw) { return draw.between(-1.0, 1.0) * (row % 3 == 0 ? Complex{1.0} : std::polar(1.0, 0.1 + row)); }

TEST_P(CouplingMatrices, MultipliesDenseMatrices) {
    for (const std::size_t n : sizes()) expect_product(n, drawn(n, 1.0, real), GetParam());
}

TEST_P(CouplingMatrices, MultipliesDenseMatricesWithLagsOfEachEdge) {
    for (const std::size_t n : sizes()) expect_product(n, drawn(n, 0.7, any), GetParam());
}

TEST_P(CouplingMatrices, MultipliesDenseMatricesWithLagsOfEachRow) {
    for (const std::size_t n : sizes()) expect_product(n, drawn(n, 0.7, lagged), GetParam());
}

TEST_P(CouplingMatrices, MultipliesSparseMatrices) {
    for (const std::size_t n : sizes()) expect_product(n, drawn(n, 0.1, real), GetParam());
}

TEST_P(CouplingMatrices, MultipliesSparseMatricesWithLagsOfEachEdge) {
    for (const std::size_t n : sizes()) expect_product(n, drawn(n, 0.1, any), GetParam());
}

TEST_P(CouplingMatrices, MultipliesSparseMatricesWithLagsOfEachRow) {
    for (const std::size_t n : sizes()) expect_product(n, drawn(n, 0.1, lagged), GetParam());
}

TEST_P(CouplingMatrices, AddsUpEntriesOfOnePlace) {
    for (const double share : {0.1, 0.8}) {
        std::vector<Entry> entries = drawn(33, share, any);
        const std::vector<Entry> more = drawn(33, share, any);
        entries.insert(entries.end(), more.begin(), more.end());
        for (std::uint32_t i = 0; i < 33; ++i) entries.push_back({i, 4, 0.5});
        expect_product(33, entries, GetParam());
    }
}

TEST_P(CouplingMatrices, MultipliesMatricesWithoutEntries) {
    expect_product(0, {}, GetParam());
    expect_product(1, {}, GetParam());
    expect_product(50, {}, GetParam());
    expect_product(50, {{49, 0, 1.0}}, GetParam());
    expect_product(50, {{0, 49, 0.0}, {3, 3, {0.0, 0.0}}}, GetParam());
}

TEST_P(CouplingMatrices, GivesThreadsTheNumbersOfOne) {
    Draw draw{6};
    const std::size_t n = 2000;
    for (const auto& entries : {drawn(n, 0.004, real), drawn(n, 0.004, any)}) {
        const auto matrix = coupling_matrix(n, entries, GetParam());
        const std::vector<double> re = draw.many(n, -1.0, 1.0);
        const std::vector<double> im = draw.many(n, -1.0, 1.0);
        const Product alone = apply(*matrix, re, im);
        std::vector<int> differences(3, 0);
        std::vector<std::thread> threads;
        for (int& different : differences)
            threads.emplace_back([&] {
                for (int k = 0; k < 100; ++k) {
                    const Product y = apply(*matrix, re, im);
                    if (y.re != alone.re || y.im != alone.im) ++different;
                }
            });
        for (std::thread& t : threads) t.join();
        EXPECT_EQ(differences, std::vector<int>(3, 0));
    }
}

TEST(CouplingMatrixStorage, StoresLagsOfRowsAsRealNumbers) {
    const std::size_t n = 64;  // whole panels of every instruction set
    const auto real_bytes = coupling_matrix(n, drawn(n, 1.0, real))->bytes();
    EXPECT_EQ(real_bytes, n * n * sizeof(double));
    EXPECT_EQ(coupling_matrix(n, drawn(n, 1.0, lagged))->bytes(), real_bytes + 2 * n * sizeof(double));
    EXPECT_EQ(coupling_matrix(n, drawn(n, 1.0, any))->bytes(), 2 * real_bytes);
}

TEST(CouplingMatrixStorage, IsSparseBelowAFifthOfAllPlaces) {
    const std::vector<Entry> few = drawn(60, 0.1, real);
    EXPECT_LT(coupling_matrix(60, few)->bytes(), 61 * sizeof(std::size_t) + few.size() * 12 + 1);
    EXPECT_GE(coupling_matrix(60, drawn(60, 0.3, real))->bytes(), 60 * 60 * sizeof(double));
}

TEST(CouplingMatrixStorage, RefusesEntriesOutside) {
    const std::vector<Entry> row{{3, 0, 1.0}};
    const std::vector<Entry> column{{0, 3, 1.0}};
    EXPECT_THROW((void)coupling_matrix(3, row), std::invalid_argument);
    EXPECT_THROW((void)coupling_matrix(3, column), std::invalid_argument);
}

INSTANTIATE_TEST_SUITE_P(Each, CouplingMatrices, each_set, set_name);

}  // namespace
}  // namespace entrain::kernels
