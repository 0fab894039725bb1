#include "core/file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <regex>
#include <stdexcept>
#include <vector>

#include "core/error.hpp"

namespace entrain {
namespace {

class Descriptor {
 public:
    explicit Descriptor(int fd) : fd_{fd} {}
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    ~Descriptor() {
        if (fd_ >= 0) ::close(fd_);
    }
    [[nodiscard]] int get() const { return fd_; }

 private:
    int fd_;
};

}  // namespace

std::string read_file(const std::filesystem::path& path, std::uintmax_t max_bytes) {
    const auto fail = [&](const std::string& why) { return UserError{Location{path.string()}, why}; };
    const Descriptor file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};  // O_NONBLOCK: opening a pipe must not wait
    if (file.get() < 0) throw fail(std::string{"cannot be opened: "} + std::strerror(errno));
    struct stat status {};
    if (::fstat(file.get(), &status) != 0) throw fail(std::strerror(errno));
    if (!S_ISREG(status.st_mode)) throw fail("is not a regular file");
    const auto size = static_cast<std::uintmax_t>(status.st_size);
    if (size > max_bytes) throw fail("has " + std::to_string(size) + " bytes (expected at most " + std::to_string(max_bytes) + ")");
    std::string content(size, '\0');
    std::size_t done = 0;
    while (done < content.size()) {
        const ssize_t n = ::read(file.get(), content.data() + done, content.size() - done);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) throw fail(std::strerror(errno));
        if (n == 0) break;
        done += static_cast<std::size_t>(n);
    }
    content.resize(done);
    return content;
}

std::filesystem::path temporary_name(const std::filesystem::path& path) {
    static std::atomic<unsigned> written{0};
    return path.string() + "." + std::to_string(::getpid()) + "-" + std::to_string(written.fetch_add(1)) + ".tmp";
}

void remove_temporary_files(const std::filesystem::path& folder) {
    static const std::regex temporary{".+\\.[0-9]+-[0-9]+\\.tmp"};
    std::vector<std::filesystem::path> found;
    std::error_code none;
    for (const auto& entry : std::filesystem::directory_iterator{folder, none})
        if (std::regex_match(entry.path().filename().string(), temporary)) found.push_back(entry.path());
    for (const std::filesystem::path& path : found) std::filesystem::remove_all(path, none);
}

void write_file_atomically(const std::filesystem::path& path, std::string_view content) {
    write_then_rename(path, [&](const std::filesystem::path& temporary) {
        const auto fail = [&] { return std::runtime_error{"cannot write " + path.string() + ": " + std::strerror(errno)}; };
        const Descriptor file{::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644)};
        if (file.get() < 0) throw fail();
        std::size_t done = 0;
        while (done < content.size()) {
            const ssize_t n = ::write(file.get(), content.data() + done, content.size() - done);
            if (n < 0 && errno == EINTR) continue;
            if (n < 0) throw fail();
            done += static_cast<std::size_t>(n);
        }
        if (::fsync(file.get()) != 0) throw fail();
    });
}

}  // namespace entrain
