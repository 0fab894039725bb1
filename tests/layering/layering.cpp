#include "layering/layering.hpp"

#include <algorithm>
#include <array>
#include <fstream>
#include <map>
#include <regex>
#include <sstream>
#include <stdexcept>

namespace entrain::layering {
namespace {

namespace fs = std::filesystem;

/// A third-party header, by the beginning of its name.
struct Library {
    std::string_view prefix;
    std::string_view name;  ///< in USES
    std::string_view home;  ///< the only module that may include it; "" = any
};

// The worker's folder is a program of its own: the only one that links libngspice, whose failures poison the process, and that filters system calls.
constexpr std::string_view worker = "engines/ngspice/worker";
constexpr std::string_view worker_module = "engines/ngspice";

// The first row that matches counts.
constexpr std::array<Library, 15> libraries = {{{"Eigen/", "eigen", ""},
                                                {"fmt/", "fmt", ""},
                                                {"yaml-cpp/", "yaml_cpp", "config"},
                                                {"nlohmann/", "json", "io"},
                                                {"hdf5.h", "hdf5", "io"},
                                                {"hdf5_hl.h", "hdf5", "io"},
                                                {"H5", "hdf5", "io"},
                                                {"zip.h", "libzip", "io"},
                                                {"CLI/", "cli11", "cli"},
                                                {"boost/numeric/odeint", "boost", "engines/phase"},
                                                {"boost/", "boost", ""},
                                                {"openssl/", "openssl", "core"},
                                                {"Random123/", "random123", "core"},
                                                {"ngspice/", "ngspice", worker},
                                                {"seccomp.h", "seccomp", worker}}};

// Uses without a header of their own.
const std::set<std::string> linked_only = {"threads"};

const std::set<std::string> plugin_kinds = {"substrates", "mechanisms", "engines"};
const std::set<std::string> catalogue_users = {"study", "cli"};  // the stages in between are handed what they work on

// Headers of POSIX, Linux and the compiler; what is not in this list and not above is a library that nobody declared.
const std::set<std::string, std::less<>> system_headers = {
    "dirent.h", "dlfcn.h", "errno.h", "fcntl.h",  "limits.h", "locale.h", "poll.h",     "pthread.h",  "pwd.h",      "sched.h",
    "signal.h", "spawn.h", "stdio.h", "stdlib.h", "string.h", "syslog.h", "termios.h",  "time.h",     "ucontext.h", "unistd.h",
    "wait.h",   "fenv.h",  "link.h",  "elf.h",    "getopt.h", "glob.h",   "execinfo.h", "immintrin.h"};

bool system_header(std::string_view header) {
    if (header.starts_with("sys/") || header.starts_with("linux/") || header.starts_with("gnu/")) return true;
    // The C++ library's headers have neither folder nor extension.
    return header.find_first_of("/.") == std::string_view::npos || system_headers.contains(header);
}

const Library* library_of(std::string_view header) {
    const auto* const found = std::ranges::find_if(libraries, [&](const Library& l) { return header.starts_with(l.prefix); });
    return found == libraries.end() ? nullptr : found;
}

/// "engines" of "engines/phase"; "" for a module that is not below a kind of plug-in.
std::string kind_of(const std::string& name) {
    const std::string first = name.substr(0, name.find('/'));
    return plugin_kinds.contains(first) ? first : "";
}

bool is_catalogue(const std::string& name) { return name.ends_with("/catalogue"); }
bool is_plugin(const std::string& name) { return !kind_of(name).empty() && name.find('/') != std::string::npos && !is_catalogue(name); }

const Module* find(const std::vector<Module>& modules, std::string_view name) {
    const auto found = std::ranges::find(modules, name, &Module::name);
    return found == modules.end() ? nullptr : &*found;
}

/// The module that a path relative to src belongs to: the longest module name that is a folder of it.
const Module* owner(const std::vector<Module>& modules, const fs::path& relative) {
    for (fs::path folder = relative.parent_path(); !folder.empty(); folder = folder.parent_path())
        if (const Module* module = find(modules, folder.generic_string())) return module;
    return nullptr;
}

std::string read(const fs::path& path) {
    const std::ifstream file{path};
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
}

/// The sub-folders of `folder` that hold something; an empty folder is not known to git.
std::set<std::string> folders_in(const fs::path& folder) {
    std::set<std::string> names;
    if (!fs::is_directory(folder)) return names;
    for (const auto& entry : fs::directory_iterator{folder})
        if (entry.is_directory() && !fs::is_empty(entry.path())) names.insert(entry.path().filename().string());
    return names;
}

}  // namespace

std::vector<Module> read_layers(std::string_view text) {
    std::vector<Module> modules;
    std::istringstream lines{std::string{text}};
    for (std::string line; std::getline(lines, line);) {
        if (line.empty()) continue;
        const std::size_t colon = line.find(':');
        if (colon == std::string::npos) throw std::invalid_argument{"not a line 'module: uses': " + line};
        Module module{line.substr(0, colon), {}};
        std::istringstream uses{line.substr(colon + 1)};
        for (std::string use; uses >> use;) module.uses.insert(use);
        modules.push_back(std::move(module));
    }
    return modules;
}

std::vector<Include> includes_of(std::string_view source) {
    static const std::regex pattern{R"(^\s*#\s*include\s*([<"])([^>"]+)[>"])"};
    std::vector<Include> includes;
    std::istringstream lines{std::string{source}};
    int number = 0;
    for (std::string line; std::getline(lines, line);) {
        ++number;
        std::smatch match;
        if (std::regex_search(line, match, pattern)) includes.push_back({match[2], match[1] == "\"", number});
    }
    return includes;
}

std::vector<std::string> check_declarations(const std::vector<Module>& modules) {
    std::vector<std::string> problems;
    std::set<std::string> earlier;
    for (const Module& module : modules) {
        const auto complain = [&](const std::string& use, const std::string& why) { problems.push_back(module.name + " uses " + use + ": " + why); };
        for (const std::string& use : module.uses) {
            const bool library = linked_only.contains(use) || std::ranges::find(libraries, use, &Library::name) != libraries.end();
            if (library) continue;
            if (find(modules, use) == nullptr) {
                complain(use, "there is no such module or library");
                continue;
            }
            if (!earlier.contains(use)) complain(use, "it comes later in src/CMakeLists.txt");
            const std::string kind = kind_of(use);
            if (kind.empty()) continue;
            const bool own_catalogue = module.name == kind + "/catalogue";
            const bool own_part =
                module.name.starts_with(use + "/") || use.starts_with(module.name + "/");  // a plug-in may consist of several modules
            if (is_plugin(use) && !own_catalogue && !own_part)
                complain(use, "a plug-in is reached through its catalogue, or deleting its folder would break others");
            if (is_catalogue(use) && !catalogue_users.contains(module.name)) complain(use, "only study and cli choose plug-ins");
            if (!kind_of(module.name).empty() && kind_of(module.name) != kind) complain(use, "kinds of plug-ins do not know each other");
        }
        earlier.insert(module.name);
    }
    return problems;
}

std::vector<std::string> check_includes(const fs::path& src, const std::vector<Module>& modules) {
    std::vector<std::string> problems;
    std::map<std::string, std::set<std::string>> needed;  // by module: what its includes need of USES

    std::vector<fs::path> files;
    for (const auto& entry : fs::recursive_directory_iterator{src}) {
        const std::string extension = entry.path().extension().string();
        if (entry.is_regular_file() && (extension == ".cpp" || extension == ".hpp" || extension == ".c" || extension == ".h"))
            files.push_back(entry.path().lexically_relative(src));
    }
    std::ranges::sort(files);

    for (const fs::path& file : files) {
        const Module* module = owner(modules, file);
        if (module == nullptr) {
            problems.push_back(file.generic_string() + ": belongs to no module of layers.txt");
            continue;
        }
        const bool in_worker = module->name == worker_module && file.generic_string().starts_with(std::string{worker} + "/");
        const std::string home = in_worker ? std::string{worker} : module->name;
        for (const Include& include : includes_of(read(src / file))) {
            const auto complain = [&](const std::string& why) {
                problems.push_back(file.generic_string() + ":" + std::to_string(include.line) + ": includes " + include.header + ": " + why);
            };
            const auto need = [&](const std::string& use) {
                needed[module->name].insert(use);
                const bool granted_to_worker = in_worker && (use == "ngspice" || use == "seccomp");  // entrain-worker is an executable, not a module
                if (!module->uses.contains(use) && !granted_to_worker) complain(module->name + " does not declare USES " + use);
            };
            if (include.header.ends_with(".cpp")) {
                complain("a .cpp file is compiled, not included");
            } else if (!include.quoted) {
                if (const Library* library = library_of(include.header)) {
                    if (!library->home.empty() && library->home != home)
                        complain("the only home of " + std::string{library->prefix} + " is " + std::string{library->home});
                    need(std::string{library->name});
                } else if (!system_header(include.header)) {
                    complain("neither a header of the system nor of a library known to the layering test");
                }
            } else if (include.header.starts_with("catalogue/")) {
                need(fs::path{include.header}.stem().string() + "/catalogue");
            } else if (include.header.starts_with("embedded/")) {
                continue;  // generated for the module that asks for it
            } else if (!fs::is_regular_file(src / include.header)) {
                complain("there is no such file in src (paths start there)");
            } else if (const Module* other = owner(modules, include.header); other == nullptr) {
                complain("belongs to no module of layers.txt");
            } else if (other != module) {
                need(other->name);
            }
        }
    }

    for (const Module& module : modules) {
        if (is_catalogue(module.name)) continue;  // generated
        for (const std::string& use : module.uses)
            if (!linked_only.contains(use) && !needed[module.name].contains(use))
                problems.push_back(module.name + " declares USES " + use + ", but none of its #includes needs it");
    }
    return problems;
}

std::vector<std::string> check_trees(const fs::path& root) {
    std::set<std::string> sources;
    for (const std::string& name : folders_in(root / "src" / "substrates"))
        if (fs::exists(root / "src" / "substrates" / name / "CMakeLists.txt")) sources.insert(name);
    sources.erase("ideal");  // the textbook oscillator has neither circuit nor parameters
    std::set<std::string> models = folders_in(root / "models");
    for (const char* shared : {"devices", "energy", "attention"}) models.erase(shared);

    const std::map<std::string, std::set<std::string>> trees = {
        {"src/substrates", sources}, {"netlists", folders_in(root / "netlists")}, {"models", models}};
    std::set<std::string> all;
    for (const auto& [folder, names] : trees) all.insert(names.begin(), names.end());
    std::vector<std::string> problems;
    for (const std::string& name : all)
        for (const auto& [folder, names] : trees)
            if (!names.contains(name)) problems.push_back("substrate " + name + " has no folder in " + folder);
    return problems;
}

}  // namespace entrain::layering
