#pragma once
#include <cstddef>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

namespace entrain::io {

/// One vector of a rawfile. Names and types have no white space; ngspice's types are "time", "frequency", "voltage", "current", "notype".
struct RawVariable {
    std::string name;  ///< "v(osc_0_3)"
    std::string type;
};

struct RawHeader {
    std::string title;
    std::string date;                    ///< free text
    std::string plot;                    ///< "Transient Analysis"
    std::vector<RawVariable> variables;  ///< the scale (time) first
};

/// A plot of real numbers as ngspice keeps it.
struct RawPlot {
    RawHeader header;
    std::vector<std::vector<double>> columns;  ///< one per variable, SI units
};

/// Writes ngspice's binary rawfile (real, double) point by point with bounded memory, under a temporary name; finish() fills in the number of points
/// and renames. Without finish() nothing stays. std::runtime_error when the file cannot be written.
class RawWriter {
 public:
    RawWriter(std::filesystem::path path, const RawHeader& header);
    RawWriter(const RawWriter&) = delete;
    RawWriter& operator=(const RawWriter&) = delete;
    ~RawWriter();

    void append(std::span<const double> point);  ///< one value per variable
    void finish();

 private:
    struct Close {
        void operator()(std::FILE* file) const { std::fclose(file); }
    };
    RawWriter(std::filesystem::path path, std::size_t variables);
    [[nodiscard]] std::runtime_error failure() const;

    std::filesystem::path path_;
    std::filesystem::path temporary_;
    std::unique_ptr<std::FILE, Close> file_;
    std::size_t variables_;
    std::size_t points_ = 0;
    long points_position_ = 0;  ///< [B] of the number of points in the header
};

/// The plots of a rawfile that ngspice (`-b -r`) or RawWriter wrote: binary, real. UserError naming the file for anything else.
[[nodiscard]] std::vector<RawPlot> read_raw(const std::filesystem::path& path);

}  // namespace entrain::io
