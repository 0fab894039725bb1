#include "engines/ngspice/worker_client.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <random>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "core/error.hpp"

namespace entrain::engines::ngspice {

namespace {

constexpr auto start_limit = std::chrono::seconds{60};          // takes some 2 ms; the rest is for machines that swap
constexpr auto poll_interval = std::chrono::milliseconds{100};  // how soon Ctrl-C is seen
constexpr auto last_breath = std::chrono::seconds{1};           // from the end of a connection to the end of its process: microseconds
constexpr std::size_t longest_message = 4096;                   // the worker cuts its messages to 8 lines of 300 characters
// A worker starts with 10 MB and each netlist leaves 5 kB; more is what a large one left behind, and a new worker costs a few milliseconds.
constexpr std::uint64_t worn_out_bytes = 64'000'000;

constexpr std::array<std::string_view, 10> categories = {"ok",       "stopped", "parse",      "no_circuit", "operating_point",
                                                         "timestep", "empty",   "not_finite", "incomplete", "exit"};

/// A closed descriptor closes itself only once.
struct Descriptor {
    int number = -1;
    explicit Descriptor(int n) : number{n} {}
    ~Descriptor() {
        if (number >= 0) ::close(number);
    }
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    int release() { return std::exchange(number, -1); }
};

std::filesystem::path executable() {
    if (const char* named = std::getenv("ENTRAIN_WORKER"); named != nullptr && *named != '\0') return named;
    std::error_code ignored;
    const std::filesystem::path folder = std::filesystem::read_symlink("/proc/self/exe", ignored).parent_path();
    // Test programs live two folders below.
    for (const std::filesystem::path& candidate : {folder / "entrain-worker", folder.parent_path().parent_path() / "entrain-worker"})
        if (std::filesystem::is_regular_file(candidate, ignored)) return candidate;
    throw MissingComponent{"entrain-worker is not beside " + folder.string() +
                           "/ (circuits cannot be simulated). Build the target entrain-worker or name it in ENTRAIN_WORKER."};
}

/// Where workers make their private folders.
std::filesystem::path temporary_folder() {
    std::error_code error;
    const std::filesystem::path folder = std::filesystem::temp_directory_path(error);
    if (error)
        throw MissingComponent{
            fmt::format("the folder for temporary files cannot be used: {} (the simulator keeps its start files there). Set TMPDIR "
                        "to a folder that can be written.",
                        error.message())};
    return std::filesystem::absolute(folder);
}

/// Name of the folder that a worker starts in, which it makes and removes itself, so that it goes with a parent that is killed meanwhile. A worker
/// that is killed meanwhile leaves it to this object.
class StartFolder {
 public:
    StartFolder() {
        std::random_device bits;
        path_ = temporary_folder() / fmt::format("entrain-worker-{:08x}{:08x}", bits(), bits());
    }
    ~StartFolder() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    StartFolder(const StartFolder&) = delete;
    StartFolder& operator=(const StartFolder&) = delete;
    [[nodiscard]] std::string name() const { return path_.string(); }

 private:
    std::filesystem::path path_;
};

/// What the worker may know: what the loader and the sanitizers read. With a time zone in the environment, ngspice does not look for one in the files
/// of the system.
std::vector<std::string> environment() {
    std::vector<std::string> variables = {"TZ=UTC0", "LC_ALL=C"};
    for (const char* name : {"LD_LIBRARY_PATH", "ASAN_OPTIONS", "LSAN_OPTIONS", "UBSAN_OPTIONS"})
        if (const char* value = std::getenv(name); value != nullptr) variables.push_back(fmt::format("{}={}", name, value));
    return variables;
}

pid_t spawn(const std::filesystem::path& program, const WorkerLimits& limits, std::string folder, int socket) {
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, socket, worker_descriptor);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addclosefrom_np(&actions, worker_descriptor + 1);
    posix_spawnattr_t attributes;
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    posix_spawnattr_setpgroup(&attributes, 0);
    sigset_t none;
    sigemptyset(&none);
    posix_spawnattr_setsigmask(&attributes, &none);
    sigset_t all;
    sigfillset(&all);
    posix_spawnattr_setsigdefault(&attributes, &all);

    std::string name = program.filename().string();
    std::string memory = std::to_string(limits.memory_bytes);
    char* arguments[] = {name.data(), memory.data(), folder.data(), nullptr};
    std::vector<std::string> variables = environment();
    std::vector<char*> pointers;
    for (std::string& v : variables) pointers.push_back(v.data());
    pointers.push_back(nullptr);
    pid_t process = -1;
    const int error = posix_spawn(&process, program.c_str(), &actions, &attributes, arguments, pointers.data());
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    if (error != 0)
        throw MissingComponent{"cannot start " + program.string() + ": " + std::strerror(error) +
                               ". Build the target entrain-worker or name it in ENTRAIN_WORKER."};
    return process;
}

/// The text as it may be shown and stored: it may repeat any byte of a netlist.
std::string printable(std::string_view text) {
    std::string result{text.substr(0, longest_message)};
    for (char& c : result)
        if (c != '\n' && (c < ' ' || c > '~')) c = '?';
    return result;
}

WorkerLost nonsense() { return {"crash", "the simulator process answered nonsense"}; }

/// What a worker sent, unpacked by `unpack`.
template <class Unpack>
auto trusted(Unpack unpack, const Frame& frame) {
    try {
        return unpack(frame.payload);
    } catch (const std::runtime_error&) {
        throw nonsense();
    }
}

}  // namespace

Worker::Worker(const WorkerLimits& limits) : limits_{limits} {
    const std::filesystem::path program = std::filesystem::absolute(executable());
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
        throw std::runtime_error{std::string{"cannot make a socket pair: "} + std::strerror(errno)};
    Descriptor mine{ends[0]};
    Descriptor theirs{ends[1]};
    const StartFolder folder;
    process_ = spawn(program, limits, folder.name(), theirs.number);
    socket_ = mine.release();
    ::close(theirs.release());  // so that the worker's end closes with the worker
    Frame frame;
    try {
        frame = receive({std::chrono::steady_clock::now() + start_limit, nullptr});
    } catch (const WorkerLost& lost) {
        stop();
        throw MissingComponent{program.string() + " does not start (" + lost.what() + "). Install the packages libngspice0 and ngspice."};
    }
    version_ = printable(frame.payload);
    if (frame.tag == Tag::hello) return;
    stop();
    throw MissingComponent{
        program.string() + " refuses to work: " + version_ +
        " (netlists are simulated by a process that can neither open files nor start programs). Mend what it names, or run where the "
        "kernel grants system-call filters."};
}

Worker::~Worker() { stop(); }

double Worker::stop() {
    if (socket_ >= 0) ::close(std::exchange(socket_, -1));
    if (process_ > 0) {
        ::kill(process_, SIGKILL);
        reap(0);
    }
    return cpu_s_;
}

std::optional<int> Worker::reap(int options) {
    rusage usage{};
    int status = 0;
    pid_t waited = 0;
    do waited = ::wait4(process_, &status, options, &usage);
    while (waited < 0 && errno == EINTR);
    if (waited == 0) return std::nullopt;
    const auto seconds = [](const timeval& t) { return static_cast<double>(t.tv_sec) + 1e-6 * static_cast<double>(t.tv_usec); };
    cpu_s_ = seconds(usage.ru_utime) + seconds(usage.ru_stime);
    peak_bytes_ = 1024 * static_cast<std::uint64_t>(usage.ru_maxrss);
    process_ = -1;
    return status;
}

WorkerLost Worker::post_mortem() {
    std::optional<int> status;
    // A process closes its descriptors a moment before it can be waited for.
    for (auto waited = std::chrono::milliseconds{0}; waited < last_breath && !(status = reap(WNOHANG)); ++waited)
        std::this_thread::sleep_for(std::chrono::milliseconds{1});
    std::string cause = "broke its connection";
    auto killed = WorkerLost::Killed::no;
    if (status && WIFSIGNALED(*status)) {
        const int signal = WTERMSIG(*status);
        if (signal == SIGSYS)
            return {"crash", "the simulator was killed by its system-call filter (the netlist asks for a program, a file or a connection)"};
        if (signal == SIGKILL) killed = WorkerLost::Killed::from_outside;
        cause = fmt::format("was killed by signal {} ({})", signal, ::strsignal(signal));
    } else if (status) {
        cause = fmt::format("ended with status {}", WEXITSTATUS(*status));
    }
    const bool out_of_memory =
        status && ((WIFEXITED(*status) && WEXITSTATUS(*status) == status_out_of_memory) || peak_bytes_ > limits_.memory_bytes / 4 * 3);
    if (out_of_memory) cause += fmt::format(" at its memory limit of {} MB", limits_.memory_bytes / 1'000'000);
    return {"crash", "the simulator process " + cause, killed};
}

void Worker::wait(short events, const Patience& patience) const {
    while (true) {
        if (patience.stop != nullptr && patience.stop->load(std::memory_order_relaxed)) throw WorkerLost{"interrupted", "interrupted"};
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(patience.deadline - std::chrono::steady_clock::now());
        if (left.count() <= 0) throw WorkerLost{"timeout", "the simulator did not answer before its deadline (engine.deadline)"};
        pollfd waiting{socket_, events, 0};
        const int ready = ::poll(&waiting, 1, static_cast<int>(std::min<std::chrono::milliseconds>(left, poll_interval).count()));
        if (ready < 0 && errno != EINTR) throw WorkerLost{"crash", std::string{"cannot wait for the simulator: "} + std::strerror(errno)};
        if (ready > 0) return;
    }
}

Frame Worker::receive(const Patience& patience) {
    Frame frame;
    wait(POLLIN, patience);
    if (!receive_frame(socket_, frame, [&](short events) { wait(events, patience); })) throw post_mortem();
    return frame;
}

Frame Worker::ask(Tag tag, const std::string& payload, const Patience& patience, const std::function<void(std::span<const double>)>& waves) {
    if (payload.size() > max_frame) throw std::length_error{"a netlist is too large for a worker"};
    if (!send_frame(socket_, tag, payload, [&](short events) { wait(events, patience); })) throw post_mortem();
    while (true) {
        Frame frame = receive(patience);
        if (frame.tag == tag) return frame;
        if (frame.tag != Tag::waves) throw nonsense();
        std::vector<double> points(frame.payload.size() / sizeof(double));
        std::memcpy(points.data(), frame.payload.data(), points.size() * sizeof(double));
        if (waves) waves(points);
    }
}

Status Worker::ask_status(Tag tag, const std::string& payload, const Patience& patience, const std::function<void(std::span<const double>)>& waves) {
    Status status = trusted(unpack_status, ask(tag, payload, patience, waves));
    if (std::ranges::find(categories, status.category) == categories.end()) throw nonsense();
    status.message = printable(status.message);
    return status;
}

Status Worker::load(const Load& load, const Patience& patience) {
    values_per_period_ = load.signals.size() * (2 * load.harmonics.size() + 3);
    return ask_status(Tag::load, pack(load), patience);
}

Status Worker::advance(const Advance& advance, const Patience& patience, const std::function<void(std::span<const double>)>& waves) {
    return ask_status(Tag::advance, pack(advance), patience, waves);
}

Periods Worker::read(const Patience& patience) {
    Periods periods = trusted(unpack_periods, ask(Tag::read, "", patience));
    const std::size_t values = periods.values.size();
    if (values_per_period_ > 0 && (values % values_per_period_ != 0 || periods.count != values / values_per_period_)) throw nonsense();
    return periods;
}

Status Worker::finish(const Patience& patience) { return ask_status(Tag::finish, "", patience); }

bool Worker::worn_out() const {
    std::ifstream statm{fmt::format("/proc/{}/statm", process_)};
    std::uint64_t all = 0;
    std::uint64_t resident = 0;
    statm >> all >> resident;
    return resident * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE)) > worn_out_bytes;
}

}  // namespace entrain::engines::ngspice
