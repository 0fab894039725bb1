#pragma once
#include <algorithm>
#include <complex>
#include <cstdint>
#include <cstring>
#include <functional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace entrain::engines::ngspice {

/// Messages between the engine and its worker processes: frames of {uint32 length, uint8 tag, payload} on a stream socket that the worker inherits at
/// descriptor 3. Both ends are the same build on the same machine, so values travel in native layout. The engine asks, the worker answers each
/// request with one frame of the same tag; frames of tag `waves` may precede the answer to `advance`. The worker begins with `hello` and its version,
/// or with `refusal` and the reason.
enum class Tag : std::uint8_t { hello, load, advance, read, finish, waves, refusal };

inline constexpr int worker_descriptor = 3;
inline constexpr int status_out_of_memory = 3;  ///< exit status of a worker that met its memory limit in its own code
/// Frames beyond this are a broken peer: the largest honest one, a netlist of 1,024 oscillators with a full crossbar, has some 100 MB.
inline constexpr std::uint32_t max_frame = 1U << 30;

/// Where the power of a cell comes from.
enum class Power : std::uint8_t {
    none,
    supply,  ///< -supply_v * i: i flows into the plus terminal of the rail's source
    active   ///< -v(read) * i: i is the current of the cell's active element
};

/// What is read of one cell; names as the simulator's vectors ("c0_out", "vsup0#branch"), empty = ground.
struct Signal {
    std::string plus;
    std::string minus;
    Power power = Power::none;
    std::string current;
    double supply_v = 0.0;     ///< [V]
    double clock_shift = 0.0;  ///< [rad] by which this signal's clock runs ahead of the demodulator's; sources come shifted
};

/// Triangle of current. With a half base of whole steps its sum over the grid is its charge, peak times half base, wherever the grid lies.
struct Pulse {
    double time = 0.0;       ///< [s] of the peak
    double half_base = 0.0;  ///< [s]
    double peak = 0.0;       ///< [A]
};

/// Current a cos(w t) - b sin(w t) + harmonics + pulses + noise of the source i<k>, k its place in the list; w = 2 pi (reference + offset). The noise
/// is one normal deviate per time step, held over it: white up to the step's rate, with density 2 rms^2 step.
struct ExternalSource {
    std::complex<double> phasor{};  ///< [A] a + i b
    double offset_hz = 0.0;
    double noise_rms = 0.0;                         ///< [A]
    std::uint64_t noise_seed = 0;                   ///< of Stream::circuit_noise; element n is step n
    std::vector<std::complex<double>> harmonics{};  ///< [A] phasors of 2 w, 3 w, ...
    std::vector<Pulse> pulses{};
};

struct Load {
    std::vector<std::string> lines;  ///< netlist, title first, .end last
    std::vector<Signal> signals;
    std::vector<ExternalSource> sources;
    double frequency = 0.0;               ///< [Hz] of the demodulator's clock cos(w t)
    double stop_time = 0.0;               ///< [s] end of the run; that of the .tran card is later by warm_up
    double step = 0.0;                    ///< [s] of the .tran card
    std::vector<std::int32_t> harmonics;  ///< of the clock, to be demodulated
    std::vector<std::uint32_t> waves;     ///< signals whose read voltage is sent at every point
    double warm_up = 0.0;                 ///< [s] whole periods before time 0, in which the sources carry noise only
    std::string behavior;                 ///< ngspice's compatibility modes, as in "psa", "" = none; the first one a worker gets is its only one
};

/// Points beyond which a run has no fixed step any more: the simulator cuts it to what makes no progress, or a worker invents them.
[[nodiscard]] inline std::uint64_t most_points(const Load& load) {
    constexpr double cuts = 20.0;  // per step; start-up and sharp edges cost a few cuts, not twenty at every point
    constexpr double shortest = 1e4;
    return static_cast<std::uint64_t>(cuts * std::min((load.warm_up + load.stop_time) / load.step, 1e15) + shortest);
}

struct Advance {
    double until = 0.0;                         ///< [s] pause at the first accepted point from here on
    std::vector<std::complex<double>> phasors;  ///< [A] new phasors of the external sources from now on; empty = as they are
};

/// Answer to load, advance and finish.
struct Status {
    std::string category;      ///< ok = done, for `advance` up to the stop time; stopped = paused before it; else problem::Failure::category
    std::string message;       ///< first error lines
    double time = 0.0;         ///< [s] last accepted point
    std::uint64_t points = 0;  ///< accepted points since load
    std::uint64_t newton_iterations = 0;  ///< since load: how often the first external source was asked; 0 without such sources
};

[[nodiscard]] inline bool failed(const Status& status) { return status.category != "ok" && status.category != "stopped"; }

/// Answer to read: the whole periods completed since the last read.
struct Periods {
    std::uint64_t first = 0;  ///< number of the first period; period k covers [k, k + 1)/frequency
    std::uint64_t count = 0;
    std::vector<double> values;  ///< [count x signals x (2 harmonics + 3)]: phasors (re, im), mean [V], mean square about the mean [V^2],
                                 ///< mean power [W]
};

/// Writes values one after another.
class Packer {
 public:
    template <class T>
    requires std::is_trivially_copyable_v<T>
    void put(const T& value) { bytes_.append(reinterpret_cast<const char*>(&value), sizeof value); }
    void put(const std::string& text) {
        put(static_cast<std::uint64_t>(text.size()));
        bytes_ += text;
    }
    template <class T>
    void put(const std::vector<T>& list) {
        put(static_cast<std::uint64_t>(list.size()));
        for (const T& item : list) put(item);
    }
    [[nodiscard]] const std::string& bytes() const { return bytes_; }

 private:
    std::string bytes_;
};

/// Reads what Packer wrote; std::runtime_error if the bytes end early.
class Unpacker {
 public:
    explicit Unpacker(std::string_view bytes) : rest_{bytes} {}
    template <class T>
    requires std::is_trivially_copyable_v<T>
    void get(T& value) { std::memcpy(&value, take(sizeof value).data(), sizeof value); }
    void get(std::string& text) { text = take(size(1)); }
    [[nodiscard]] bool empty() const { return rest_.empty(); }
    template <class T>
    void get(std::vector<T>& list) {
        list.resize(size(std::is_trivially_copyable_v<T> ? sizeof(T) : sizeof(std::uint64_t)));  // a text is at least its length
        for (T& item : list) get(item);
    }

 private:
    [[nodiscard]] std::string_view take(std::size_t count) {
        if (count > rest_.size()) throw std::runtime_error{"a frame between engine and worker ends early"};
        const std::string_view taken = rest_.substr(0, count);
        rest_.remove_prefix(count);
        return taken;
    }
    /// A list length, refused if its items could not fit into what is left.
    [[nodiscard]] std::size_t size(std::size_t least_item) {
        std::uint64_t n = 0;
        get(n);
        if (n > rest_.size() / least_item) throw std::runtime_error{"a frame between engine and worker ends early"};
        return static_cast<std::size_t>(n);
    }
    std::string_view rest_;
};

[[nodiscard]] std::string pack(const Load& load);
[[nodiscard]] std::string pack(const Advance& advance);
[[nodiscard]] std::string pack(const Status& status);
[[nodiscard]] std::string pack(const Periods& periods);
[[nodiscard]] Load unpack_load(std::string_view bytes);
[[nodiscard]] Advance unpack_advance(std::string_view bytes);
[[nodiscard]] Status unpack_status(std::string_view bytes);
[[nodiscard]] Periods unpack_periods(std::string_view bytes);

struct Frame {
    Tag tag = Tag::hello;
    std::string payload;
};

/// Waits until poll() reports one of `events` for the descriptor of a frame.
using Wait = std::function<void(short events)>;

/// Sends a whole frame; false if the other end is gone. Without `wait` it blocks as long as the other end does not read.
[[nodiscard]] bool send_frame(int descriptor, Tag tag, std::string_view payload, const Wait& wait = {});
/// Receives a whole frame; false if the other end is gone or talks nonsense. The payload takes memory as it comes, whatever length was announced.
/// Without `wait` it blocks as long as nothing comes.
[[nodiscard]] bool receive_frame(int descriptor, Frame& frame, const Wait& wait = {});

}  // namespace entrain::engines::ngspice
