#pragma once
#include <sys/types.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <span>
#include <stdexcept>
#include <string>

#include "engines/ngspice/protocol.hpp"

namespace entrain::engines::ngspice {

/// The worker process is of no more use: it crashed, took too long, or the user interrupted. `category` as in problem::Failure.
class WorkerLost : public std::runtime_error {
 public:
    WorkerLost(std::string category, const std::string& message) : std::runtime_error{message}, category_{std::move(category)} {}
    [[nodiscard]] const std::string& category() const { return category_; }

 private:
    std::string category_;
};

/// How long to wait for answers.
struct Patience {
    std::chrono::steady_clock::time_point deadline;
    const std::atomic<bool>* stop = nullptr;  ///< set by Ctrl-C
};

/// One `entrain-worker` process. It lives in its own process group (Ctrl-C at the terminal is for the parent), with nothing of the parent's
/// environment or descriptors but its socket, in a temporary folder that is removed as soon as it is up. The thread that made a Worker must outlive
/// it: the process dies with that thread.
class Worker {
 public:
    /// MissingComponent if the executable or libngspice is missing.
    Worker();
    ~Worker();
    Worker(const Worker&) = delete;
    Worker& operator=(const Worker&) = delete;

    [[nodiscard]] const std::string& version() const { return version_; }

    // Each throws WorkerLost, after which only the destructor may follow.
    [[nodiscard]] Status load(const Load& load, const Patience& patience);
    /// `waves` gets the streamed points as they come.
    [[nodiscard]] Status advance(const Advance& advance, const Patience& patience, const std::function<void(std::span<const double>)>& waves = {});
    [[nodiscard]] Periods read(const Patience& patience);
    [[nodiscard]] Status finish(const Patience& patience);

    /// Kills the process, waits for it and returns the CPU time of its whole life [s].
    double stop();

 private:
    Frame ask(Tag tag, const std::string& payload, const Patience& patience, const std::function<void(std::span<const double>)>& waves = {});
    Frame receive(const Patience& patience);

    pid_t process_ = -1;
    int socket_ = -1;
    double cpu_s_ = 0.0;
    std::string version_;
};

}  // namespace entrain::engines::ngspice
