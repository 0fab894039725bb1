#include "engines/ngspice/worker/sandbox.hpp"

#include <fcntl.h>
#include <poll.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <initializer_list>
#include <memory>
#include <stdexcept>
#include <string>

namespace entrain::engines::ngspice {

namespace {

#if defined(__SANITIZE_ADDRESS__)
constexpr bool address_sanitizer = true;
#else
constexpr bool address_sanitizer = false;
#endif

int watched_socket = -1;  // of the signal handler, which is given nothing

void leave_if_alone(int /*signal*/) {
    const int error = errno;
    pollfd peer{watched_socket, 0, 0};
    if (::poll(&peer, 1, 0) == 1 && (peer.revents & POLLHUP) != 0) _exit(1);
    errno = error;
}

void set_limit(__rlimit_resource_t resource, rlim_t value) {
    const rlimit limit{value, value};
    if (::setrlimit(resource, &limit) != 0) throw std::runtime_error{std::string{"cannot set a resource limit: "} + std::strerror(errno)};
}

/// The filter under construction. Every system call that no rule names kills the process: a netlist that asks for one is hostile, and going on with
/// what it left behind could end in a wrong number.
class Filter {
 public:
    Filter() : context_{seccomp_init(SCMP_ACT_KILL_PROCESS), &seccomp_release} {
        if (!context_) throw std::runtime_error{"out of memory"};
        check(seccomp_attr_set(context_.get(), SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS));  // 32-bit and x32 numbers
        check(seccomp_attr_set(context_.get(), SCMP_FLTATR_CTL_NNP, 1));
        check(seccomp_attr_set(context_.get(), SCMP_FLTATR_CTL_TSYNC, 1));
    }

    void allow(std::initializer_list<int> calls) {
        for (const int call : calls) check(seccomp_rule_add_array(context_.get(), SCMP_ACT_ALLOW, call, 0, nullptr));
    }
    void allow_if(int call, scmp_arg_cmp condition) { check(seccomp_rule_add_array(context_.get(), SCMP_ACT_ALLOW, call, 1, &condition)); }
    void refuse(std::initializer_list<int> calls) {
        for (const int call : calls) check(seccomp_rule_add_array(context_.get(), SCMP_ACT_ERRNO(EACCES), call, 0, nullptr));
    }
    void load() { check(seccomp_load(context_.get())); }

 private:
    static void check(int result) {
        if (result < 0) throw std::runtime_error{std::strerror(-result)};
    }
    std::unique_ptr<void, decltype(&seccomp_release)> context_;
};

void install_filter() {
    Filter filter;
    filter.allow({SCMP_SYS(read), SCMP_SYS(write), SCMP_SYS(writev), SCMP_SYS(recvfrom), SCMP_SYS(sendto), SCMP_SYS(poll), SCMP_SYS(ppoll),
                  SCMP_SYS(lseek), SCMP_SYS(close)});
    filter.allow({SCMP_SYS(brk), SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(madvise), SCMP_SYS(futex), SCMP_SYS(sched_yield)});
    filter.allow({SCMP_SYS(clock_gettime), SCMP_SYS(clock_getres), SCMP_SYS(clock_nanosleep), SCMP_SYS(nanosleep), SCMP_SYS(gettimeofday),
                  SCMP_SYS(time), SCMP_SYS(times), SCMP_SYS(getrusage)});
    filter.allow({SCMP_SYS(exit), SCMP_SYS(exit_group), SCMP_SYS(rt_sigreturn), SCMP_SYS(rt_sigprocmask), SCMP_SYS(sigaltstack),
                  SCMP_SYS(restart_syscall), SCMP_SYS(getpid), SCMP_SYS(gettid), SCMP_SYS(getrandom), SCMP_SYS(sched_getaffinity),
                  SCMP_SYS(sysinfo)});
    // Memory that can be written must not be run.
    filter.allow_if(SCMP_SYS(mmap), SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
    filter.allow_if(SCMP_SYS(mprotect), SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
    // abort() signals its own process.
    filter.allow_if(SCMP_SYS(tgkill), SCMP_A0(SCMP_CMP_EQ, static_cast<scmp_datum_t>(::getpid())));
    filter.allow_if(SCMP_SYS(rt_sigaction), SCMP_A0(SCMP_CMP_EQ, SIGABRT));
    filter.allow_if(SCMP_SYS(prlimit64), SCMP_A2(SCMP_CMP_EQ, 0));  // reading them
    // Honest netlists and the C library ask for these and live with the answer: device models that want to write a log, the time zone, is this a
    // terminal. A missing include file is told by its name, too.
    filter.refuse({SCMP_SYS(open), SCMP_SYS(openat), SCMP_SYS(openat2), SCMP_SYS(creat), SCMP_SYS(access), SCMP_SYS(faccessat), SCMP_SYS(faccessat2),
                   SCMP_SYS(stat), SCMP_SYS(lstat), SCMP_SYS(fstat), SCMP_SYS(newfstatat), SCMP_SYS(statx), SCMP_SYS(readlink), SCMP_SYS(readlinkat),
                   SCMP_SYS(getcwd), SCMP_SYS(ioctl), SCMP_SYS(fcntl), SCMP_SYS(uname), SCMP_SYS(getuid)});
    filter.load();
}

}  // namespace

void limit_resources(std::uint64_t memory_bytes) {
    set_limit(RLIMIT_CORE, 0);
    // Counted over all processes of the user, so none of them would do: but zero refuses whatever the count is.
    set_limit(RLIMIT_NPROC, 0);
    if (!address_sanitizer) set_limit(RLIMIT_AS, memory_bytes);
}

void end_with_peer(int socket) {
    watched_socket = socket;
    struct sigaction action {};
    action.sa_handler = leave_if_alone;
    action.sa_flags = SA_RESTART;
    if (::sigaction(SIGIO, &action, nullptr) != 0 || ::fcntl(socket, F_SETOWN, ::getpid()) != 0 ||
        ::fcntl(socket, F_SETFL, ::fcntl(socket, F_GETFL) | O_ASYNC) != 0)
        throw std::runtime_error{std::string{"cannot watch the socket: "} + std::strerror(errno)};
    leave_if_alone(SIGIO);  // the peer may have gone before the signal was asked for
}

void confine(int last_descriptor) {
    set_limit(RLIMIT_FSIZE, 0);
    set_limit(RLIMIT_NOFILE, static_cast<rlim_t>(last_descriptor) + 1);
    try {
        install_filter();
    } catch (const std::runtime_error& error) {
        throw std::runtime_error{std::string{"the system-call filter cannot be installed: "} + error.what()};
    }
}

}  // namespace entrain::engines::ngspice
