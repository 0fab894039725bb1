#pragma once
#include <filesystem>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace entrain::layering {

/// A module as its CMakeLists.txt declares it: `entrain_module(readout ... USES core problem)`.
struct Module {
    std::string name;            ///< "readout", "engines/phase", "engines/catalogue"
    std::set<std::string> uses;  ///< modules and short names of third-party libraries
};

/// Reads generated/layers.txt: a line `name: uses` for each module, bottom to top.
[[nodiscard]] std::vector<Module> read_layers(std::string_view text);

/// One #include of a source text.
struct Include {
    std::string header;
    bool quoted = false;  ///< "header", not <header>
    int line = 0;
};
[[nodiscard]] std::vector<Include> includes_of(std::string_view source);

/// What is wrong with the declarations themselves, one sentence each: a name that is neither module nor library, a use of a module that comes later,
/// a plug-in used by anything but its catalogue, a kind of plug-in that knows another kind, a catalogue used outside study and cli.
[[nodiscard]] std::vector<std::string> check_declarations(const std::vector<Module>& modules);

/// What is wrong with the #includes under `src`, one sentence each: a header of a module or library that is not declared, a library outside its home,
/// a header that is not known here, an included .cpp, a file of no module, a declared use that no #include needs.
[[nodiscard]] std::vector<std::string> check_includes(const std::filesystem::path& src, const std::vector<Module>& modules);

/// Substrates whose folder is missing in one of src/substrates, netlists and models under `root`, one sentence each.
[[nodiscard]] std::vector<std::string> check_trees(const std::filesystem::path& root);

}  // namespace entrain::layering
