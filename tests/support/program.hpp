#pragma once
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

extern char** environ;

namespace entrain::test {

/// A folder of its own for a test, removed at its end.
class TemporaryFolder {
 public:
    TemporaryFolder() {
        std::string pattern = (std::filesystem::temp_directory_path() / "entrain-test-XXXXXX").string();
        path_ = ::mkdtemp(pattern.data());
    }
    TemporaryFolder(const TemporaryFolder&) = delete;
    TemporaryFolder& operator=(const TemporaryFolder&) = delete;
    ~TemporaryFolder() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    [[nodiscard]] const std::filesystem::path& path() const { return path_; }

    /// Writes a file into the folder and returns its path.
    std::string write(const std::string& name, const std::string& content) const {
        const std::filesystem::path file = path_ / name;
        std::ofstream{file, std::ios::binary} << content;
        return file.string();
    }

 private:
    std::filesystem::path path_;
};

inline std::string content_of(const std::filesystem::path& file) {
    std::ifstream in{file, std::ios::binary};
    return {std::istreambuf_iterator<char>{in}, {}};
}

struct ProgramResult {
    int status = -1;  ///< exit status; 128 + signal if it was killed
    std::string out;
    std::string err;
};

/// A program that was started and is still to be waited for.
class RunningProgram {
 public:
    explicit RunningProgram(std::vector<std::string> arguments) {
        std::vector<char*> argv;
        for (auto& a : arguments) argv.push_back(a.data());
        argv.push_back(nullptr);
        posix_spawn_file_actions_t actions;
        posix_spawn_file_actions_init(&actions);
        posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
        posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, out_file().c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
        posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, err_file().c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
        if (::posix_spawn(&pid_, argv[0], &actions, nullptr, argv.data(), environ) != 0) pid_ = -1;
        posix_spawn_file_actions_destroy(&actions);
    }
    [[nodiscard]] pid_t pid() const { return pid_; }
    ProgramResult wait() {
        ProgramResult result;
        int status = 0;
        if (pid_ > 0) {
            while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
            }
            result.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
        }
        result.out = content_of(out_file());
        result.err = content_of(err_file());
        return result;
    }

 private:
    [[nodiscard]] std::string out_file() const { return (folder_.path() / "out").string(); }
    [[nodiscard]] std::string err_file() const { return (folder_.path() / "err").string(); }
    TemporaryFolder folder_;
    pid_t pid_ = -1;
};

/// Runs the built `entrain` with these arguments.
inline ProgramResult entrain(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), std::string{ENTRAIN_BINARY_DIR} + "/entrain");
    return RunningProgram{std::move(arguments)}.wait();
}

inline std::string source_file(const std::string& relative) { return std::string{ENTRAIN_SOURCE_DIR} + "/" + relative; }

}  // namespace entrain::test
