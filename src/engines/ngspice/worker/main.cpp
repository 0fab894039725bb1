// entrain-worker: the only program that links libngspice. The engine starts it with a socket at descriptor 3, its memory limit [bytes] and
// the name of its private folder as arguments; it serves the messages of protocol.hpp until the socket closes. Nobody else has a reason to start it.
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <filesystem>
#include <fstream>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <utility>

#include "engines/ngspice/protocol.hpp"
#include "engines/ngspice/worker/sandbox.hpp"
#include "engines/ngspice/worker/simulator.hpp"

namespace {

using namespace entrain::engines::ngspice;

/// Private working directory with start files of our own: ngspice runs .spiceinit of the working directory (or of the user's home) and spinit,
/// whatever they say. It goes as soon as the simulator is up, so that none is left when a run is killed; nobody can put a file into a directory that
/// is gone.
class StartFolder {
 public:
    explicit StartFolder(std::filesystem::path path) : path_{std::move(path)} {
        // Must be new, for nobody else's files to be in it.
        if (::mkdir(path_.c_str(), 0700) != 0)
            throw std::runtime_error{"cannot make the folder " + path_.string() + ": " + std::strerror(errno) +
                                     "; set TMPDIR to a folder that can be written"};
        try {
            write(".spiceinit", "set num_threads=1\n");
            write("spinit", "* no code models\n");
            if (::chdir(path_.c_str()) != 0) throw std::runtime_error{"cannot enter " + path_.string() + ": " + std::strerror(errno)};
        } catch (const std::runtime_error&) {
            remove();
            throw;
        }
        ::setenv("HOME", path_.c_str(), 1);
        ::setenv("SPICE_SCRIPTS", path_.c_str(), 1);
    }
    ~StartFolder() { remove(); }
    StartFolder(const StartFolder&) = delete;
    StartFolder& operator=(const StartFolder&) = delete;

 private:
    void remove() const {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    void write(const char* name, const char* text) const {
        std::ofstream file{path_ / name};
        file << text;
        file.close();
        if (!file) throw std::runtime_error{"cannot write " + (path_ / name).string() + ": " + std::strerror(errno)};
    }
    std::filesystem::path path_;
};

/// Starts the simulator and gives up the rights that only the start needs.
std::unique_ptr<Simulator> start(std::uint64_t memory_bytes, const char* folder_name, Simulator::Waves waves) {
    limit_resources(memory_bytes);
    auto simulator = [&] {
        const StartFolder folder{folder_name};
        return std::make_unique<Simulator>(std::move(waves));
    }();
    end_with_peer(worker_descriptor);
    confine(worker_descriptor);
    return simulator;
}

/// Answers requests until the engine hangs up or the simulator is spoilt.
int serve(std::uint64_t memory_bytes, const char* folder_name) {
    const auto answer = [](Tag tag, const std::string& payload) { return send_frame(worker_descriptor, tag, payload); };
    std::unique_ptr<Simulator> simulator;
    try {
        simulator = start(memory_bytes, folder_name, [&](std::span<const double> points) {
            // A lost engine is noticed at the next answer.
            static_cast<void>(answer(Tag::waves, std::string{reinterpret_cast<const char*>(points.data()), points.size_bytes()}));
        });
    } catch (const std::runtime_error& error) {
        static_cast<void>(answer(Tag::refusal, error.what()));
        return 1;
    }
    if (!answer(Tag::hello, simulator->version())) return 1;
    Frame frame;
    while (receive_frame(worker_descriptor, frame)) {
        bool sent = false;
        switch (frame.tag) {
            case Tag::load:
                sent = answer(frame.tag, pack(simulator->load(unpack_load(frame.payload))));
                break;
            case Tag::advance:
                sent = answer(frame.tag, pack(simulator->advance(unpack_advance(frame.payload))));
                break;
            case Tag::read:
                sent = answer(frame.tag, pack(simulator->read()));
                break;
            case Tag::finish:
                sent = answer(frame.tag, pack(simulator->finish()));
                break;
            default:
                break;
        }
        if (!sent || simulator->must_exit()) return 1;
    }
    return 0;
}

}  // namespace

int main(int count, char** arguments) {
    int type = 0;
    socklen_t size = sizeof type;
    const std::uint64_t memory_bytes = count == 3 ? std::strtoull(arguments[1], nullptr, 10) : 0;
    if (memory_bytes == 0 || getsockopt(worker_descriptor, SOL_SOCKET, SO_TYPE, &type, &size) != 0) {
        std::fputs("entrain-worker is started by entrain and does nothing by itself.\n", stderr);
        return 2;
    }
    std::signal(SIGXFSZ, SIG_IGN);
    int status = 1;
    try {
        status = serve(memory_bytes, arguments[2]);
    } catch (const std::bad_alloc&) {
        status = status_out_of_memory;
    } catch (const std::exception&) {
        status = 1;
    }
    // ngspice is in no state for its destructors after a controlled exit.
    _exit(status);
}
