#pragma once
#include <functional>
#include <memory>
#include <span>
#include <string>

#include "engines/ngspice/protocol.hpp"

namespace entrain::engines::ngspice {

/// libngspice behind values. There is one per process: the library keeps its state in globals.
class Simulator {
 public:
    /// Gets the points of the streamed waves: time and one voltage per wave.
    using Waves = std::function<void(std::span<const double> points)>;

    explicit Simulator(Waves waves);
    ~Simulator();
    Simulator(const Simulator&) = delete;
    Simulator& operator=(const Simulator&) = delete;

    [[nodiscard]] std::string version() const;  ///< "ngspice-39"
    [[nodiscard]] Status load(Load load);
    [[nodiscard]] Status advance(const Advance& advance);
    [[nodiscard]] Periods read();
    [[nodiscard]] Status finish();
    /// ngspice asked to be detached: its parameter parser stays poisoned, every later circuit would fail.
    [[nodiscard]] bool must_exit() const;

    struct State;  ///< what the library's callbacks see

 private:
    std::unique_ptr<State> state_;
};

}  // namespace entrain::engines::ngspice
