#pragma once
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.hpp"

namespace entrain::spice {

// Netlists from users are read by whitelist: a card passes because it is known to be harmless, never because nothing bad was found in it. ngspice
// runs commands from control sections, comments and titles when it reads a netlist, opens any file that a card names, and ends on an undefined
// parameter.

/// A logical card of a foreign netlist: continuations joined, comments dropped, lower case, single blanks, no file names in it.
struct Card {
    std::string text;
    Location where;
};

struct SourceFile {
    std::filesystem::path path;
    std::string sha256;
};

/// Cards of a foreign file that was read and found harmless: nothing in `cards` opens a file, runs a command, or makes the simulator recurse or exit.
/// Outside subcircuits there are only .param, .func and .model cards.
struct Library {
    std::vector<Card> cards;        ///< includes and sections resolved, in reading order; subcircuits balanced
    std::vector<SourceFile> files;  ///< every file that was opened, absolute, in the order of opening
    double scale = 1.0;             ///< `.options scale`: factor of device dimensions; not among the cards
};

/// Where files named by a netlist may lie: below the folder of the file that is read first, or below `pdk_root` if it is not empty. Relative names
/// are looked for beside the file that names them, then below pdk_root.
struct Access {
    std::filesystem::path pdk_root;
};

/// Reads `file`, or its `.lib <section>` part if section is not empty. The first line is a card or a comment like any other; `.end` ends a file.
/// UserError with file:line of every mistake (at most 20).
[[nodiscard]] Library read_library(const std::filesystem::path& file, const std::string& section, const Access& access);

/// Like read_library() for a text that opens no file.
[[nodiscard]] Library read_text(std::string_view text, const std::string& name);

struct SubcircuitParameter {
    std::string name;
    std::string value;  ///< text of its default
};

struct Subcircuit {
    std::string name;
    std::vector<std::string> pins;
    std::vector<SubcircuitParameter> parameters;
    Location where;
};

/// Top-level subcircuits in the order of the file.
[[nodiscard]] std::vector<Subcircuit> subcircuits(const Library& library);

/// Text of the cards of `cell` and of those cards of `models` that it needs, by name and transitively (subcircuits, models with all their bins,
/// parameters, functions): one card per line, ready to be sent to the simulator; `models` come first, so that a parameter of the cell replaces one of
/// theirs. Names are looked up in the subcircuit that uses them, then in those that enclose its definition, then at the top. If `subcircuit` is not
/// empty, only it and what it needs are kept of `cell` too. UserError at every card that names something which is nowhere defined, or that is defined
/// twice.
[[nodiscard]] std::string linked(const Library& cell, const std::vector<Library>& models, std::string_view subcircuit = {});

/// Whether one logical card may be sent to the simulator; "" or what is wrong with it. The same rule read_library() applies.
[[nodiscard]] std::string refusal(std::string_view card);

}  // namespace entrain::spice
