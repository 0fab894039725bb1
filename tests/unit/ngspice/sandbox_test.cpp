#include "engines/ngspice/worker/sandbox.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <linux/openat2.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <ctime>
#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

#include "core/error.hpp"
#include "engines/ngspice/worker_client.hpp"
#include "support/processes.hpp"
#include "support/program.hpp"

namespace entrain::engines::ngspice {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;

/// Wait status of a child that does `act` and exits with what it returns.
int in_child(const std::function<int()>& act) {
    const pid_t child = ::fork();
    if (child == 0) _exit(act());
    int status = 0;
    while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    return status;
}

constexpr int cannot_confine = 254;

/// The same in a child that is confined first: exit status 0 if `call` succeeded, else errno.
int confined(const std::function<long()>& call) {
    return in_child([&] {
        try {
            confine(3);
        } catch (const std::runtime_error&) {
            return cannot_confine;
        }
        return call() >= 0 ? 0 : errno;
    });
}

template <class... Arguments>
std::function<long()> call(long number, Arguments... arguments) {
    return [=] { return ::syscall(number, arguments...); };
}

TEST(Sandbox, KillsWhatASimulationNeverAsksFor) {
    const test::TemporaryFolder folder;
    const std::string existing = folder.write("file", "x");
    const char* const file = existing.c_str();
    const char* const fresh = "/proc/self/no_such_file";  // where nothing could be made either
    const rlimit raised{8, 8};
    static char* none[] = {nullptr};
    std::vector<char> clone_args(88, 0);
    struct Forbidden {
        const char* name;
        std::function<long()> call;
    };
    const std::vector<Forbidden> all = {
        {"execve", call(SYS_execve, "/bin/true", none, none)},
        {"execveat", call(SYS_execveat, AT_FDCWD, "/bin/true", none, none, 0)},
        {"fork", call(SYS_fork)},
        {"clone", call(SYS_clone, SIGCHLD, 0, 0, 0, 0)},
        {"clone3", call(SYS_clone3, clone_args.data(), clone_args.size())},
        {"socket", call(SYS_socket, AF_INET, SOCK_STREAM, 0)},
        {"socketpair", call(SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, clone_args.data())},
        {"sendmsg", call(SYS_sendmsg, 3, nullptr, 0)},
        {"recvmsg", call(SYS_recvmsg, 3, nullptr, 0)},
        {"pipe2", call(SYS_pipe2, clone_args.data(), 0)},
        {"unlink", call(SYS_unlink, file)},
        {"unlinkat", call(SYS_unlinkat, AT_FDCWD, file, 0)},
        {"rename", call(SYS_rename, file, fresh)},
        {"renameat2", call(SYS_renameat2, AT_FDCWD, file, AT_FDCWD, fresh, 0)},
        {"link", call(SYS_link, file, fresh)},
        {"symlink", call(SYS_symlink, file, fresh)},
        {"mkdir", call(SYS_mkdir, fresh, 0700)},
        {"mkdirat", call(SYS_mkdirat, AT_FDCWD, fresh, 0700)},
        {"rmdir", call(SYS_rmdir, file)},
        {"mknod", call(SYS_mknod, fresh, 0, 0)},
        {"truncate", call(SYS_truncate, file, 0)},
        {"chmod", call(SYS_chmod, file, 0777)},
        {"chdir", call(SYS_chdir, "/")},
        {"open_by_handle_at", call(SYS_open_by_handle_at, AT_FDCWD, nullptr, 0)},
        {"name_to_handle_at", call(SYS_name_to_handle_at, AT_FDCWD, file, nullptr, nullptr, 0)},
        {"ptrace", call(SYS_ptrace, 0, 0, 0, 0)},
        {"process_vm_readv", call(SYS_process_vm_readv, ::getpid(), nullptr, 0, nullptr, 0, 0)},
        {"pidfd_open", call(SYS_pidfd_open, ::getpid(), 0)},
        {"kill", call(SYS_kill, ::getpid(), 0)},
        {"tgkill of the parent", call(SYS_tgkill, ::getpid(), ::getpid(), 0)},
        {"memfd_create", call(SYS_memfd_create, "x", 0)},
        {"io_uring_setup", call(SYS_io_uring_setup, 1, nullptr)},
        {"io_uring_enter", call(SYS_io_uring_enter, 3, 0, 0, 0, nullptr, 0)},
        {"userfaultfd", call(SYS_userfaultfd, 0)},
        {"perf_event_open", call(SYS_perf_event_open, nullptr, 0, -1, -1, 0)},
        {"bpf", call(SYS_bpf, 0, nullptr, 0)},
        {"mount", call(SYS_mount, "none", "/", "tmpfs", 0, nullptr)},
        {"prctl", call(SYS_prctl, PR_SET_DUMPABLE, 1, 0, 0, 0)},
        {"seccomp", call(SYS_seccomp, 0, 0, nullptr)},
        {"setrlimit", call(SYS_setrlimit, RLIMIT_NOFILE, &raised)},
        {"prlimit64 that sets", call(SYS_prlimit64, 0, RLIMIT_NOFILE, &raised, nullptr)},
        {"rt_sigaction of the hang-up signal", [] { return ::signal(SIGIO, SIG_IGN) == SIG_ERR ? -1L : 0L; }},
        {"executable mmap", [] { return ::mmap(nullptr, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? -1L : 0L; }},
        {"executable mprotect",
         [] {
             void* page = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
             return static_cast<long>(::mprotect(page, 4096, PROT_READ | PROT_EXEC));
         }},
#if defined(__x86_64__)
        {"getpid by its x32 number", call(0x40000000L | SYS_getpid)},
        {"getpid by its 32-bit number",
         [] {
             long result = 20;
             asm volatile("int $0x80" : "+a"(result) : : "memory");
             return result;
         }},
#endif
    };
    for (const Forbidden& forbidden : all) {
        const int status = confined(forbidden.call);
        EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS) << forbidden.name << ": wait status " << status;
    }
    EXPECT_EQ(test::content_of(existing), "x");
}

TEST(Sandbox, RefusesFilesInAWayThatAProgramSurvives) {
    const test::TemporaryFolder folder;
    const std::string existing = folder.write("file", "x");
    const char* const file = existing.c_str();
    static open_how how{};
    static char buffer[256];
    const std::vector<std::function<long()>> all = {
        call(SYS_open, file, O_RDONLY),
        call(SYS_openat, AT_FDCWD, file, O_RDONLY, 0),
        call(SYS_openat, AT_FDCWD, (folder.path() / "new").c_str(), O_WRONLY | O_CREAT, 0600),
        call(SYS_openat2, AT_FDCWD, file, &how, sizeof how),
        call(SYS_creat, file, 0600),
        call(SYS_access, file, R_OK),
        call(SYS_faccessat2, AT_FDCWD, file, R_OK, 0),
        call(SYS_newfstatat, AT_FDCWD, file, buffer, 0),
        call(SYS_statx, AT_FDCWD, file, 0, 0, buffer),
        call(SYS_readlink, "/proc/self/exe", buffer, sizeof buffer),
        call(SYS_getcwd, buffer, sizeof buffer),
        call(SYS_fcntl, 0, F_DUPFD, 0),
    };
    for (std::size_t k = 0; k < all.size(); ++k) {
        const int status = confined(all[k]);
        EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == EACCES) << "call " << k << ": wait status " << status;
    }
}

TEST(Sandbox, LetsAProgramComputeTellTheTimeAndTalk) {
    int ends[2];
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    const int status = confined([&] {
        const std::vector<double> memory(1'000'000, 1.0);  // taken by mmap
        timespec now{};
        if (::clock_gettime(CLOCK_MONOTONIC, &now) != 0 || now.tv_sec == 0) return -1L;
        return ::send(ends[1], memory.data(), 8, 0) == 8 ? 0L : -1L;
    });
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
    double received = 0.0;
    EXPECT_EQ(::recv(ends[0], &received, sizeof received, MSG_DONTWAIT), 8);
    EXPECT_EQ(received, 1.0);
    ::close(ends[0]);
    ::close(ends[1]);
}

TEST(Sandbox, IsOnInARunningWorker) {
    const Worker worker;
    const std::vector<pid_t> workers = test::children(::getpid());
    ASSERT_THAT(workers, SizeIs(1));
    const std::string status = test::proc_file(workers[0], "status");
    EXPECT_THAT(status, HasSubstr("Seccomp:\t2\n"));  // filter mode
    EXPECT_THAT(status, HasSubstr("NoNewPrivs:\t1\n"));
    EXPECT_EQ(test::descriptors(workers[0]), 4U);  // the null device three times and the socket
    EXPECT_THAT(std::filesystem::read_symlink("/proc/" + std::to_string(workers[0]) + "/cwd").string(), HasSubstr("(deleted)"));
    rlimit limit{};
    for (const auto& [resource, value] : {std::pair{RLIMIT_CORE, 0U}, {RLIMIT_FSIZE, 0U}, {RLIMIT_NPROC, 0U}, {RLIMIT_NOFILE, 4U}}) {
        ASSERT_EQ(::prlimit(workers[0], resource, nullptr, &limit), 0);
        EXPECT_EQ(limit.rlim_max, value) << resource;
    }
}

TEST(Sandbox, WithoutItTheWorkerRefusesToWork) {
    // A kernel that grants no filter, as some containers are set up.
    const int status = in_child([] {
        scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
        seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(seccomp), 0);
        seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(prctl), 1, SCMP_A0(SCMP_CMP_EQ, PR_SET_SECCOMP));
        if (seccomp_load(filter) != 0) return 1;
        try {
            const Worker worker;
        } catch (const MissingComponent& error) {
            return std::string{error.what()}.find("the system-call filter cannot be installed") != std::string::npos ? 0 : 2;
        }
        return 3;
    });
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
}

}  // namespace
}  // namespace entrain::engines::ngspice
