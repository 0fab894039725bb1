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
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <utility>
#include <vector>

#include "core/error.hpp"

namespace entrain::engines::ngspice {

namespace {

constexpr auto start_limit = std::chrono::seconds{60};          // takes some 2 ms; the rest is for machines that swap
constexpr auto poll_interval = std::chrono::milliseconds{100};  // how soon Ctrl-C is seen

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

/// Private folder with start files of our own: ngspice runs .spiceinit of the working directory and spinit, whatever they say.
class StartFolder {
 public:
    StartFolder() {
        std::string name = (std::filesystem::temp_directory_path() / "entrain-worker-XXXXXX").string();
        if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error{"cannot make a temporary folder " + name + ": " + std::strerror(errno)};
        path_ = name;
        std::ofstream{path_ / ".spiceinit"} << "set num_threads=1\n";
        std::ofstream{path_ / "spinit"} << "* no code models\n";
    }
    ~StartFolder() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    StartFolder(const StartFolder&) = delete;
    StartFolder& operator=(const StartFolder&) = delete;
    [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
    std::filesystem::path path_;
};

/// What the worker may know: where its start files are, and what the loader and the sanitizers read.
std::vector<std::string> environment(const std::filesystem::path& folder) {
    std::vector<std::string> variables = {fmt::format("HOME={}", folder.string()), fmt::format("SPICE_SCRIPTS={}", folder.string()), "LC_ALL=C"};
    for (const char* name : {"LD_LIBRARY_PATH", "ASAN_OPTIONS", "LSAN_OPTIONS", "UBSAN_OPTIONS"})
        if (const char* value = std::getenv(name); value != nullptr) variables.push_back(fmt::format("{}={}", name, value));
    return variables;
}

pid_t spawn(const std::filesystem::path& program, const std::filesystem::path& folder, int socket) {
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addchdir_np(&actions, folder.c_str());
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
    char* arguments[] = {name.data(), nullptr};
    std::vector<std::string> variables = environment(folder);
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

}  // namespace

Worker::Worker() {
    const std::filesystem::path program = std::filesystem::absolute(executable());
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
        throw std::runtime_error{std::string{"cannot make a socket pair: "} + std::strerror(errno)};
    Descriptor mine{ends[0]};
    Descriptor theirs{ends[1]};
    const StartFolder folder;
    process_ = spawn(program, folder.path(), theirs.number);
    socket_ = mine.release();
    ::close(theirs.release());  // so that the worker's end closes with the worker
    try {
        version_ = receive({std::chrono::steady_clock::now() + start_limit, nullptr}).payload;
    } catch (const WorkerLost& lost) {
        stop();
        throw MissingComponent{program.string() + " does not start (" + lost.what() + "). Install the packages libngspice0 and ngspice."};
    }
}

Worker::~Worker() { stop(); }

double Worker::stop() {
    if (socket_ >= 0) ::close(std::exchange(socket_, -1));
    if (process_ > 0) {
        ::kill(process_, SIGKILL);
        rusage usage{};
        int status = 0;
        while (::wait4(process_, &status, 0, &usage) < 0 && errno == EINTR) {
        }
        const auto seconds = [](const timeval& t) { return static_cast<double>(t.tv_sec) + 1e-6 * static_cast<double>(t.tv_usec); };
        cpu_s_ = seconds(usage.ru_utime) + seconds(usage.ru_stime);
        process_ = -1;
    }
    return cpu_s_;
}

Frame Worker::receive(const Patience& patience) {
    while (true) {
        if (patience.stop != nullptr && patience.stop->load(std::memory_order_relaxed)) throw WorkerLost{"interrupted", "interrupted"};
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(patience.deadline - std::chrono::steady_clock::now());
        if (left.count() <= 0) throw WorkerLost{"timeout", "the simulator did not answer before its deadline (engine.deadline)"};
        pollfd waiting{socket_, POLLIN, 0};
        const int ready = ::poll(&waiting, 1, static_cast<int>(std::min<std::chrono::milliseconds>(left, poll_interval).count()));
        if (ready < 0 && errno != EINTR) throw WorkerLost{"crash", std::string{"cannot wait for the simulator: "} + std::strerror(errno)};
        if (ready > 0) break;
    }
    Frame frame;
    if (!receive_frame(socket_, frame)) throw WorkerLost{"crash", "the simulator process ended unexpectedly"};
    return frame;
}

Frame Worker::ask(Tag tag, const std::string& payload, const Patience& patience, const std::function<void(std::span<const double>)>& waves) {
    if (!send_frame(socket_, tag, payload)) throw WorkerLost{"crash", "the simulator process ended unexpectedly"};
    while (true) {
        Frame frame = receive(patience);
        if (frame.tag == tag) return frame;
        if (frame.tag != Tag::waves) throw WorkerLost{"crash", "the simulator process answered out of turn"};
        std::vector<double> points(frame.payload.size() / sizeof(double));
        std::memcpy(points.data(), frame.payload.data(), points.size() * sizeof(double));
        if (waves) waves(points);
    }
}

Status Worker::load(const Load& load, const Patience& patience) { return unpack_status(ask(Tag::load, pack(load), patience).payload); }

Status Worker::advance(const Advance& advance, const Patience& patience, const std::function<void(std::span<const double>)>& waves) {
    return unpack_status(ask(Tag::advance, pack(advance), patience, waves).payload);
}

Periods Worker::read(const Patience& patience) { return unpack_periods(ask(Tag::read, "", patience).payload); }

Status Worker::finish(const Patience& patience) { return unpack_status(ask(Tag::finish, "", patience).payload); }

}  // namespace entrain::engines::ngspice
