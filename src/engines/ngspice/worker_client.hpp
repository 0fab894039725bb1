#pragma once
#include <sys/types.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>

#include "engines/ngspice/protocol.hpp"

namespace entrain::engines::ngspice {

/// The worker process is of no more use: it crashed, took too long, or the user interrupted. `category` as in problem::Failure.
class WorkerLost : public std::runtime_error {
 public:
    enum class Killed { no, from_outside };
    WorkerLost(std::string category, const std::string& message, Killed killed = Killed::no)
        : std::runtime_error{message}, category_{std::move(category)}, killed_{killed} {}
    [[nodiscard]] const std::string& category() const { return category_; }
    /// By somebody else, or by the system for want of memory: not for anything the netlist did.
    [[nodiscard]] bool killed_from_outside() const { return killed_ == Killed::from_outside; }

 private:
    std::string category_;
    Killed killed_;
};

/// How long to wait for answers.
struct Patience {
    std::chrono::steady_clock::time_point deadline;
    const std::atomic<bool>* stop = nullptr;  ///< set by Ctrl-C
};

struct WorkerLimits {
    /// Address space of the process. The largest netlist the options allow, 1,024 oscillators with 512 anchors as a full crossbar, takes some 1e9.
    std::uint64_t memory_bytes = 2'000'000'000;
};

/// One `entrain-worker` process. It lives in its own process group (Ctrl-C at the terminal is for the parent), with nothing of the parent's
/// environment or descriptors but its socket, and ends when the parent does. What it answers is not trusted: a hostile netlist may have taken it
/// over.
class Worker {
 public:
    /// MissingComponent if the executable or libngspice is missing or the kernel does not let it be confined.
    explicit Worker(const WorkerLimits& limits = {});
    ~Worker();
    Worker(const Worker&) = delete;
    Worker& operator=(const Worker&) = delete;

    [[nodiscard]] const std::string& version() const { return version_; }

    // Each throws WorkerLost, after which only stop() and the destructor may follow. Messages are printable ASCII.
    [[nodiscard]] Status load(const Load& load, const Patience& patience);
    /// `waves` gets the streamed points as they come.
    [[nodiscard]] Status advance(const Advance& advance, const Patience& patience, const std::function<void(std::span<const double>)>& waves = {});
    [[nodiscard]] Periods read(const Patience& patience);
    [[nodiscard]] Status finish(const Patience& patience);

    /// The process holds so much memory after its last netlist that a new one is better.
    [[nodiscard]] bool worn_out() const;

    /// Kills the process, waits for it and returns the CPU time of its whole life [s].
    double stop();

 private:
    Frame ask(Tag tag, const std::string& payload, const Patience& patience, const std::function<void(std::span<const double>)>& waves = {});
    Status ask_status(Tag tag, const std::string& payload, const Patience& patience, const std::function<void(std::span<const double>)>& waves = {});
    Frame receive(const Patience& patience);
    void wait(short events, const Patience& patience) const;
    /// What ended the process, whose socket is closed.
    [[nodiscard]] WorkerLost post_mortem();
    /// Waits for the process as wait4(); its exit status.
    std::optional<int> reap(int options);

    WorkerLimits limits_;
    pid_t process_ = -1;
    int socket_ = -1;
    double cpu_s_ = 0.0;
    std::uint64_t peak_bytes_ = 0;  ///< resident, of the ended process
    std::size_t values_per_period_ = 0;
    std::string version_;
};

}  // namespace entrain::engines::ngspice
