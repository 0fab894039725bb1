#pragma once
#include <unistd.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <system_error>
#include <vector>

namespace entrain::test {

/// A file of /proc/<pid>, "" if the process has gone.
inline std::string proc_file(pid_t process, const std::string& name) {
    const std::ifstream in{"/proc/" + std::to_string(process) + "/" + name, std::ios::binary};
    std::ostringstream text;
    text << in.rdbuf();  // reading fails when the process goes meanwhile
    return text.str();
}

/// All processes for which `wanted(pid)` holds.
template <class Wanted>
std::vector<pid_t> processes(Wanted wanted) {
    std::vector<pid_t> found;
    for (const auto& entry : std::filesystem::directory_iterator{"/proc"}) {
        const std::string name = entry.path().filename().string();
        if (name.find_first_not_of("0123456789") != std::string::npos) continue;
        const pid_t process = std::stoi(name);
        if (wanted(process)) found.push_back(process);
    }
    return found;
}

/// Children of a process, those that have ended and were not waited for included.
inline std::vector<pid_t> children(pid_t parent) {
    return processes([&](pid_t process) {
        const std::string stat = proc_file(process, "stat");  // pid (name) state ppid ...
        const std::size_t name_end = stat.rfind(')');
        return name_end != std::string::npos && std::stoi(stat.substr(name_end + 4)) == parent;
    });
}

/// Other processes that have `text` in their command line.
inline std::vector<pid_t> processes_with(const std::string& text) {
    return processes([&](pid_t process) { return process != ::getpid() && proc_file(process, "cmdline").find(text) != std::string::npos; });
}

/// Open descriptors of a process.
inline std::size_t descriptors(pid_t process) {
    std::error_code gone;
    std::size_t count = 0;
    for (std::filesystem::directory_iterator it{"/proc/" + std::to_string(process) + "/fd", gone}, end; !gone && it != end; it.increment(gone))
        ++count;
    return count;
}

/// A memory figure of /proc/<pid>/status, e.g. "VmRSS:" [bytes].
inline std::uint64_t memory_bytes(pid_t process, const std::string& figure) {
    const std::string status = proc_file(process, "status");
    const std::size_t at = status.find(figure);
    return at == std::string::npos ? 0 : 1024 * std::stoull(status.substr(at + figure.size()));
}

}  // namespace entrain::test
