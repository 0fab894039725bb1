// entrain-worker: the only program that links libngspice. The engine starts it with a socket at descriptor 3 and an empty private folder as working
// directory; it serves the messages of protocol.hpp until the socket closes. Nobody else has a reason to start it.
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <exception>

#include "engines/ngspice/protocol.hpp"
#include "engines/ngspice/worker/simulator.hpp"

namespace {

using namespace entrain::engines::ngspice;

/// Answers requests until the engine hangs up or the simulator is spoilt.
int serve() {
    const auto answer = [](Tag tag, const std::string& payload) { return send_frame(worker_descriptor, tag, payload); };
    Simulator simulator{[&](std::span<const double> points) {
        // A lost engine is noticed at the next answer.
        static_cast<void>(answer(Tag::waves, std::string{reinterpret_cast<const char*>(points.data()), points.size_bytes()}));
    }};
    if (!answer(Tag::hello, simulator.version())) return 1;
    Frame frame;
    while (receive_frame(worker_descriptor, frame)) {
        bool sent = false;
        switch (frame.tag) {
            case Tag::load:
                sent = answer(frame.tag, pack(simulator.load(unpack_load(frame.payload))));
                break;
            case Tag::advance:
                sent = answer(frame.tag, pack(simulator.advance(unpack_advance(frame.payload))));
                break;
            case Tag::read:
                sent = answer(frame.tag, pack(simulator.read()));
                break;
            case Tag::finish:
                sent = answer(frame.tag, pack(simulator.finish()));
                break;
            default:
                break;
        }
        if (!sent || simulator.must_exit()) return 1;
    }
    return 0;
}

}  // namespace

int main() {
    int type = 0;
    socklen_t size = sizeof type;
    if (getsockopt(worker_descriptor, SOL_SOCKET, SO_TYPE, &type, &size) != 0) {
        std::fputs("entrain-worker is started by entrain and does nothing by itself.\n", stderr);
        return 2;
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    const rlimit none{0, 0};
    setrlimit(RLIMIT_CORE, &none);
    setrlimit(RLIMIT_FSIZE, &none);  // a simulation writes no file
    std::signal(SIGXFSZ, SIG_IGN);
    int status = 1;
    try {
        status = serve();
    } catch (const std::exception&) {
        status = 1;
    }
    // ngspice is in no state for its destructors after a controlled exit.
    _exit(status);
}
