#pragma once
#include <atomic>
#include <functional>
#include <string>

namespace entrain {

/// What long work tells and asks the outside: how far it is, and whether it shall stop. Stages report here and never print.
struct Progress {
    std::function<void(const std::string& stage, double fraction_done)> report = [](const std::string&, double) {};
    const std::atomic<bool>* stop = nullptr;  ///< set by Ctrl-C; work ends at the next safe point with what it has
    [[nodiscard]] bool stop_requested() const { return stop != nullptr && stop->load(std::memory_order_relaxed); }
};

}  // namespace entrain
