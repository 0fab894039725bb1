#include <gmock/gmock.h>
#include <unistd.h>

#include <filesystem>
#include <string>
#include <vector>

#include "engines/ngspice/worker_client.hpp"
#include "support/circuit.hpp"
#include "support/processes.hpp"
#include "support/program.hpp"

namespace entrain::engines::ngspice {
namespace {

using ::testing::AnyOf;
using ::testing::Each;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::IsSupersetOf;
using ::testing::Not;
using Lines = std::vector<std::string>;

/// Text that makes ngspice run, write or read something, and how the simulation of it ends in a worker.
struct Path {
    std::string name;
    Lines elements;
    std::string category;
    bool proven = true;  ///< plain ngspice leaves the file or the process that the path is about: the test sees what it looks for
    std::string title = "* test";
};

constexpr bool harmless_in_plain_ngspice = false;
const std::string marker = "61.3141592";  // [s] to sleep; found in the command line of a process that should not be

/// Folder with a name in lower case, to which ngspice turns most of a netlist.
class Target {
 public:
    Target() {
        std::filesystem::create_directory(path_);
        file("secret", "* sesame\nsesame opens\n.subckt sesame a\n.ends\n");
        file("evil", "*# shell touch " + made() + "\n.control\nshell touch " + made() + "\n.endc\n");
        file("recursive", ".include " + name("recursive") + "\n");
    }
    ~Target() { std::filesystem::remove_all(path_); }
    Target(const Target&) = delete;
    Target& operator=(const Target&) = delete;
    [[nodiscard]] std::string name(const std::string& file) const { return (path_ / file).string(); }
    [[nodiscard]] std::string made() const { return name("made"); }
    [[nodiscard]] const std::filesystem::path& path() const { return path_; }

    /// Names of the files that were not there before; they are removed.
    [[nodiscard]] Lines new_files() const {
        Lines names;
        for (const auto& entry : std::filesystem::directory_iterator{path_}) names.push_back(entry.path().filename().string());
        std::erase_if(names, [&](const std::string& n) { return std::ranges::find(own_, n) != own_.end(); });
        for (const std::string& n : names) std::filesystem::remove_all(path_ / n);
        return names;
    }

 private:
    void file(const std::string& file, const std::string& content) {
        std::ofstream{path_ / file} << content;
        own_.push_back(file);
    }
    std::filesystem::path path_ = std::filesystem::temp_directory_path() / ("entrain-target-" + std::to_string(::getpid()));
    Lines own_;
};

Lines control(const Lines& commands) {
    Lines lines = {".control"};
    lines.insert(lines.end(), commands.begin(), commands.end());
    lines.insert(lines.end(), {".endc", "r0 out 0 1"});
    return lines;
}

std::vector<Path> all_paths(const Target& target) {
    const std::string made = target.made();
    const std::string touch = "touch " + made;
    const std::string code_models = "/usr/lib/x86_64-linux-gnu/ngspice/analog.cm";
    // What asks for a program ends with the worker, what asks for a file is refused and goes on.
    return {
        {"shell", control({"shell " + touch}), "crash"},
        {"sleep", control({"shell sleep " + marker + " &"}), "crash", harmless_in_plain_ngspice},
        {"backtick", control({"echo `" + touch + "`"}), "crash"},
        {"backtick in set", control({"set x = `" + touch + "`"}), "crash"},
        {"semicolon", control({"echo a ; shell " + touch}), "ok", harmless_in_plain_ngspice},
        {"alias", control({"alias x shell", "x " + touch}), "crash"},
        {"redirection", control({"echo a > " + made}), "ok"},
        {"appending", control({"echo a >> " + made}), "ok"},
        {"print to a file", control({"run", "print v(out) > " + made}), "ok"},
        {"write", control({"run", "write " + made + " v(out)"}), "ok"},
        {"wrdata", control({"run", "wrdata " + made + " v(out)"}), "ok"},
        {"wrnodev", control({"run", "wrnodev " + made}), "ok"},
        {"snsave", control({"snsave " + made}), "parse"},
        {"cd", control({"cd " + target.path().string(), "shell touch made"}), "crash"},
        {"source", control({"source " + target.name("evil")}), "exit", harmless_in_plain_ngspice},
        {"load", control({"load " + target.name("secret")}), "ok", harmless_in_plain_ngspice},
        {"codemodel", control({"codemodel " + code_models, "shell " + touch}), "crash"},
        {"pre_codemodel", control({"pre_codemodel " + code_models}), "parse", harmless_in_plain_ngspice},
        {"pre_shell", control({"pre_shell " + touch}), "crash"},
        {"upper case", {".CONTROL", "SHELL " + touch, ".ENDC", "r0 out 0 1"}, "crash"},
        {"leading blanks", {"   .control", "\t shell " + touch, "  .endc", "r0 out 0 1"}, "crash"},
        {"longer word", {".controlling", "shell " + touch, ".endc", "r0 out 0 1"}, "crash"},
        {"inside .if", {".if (0)", ".control", "shell " + touch, ".endc", ".endif", "r0 out 0 1"}, "crash"},
        {"inside .subckt", {".subckt s a", "r1 a 0 1", ".control", "shell " + touch, ".endc", ".ends", "x0 out s"}, "crash"},
        {"continuation", {".con", "+trol", "shell " + touch, ".endc", "r0 out 0 1"}, "parse", harmless_in_plain_ngspice},
        {"command in a comment", {"*# shell " + touch, "r0 out 0 1"}, "crash"},
        {"command in an indented comment", {" \t *# shell " + touch, "r0 out 0 1"}, "crash"},
        {"script", {"shell " + touch}, "crash", harmless_in_plain_ngspice, "*ng_script"},
        {"script with parameters", {"shell " + touch}, "crash", harmless_in_plain_ngspice, "*ng_script_with_params"},
        {"included commands", {".include " + target.name("evil"), "r0 out 0 1"}, "parse"},
        {"included commands, short", {".inc " + target.name("evil"), "r0 out 0 1"}, "parse"},
        {"included from above", {".include ../../../../../../.." + target.name("evil"), "r0 out 0 1"}, "parse"},
        {"library of commands", {".lib " + target.name("evil") + " tt", "r0 out 0 1"}, "exit", harmless_in_plain_ngspice},
        {"include that is a pipe", {".include |" + touch, "r0 out 0 1"}, "parse", harmless_in_plain_ngspice},
        {"backtick in a parameter", {".param a=`" + touch + "`", "r0 out 0 1"}, "exit", harmless_in_plain_ngspice},
        {"backtick in a behavioural source", {"b0 out 0 v=`" + touch + "`", "r0 out 0 1"}, "exit", harmless_in_plain_ngspice},
        {"recursive include", {".include " + target.name("recursive"), "r0 out 0 1"}, "parse", harmless_in_plain_ngspice},
        // Code models are not loaded in a worker, so their file readers do not exist there.
        {"filesource",
         {".model f filesource (file=\"" + target.name("secret") + "\")", "a0 %v([out]) f", "r0 out 0 1"},
         "parse",
         harmless_in_plain_ngspice},
        {"d_source",
         {".model d d_source (input_file=\"" + target.name("secret") + "\")", "a0 [x] d", "r0 out 0 1"},
         "parse",
         harmless_in_plain_ngspice},
        // OpenMP would start threads.
        {"threads",
         [] {
             Lines lines = {".control", "set num_threads=4", ".endc", ".model n nmos level=14 version=4.8.1", "v0 out 0 1"};
             for (int k = 0; k < 64; ++k) lines.push_back("m" + std::to_string(k) + " out out 0 0 n w=1u l=0.1u");
             return lines;
         }(),
         "crash", harmless_in_plain_ngspice},
    };
}

Load load_of(const Path& path) {
    Load load = testing::circuit(path.elements, "out", 20);
    load.lines.front() = path.title;
    return load;
}

TEST(ExecutionPaths, WriteNoFileAndStartNoProcessInAWorker) {
    const Target target;
    for (const Path& path : all_paths(target)) {
        Worker worker;
        const Status status = testing::ending(worker, load_of(path), std::chrono::seconds{30});
        EXPECT_EQ(status.category, path.category) << path.name << ": " << status.message;
        EXPECT_THAT(target.new_files(), IsEmpty()) << path.name;
        EXPECT_THAT(test::processes_with(marker), IsEmpty()) << path.name;
        for (const pid_t child : test::children(::getpid())) EXPECT_THAT(test::children(child), IsEmpty()) << path.name;
    }
}

TEST(ExecutionPaths, AreReal) {
    // The same text in the ngspice command does what the test above finds undone.
    const Target target;
    for (const Path& path : all_paths(target)) {
        if (!path.proven) continue;
        std::string text;
        for (const std::string& line : load_of(path).lines)
            if (line != ".save none") text += line + "\n";
        const test::TemporaryFolder folder;
        const std::string deck = folder.write("deck.cir", text);
        static_cast<void>(test::RunningProgram{{"/usr/bin/env", "-C", folder.path().string(), "ngspice", "-b", deck}}.wait());
        EXPECT_THAT(target.new_files(), Not(IsEmpty())) << path.name;
    }
}

TEST(ExecutionPaths, BringNoFileContentIntoAMessage) {
    // ngspice repeats the first line that it does not understand.
    const Target target;
    for (const Lines& elements :
         {Lines{".include " + target.name("secret"), "r0 out 0 1"}, Lines{".lib " + target.name("secret") + " tt", "r0 out 0 1"},
          control({"source " + target.name("secret")}), control({"load " + target.name("secret")}),
          Lines{"x0 out sesame", ".include " + target.name("secret"), "r0 out 0 1"}}) {
        Worker worker;
        const Status status = testing::ending(worker, testing::circuit(elements, "out", 20));
        EXPECT_THAT(status.message, Not(HasSubstr("opens"))) << elements[0];
    }
}

TEST(ExecutionPaths, StartFilesOfTheUserAreNotRead) {
    // The worker is started in a folder of its own, whatever folder and home its parent has.
    const Target target;
    const test::TemporaryFolder home;
    home.write(".spiceinit", "shell " + ("touch " + target.made()) + "\n");
    const std::filesystem::path before = std::filesystem::current_path();
    std::filesystem::current_path(home.path());
    ::setenv("HOME", home.path().c_str(), 1);
    {
        Worker worker;
        EXPECT_EQ(testing::ending(worker, testing::circuit({"r0 out 0 1"}, "out", 20)).category, "ok");
    }
    std::filesystem::current_path(before);
    EXPECT_THAT(target.new_files(), IsEmpty());
}

TEST(ExecutionPaths, CompatibilityModeIsNoCommand) {
    const Target target;
    for (const std::string& behavior : {"; shell touch " + target.made(), "`touch " + target.made() + "`", std::string{"ps > x"}, std::string{"ps "},
                                        std::string{"PS"}, std::string{"mc"}}) {
        Worker worker;
        Load load = testing::circuit({"r0 out 0 1"}, "out", 20);
        load.behavior = behavior;
        const Status status = worker.load(load, testing::patience());
        EXPECT_EQ(status.category, "parse") << behavior;
        EXPECT_THAT(status.message, HasSubstr("is no combination of")) << behavior;
    }
    EXPECT_THAT(target.new_files(), IsEmpty());
}

}  // namespace
}  // namespace entrain::engines::ngspice
