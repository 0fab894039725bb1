#pragma once
#include <cstddef>
#include <string>
#include <utility>

#include "core/error.hpp"

namespace entrain::spice {

/// The first mistakes of a netlist and the number of the others: a file that is no netlist has one on every line.
class Mistakes {
 public:
    void add(Location where, std::string message) {
        ++count_;
        if (count_ == 1) first_ = where;
        if (count_ <= most) found_.add(std::move(where), std::move(message));
    }
    [[nodiscard]] bool empty() const { return count_ == 0; }
    [[nodiscard]] bool full() const { return count_ >= most; }  ///< what is added is only counted: its text need not be complete
    void throw_if_any() {
        if (count_ > most) found_.add({first_.file}, "... and " + std::to_string(count_ - most) + " more");
        found_.throw_if_any();
    }

 private:
    static constexpr std::size_t most = 20;  // a screen
    Diagnostics found_;
    Location first_;
    std::size_t count_ = 0;
};

}  // namespace entrain::spice
