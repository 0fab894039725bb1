#pragma once
#include <compare>
#include <numbers>
#include <string>
#include <string_view>

namespace entrain {

/// A double tagged with its SI unit. No algebra: formulas take value() and say `///< [rad/s]`; the tag guards the edges.
template <class Unit>
class Quantity {
 public:
    using unit = Unit;
    constexpr Quantity() = default;
    explicit constexpr Quantity(double si) : value_{si} {}
    [[nodiscard]] constexpr double value() const { return value_; }
    constexpr auto operator<=>(const Quantity&) const = default;

 private:
    double value_ = 0.0;
};

namespace unit {
struct Second {
    static constexpr std::string_view symbol = "s";
};
struct Hertz {
    static constexpr std::string_view symbol = "Hz";
};
struct RadianPerSecond {
    static constexpr std::string_view symbol = "rad/s";
};
struct Radian {
    static constexpr std::string_view symbol = "rad";
};
struct Joule {
    static constexpr std::string_view symbol = "J";
};
struct Watt {
    static constexpr std::string_view symbol = "W";
};
struct Volt {
    static constexpr std::string_view symbol = "V";
};
struct Ampere {
    static constexpr std::string_view symbol = "A";
};
struct Kelvin {
    static constexpr std::string_view symbol = "K";
};
}  // namespace unit

using Seconds = Quantity<unit::Second>;
using Hertz = Quantity<unit::Hertz>;
using RadPerSecond = Quantity<unit::RadianPerSecond>;
using Radians = Quantity<unit::Radian>;
using Joules = Quantity<unit::Joule>;
using Watts = Quantity<unit::Watt>;
using Volts = Quantity<unit::Volt>;
using Amperes = Quantity<unit::Ampere>;
using Kelvin = Quantity<unit::Kelvin>;

inline constexpr double turn = 2.0 * std::numbers::pi;  ///< [rad] one revolution
inline constexpr double boltzmann = 1.380649e-23;       ///< [J/K] exact (SI 2019)

/// Angular frequency of a frequency; with `turn` the only home of 2 pi.
[[nodiscard]] constexpr RadPerSecond angular(Hertz f) { return RadPerSecond{turn * f.value()}; }

[[nodiscard]] constexpr double degrees(double radians) { return radians * (180.0 / std::numbers::pi); }
[[nodiscard]] constexpr double radians(double degrees) { return degrees * (std::numbers::pi / 180.0); }

/// The angle in [-pi, pi) that differs from `angle` [rad] by whole turns.
[[nodiscard]] double wrap(double angle);

/// Reads "5 GHz", "0.2 ns", "1 deg" as a value in the SI unit `symbol` (one of unit::*::symbol, or another unit word such as "ohm", "H", "F",
/// "A/V^2"; "1" or "" means dimensionless and takes no unit). SI prefixes f p n u m k M G T; angles also in deg. Returns the SI value; throws
/// std::invalid_argument whose text says what is wrong and what was expected ("'5' has no unit (expected a quantity in Hz, for example '5 GHz').").
[[nodiscard]] double parse_quantity(std::string_view text, std::string_view symbol);

/// Shortest text that reads back exactly: "5 GHz" for 5e9 and "Hz", "1 deg" for angles where that is exact, "1" -> plain number.
[[nodiscard]] std::string format_quantity(double si, std::string_view symbol);

}  // namespace entrain
