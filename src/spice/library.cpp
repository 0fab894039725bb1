#include "spice/library.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <map>
#include <memory>
#include <optional>
#include <system_error>
#include <utility>

#include "core/file.hpp"
#include "core/sha256.hpp"
#include "spice/card.hpp"
#include "spice/expression.hpp"
#include "spice/link.hpp"
#include "spice/mistakes.hpp"

namespace entrain::spice {
namespace {

namespace fs = std::filesystem;

constexpr std::uintmax_t largest_file = std::uintmax_t{1} << 30;  // foundry libraries with all their sections reach 100 MB
constexpr std::size_t most_bytes = std::size_t{256} << 20;        // of cards taken; one corner of such a library has some 10 MB
constexpr std::size_t most_cards = 1'000'000;                     // at 100 bytes each still below most_bytes
constexpr std::size_t deepest_include = 32;
constexpr std::size_t most_openings = 10'000;  // .include and .lib cards followed: two sections that take each other's parts twice grow as 2^depth
constexpr std::size_t deepest_subcircuit = 32;

std::string lower_case(std::string text) {
    for (char& c : text)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    return text;
}

/// First word of a card in lower case: up to a blank or a quote, since `.lib'file'` needs no blank.
std::string first_word(std::string_view card) { return lower_case(std::string{card.substr(0, card.find_first_of(" \t'\""))}); }

/// Words of a card that names a file, quotes taken off; empty if a quote is not closed.
std::optional<std::vector<std::string>> arguments(std::string_view card) {
    std::vector<std::string> out;
    std::size_t i = 0;
    while (i < card.size()) {
        const char c = card[i];
        if (c == ' ' || c == '\t') {
            ++i;
        } else if (c == '\'' || c == '"') {
            const std::size_t end = card.find(c, i + 1);
            if (end == std::string_view::npos) return std::nullopt;
            out.emplace_back(card.substr(i + 1, end - i - 1));
            i = end + 1;
        } else {
            const std::size_t end = std::min(card.find_first_of(" \t'\"", i), card.size());
            out.emplace_back(card.substr(i, end - i));
            i = end;
        }
    }
    return out;
}

/// A `.lib NAME ... .endl` part of a file.
struct Section {
    std::string name;
    int line = 0;           ///< of its .lib card
    std::size_t card = 0;   ///< offset of that card
    std::size_t begin = 0;  ///< offset and line of what follows it
    int begin_line = 0;
    std::size_t end = 0;    ///< offset of the .endl card
    std::size_t after = 0;  ///< offset and line of what follows that
    int after_line = 0;
};

struct Source {
    std::string shown;  ///< name in messages
    fs::path path;      ///< canonical
    std::string text;
    std::size_t end = 0;            ///< where the text ends or its .end card stands
    std::vector<Section> sections;  ///< in the order of their .lib cards
    std::map<std::string, std::size_t> by_name;
};

/// Finds the sections and the end of a text; only lines that begin with `.lib`, `.endl` or `.end` are looked at.
void find_sections(Source& source, Mistakes& mistakes) {
    const std::string_view text = source.text;
    std::vector<std::size_t> open;
    std::size_t position = 0;
    int line = 1;
    source.end = text.size();
    while (position < text.size()) {
        const std::size_t line_end = std::min(text.find('\n', position), text.size());
        std::size_t first = position;
        while (first < line_end && (text[first] == ' ' || text[first] == '\t')) ++first;
        const auto letter = [&](std::size_t k) { return first + k < line_end ? static_cast<char>(text[first + k] | 0x20) : '\0'; };
        const bool candidate = letter(0) == ('.' | 0x20) && ((letter(1) == 'l' && letter(2) == 'i' && letter(3) == 'b') ||
                                                             (letter(1) == 'e' && letter(2) == 'n' && letter(3) == 'd'));
        if (!candidate) {
            position = std::min(line_end + 1, text.size());
            ++line;
            continue;
        }
        CardReader reader{text, position, line};
        const std::optional<RawCard> card = reader.next();
        const std::string word = card ? first_word(card->text) : "";
        const Location where{source.shown, line};
        if (word == ".end") {
            source.end = position;
            break;
        }
        if (word == ".lib") {
            const auto words = arguments(card->text);
            if (words && words->size() == 2) {
                Section section{lower_case((*words)[1]), line, position, reader.position(), reader.line()};
                if (!source.by_name.emplace(section.name, source.sections.size()).second)
                    mistakes.add(where, fmt::format("section {} is defined twice in this file (expected one definition).", shown(section.name)));
                open.push_back(source.sections.size());
                source.sections.push_back(std::move(section));
            }
        } else if (word == ".endl") {
            const auto words = arguments(card->text);
            if (open.empty()) {
                mistakes.add(where, ".endl ends no section (expected .lib NAME before it).");
            } else {
                Section& section = source.sections[open.back()];
                open.pop_back();
                section.end = position;
                section.after = reader.position();
                section.after_line = reader.line();
                if (!words || words->size() > 2 || (words->size() == 2 && lower_case((*words)[1]) != section.name))
                    mistakes.add(where, fmt::format(".endl does not name the section it ends (expected .endl {}, opened in line {}).", section.name,
                                                    section.line));
            }
        }
        position = reader.position();
        line = reader.line();
    }
    for (const std::size_t k : open) {
        Section& section = source.sections[k];
        section.end = section.after = source.end;
        mistakes.add({source.shown, section.line}, fmt::format("section {} has no end (expected .endl {}).", shown(section.name), section.name));
    }
}

/// Value of a SPICE number with a unit suffix; nothing if it is none.
std::optional<double> spice_number(const std::string& text) {
    char* end = nullptr;
    if (text.find_first_not_of("0123456789+-.tgmekunpf") != std::string::npos) return std::nullopt;  // strtod reads hexadecimal digits, inf and nan
    const double value = std::strtod(text.c_str(), &end);
    if (end == text.c_str() || !std::isfinite(value)) return std::nullopt;
    const std::string suffix = end;
    static const std::map<std::string, double> factors = {{"", 1.0},   {"t", 1e12}, {"g", 1e9},  {"meg", 1e6}, {"k", 1e3},
                                                          {"m", 1e-3}, {"u", 1e-6}, {"n", 1e-9}, {"p", 1e-12}, {"f", 1e-15}};
    const auto factor = factors.find(suffix);
    if (factor == factors.end()) return std::nullopt;
    return value * factor->second;
}

class Reader {
 public:
    explicit Reader(const Access& access) {
        if (access.pdk_root.empty()) return;
        std::error_code error;
        const fs::path root = fs::canonical(access.pdk_root, error);
        if (error) throw UserError{fmt::format("pdk_root {}: {} (expected a folder).", shown(access.pdk_root.string()), error.message())};
        pdk_root_ = root;
    }

    Library from_file(const fs::path& file, const std::string& section) {
        std::error_code error;
        const fs::path path = fs::canonical(file, error);
        if (error) throw UserError{Location{file.string()}, fmt::format("cannot be opened: {}.", error.message())};
        named_folder_ = file.parent_path();
        root_ = fs::canonical(named_folder_.empty() ? fs::path{"."} : named_folder_, error);
        const Source& source = open(path, file.string());
        take(source, lower_case(section), {file.string()}, root_);
        return finish();
    }

    Library from_text(std::string_view text, const std::string& name) {
        files_allowed_ = false;
        Source& source = add(name, name, std::string{text});
        take(source, "", {name}, {});
        return finish();
    }

 private:
    Library finish() {
        if (mistakes_.empty()) find_circles(library_.cards, mistakes_);
        mistakes_.throw_if_any();
        return std::move(library_);
    }

    Source& add(const fs::path& path, std::string name, std::string text) {
        auto source = std::make_unique<Source>();
        source->shown = std::move(name);
        source->path = path;
        source->text = with_plain_line_ends(std::move(text));
        find_sections(*source, mistakes_);
        return *(sources_[path] = std::move(source));
    }

    /// The file, read once however often it is named. UserError if it cannot be read.
    Source& open(const fs::path& path, const std::string& name) {
        if (const auto known = sources_.find(path); known != sources_.end()) return *known->second;
        std::string text = read_file(path, largest_file);
        opened_bytes_ += text.size();
        if (opened_bytes_ > largest_file)
            throw UserError{Location{name}, fmt::format("with this file, more than {} MB of files are opened (expected a device library).",
                                                        largest_file / 1'000'000)};
        library_.files.push_back({path, sha256(text)});
        return add(path, name, std::move(text));
    }

    static bool lies_below(const fs::path& path, const fs::path& folder) {
        if (folder.empty()) return false;
        return std::mismatch(folder.begin(), folder.end(), path.begin(), path.end()).first == folder.end();
    }

    /// Canonical path of a file that a card names, if netlists may open it; adds a mistake and returns nothing otherwise. Says nothing of files
    /// elsewhere, not even whether they exist.
    std::optional<fs::path> resolved(const std::string& name, const fs::path& folder, const Location& where) {
        const bool control =
            std::ranges::any_of(name, [](unsigned char c) { return c < 0x20; });  // a NUL would end the name for the operating system
        if (name.empty() || control || name.find_first_of("$`|") != std::string::npos || name.front() == '~' || name.size() > 4096) {
            mistakes_.add(where, fmt::format("{} is no file name (expected a path without variables; absolute ones below pdk_root).", shown(name)));
            return std::nullopt;
        }
        std::vector<fs::path> candidates = {folder / name};  // an absolute name replaces the folder
        if (!pdk_root_.empty()) candidates.push_back(pdk_root_ / name);
        bool outside = true;
        for (const fs::path& candidate : candidates) {
            std::error_code error;
            const fs::path path = fs::weakly_canonical(candidate, error);
            if (error || !(lies_below(path, root_) || lies_below(path, pdk_root_))) continue;
            outside = false;
            if (fs::is_regular_file(path, error)) return path;
        }
        if (outside)
            mistakes_.add(
                where,
                fmt::format(
                    "{} lies outside the folder of the netlist{} (files elsewhere are not opened). Copy it there, or name its folder as pdk_root.",
                    shown(name), pdk_root_.empty() ? "" : " and pdk_root"));
        else
            mistakes_.add(where, fmt::format("no regular file {} (expected one beside the file that names it{}).", shown(name),
                                             pdk_root_.empty() ? "" : " or below pdk_root"));
        return std::nullopt;
    }

    /// Name of a file in messages: as the user would write it.
    std::string shown_path(const fs::path& path) const {
        return lies_below(path, root_) ? (named_folder_ / path.lexically_relative(root_)).string() : path.string();
    }

    struct Step {
        const Source* source;
        std::string section;
    };

    void follow(const std::string& name, const std::string& section, const fs::path& folder, const Location& where) {
        if (!files_allowed_) return mistakes_.add(where, "a file is named at a place where none can be opened.");
        if (++openings_ > most_openings) {
            if (openings_ == most_openings + 1)
                mistakes_.add(where, fmt::format("more than {} files and sections are taken. Do sections take each other's parts again and again?",
                                                 most_openings));
            return;
        }
        const std::optional<fs::path> path = resolved(name, folder, where);
        if (!path) return;
        try {
            take(open(*path, shown_path(*path)), section, where, path->parent_path());
        } catch (const UserError& error) {
            mistakes_.add(where, fmt::format("{} cannot be read: {}.", shown(name), error.diagnostics().front().message));
        }
    }

    /// Takes the cards of a file outside its sections, or of one section.
    void take(const Source& source, const std::string& section, const Location& where, const fs::path& folder) {
        const auto same = [&](const Step& step) { return step.source == &source && step.section == section; };
        if (std::ranges::any_of(chain_, same)) {
            std::string chain;
            for (const Step& step : chain_) chain += label(step) + " -> ";
            return mistakes_.add(where, fmt::format("files include each other without end: {}{}.", chain, label({&source, section})));
        }
        if (chain_.size() >= deepest_include) return mistakes_.add(where, fmt::format("files are included more than {} deep.", deepest_include));
        chain_.push_back({&source, section});
        if (section.empty()) {
            read(source, 0, source.end, 1, folder);
            if (chain_.size() == 1 && library_.cards.empty() && mistakes_.empty())
                mistakes_.add(where, source.sections.empty()
                                         ? "holds no card (expected a netlist)."
                                         : fmt::format("holds sections only (expected the name of one: {}).", section_names(source)));
        } else if (const auto found = source.by_name.find(section); found != source.by_name.end()) {
            const Section& part = source.sections[found->second];
            read(source, part.begin, part.end, part.begin_line, folder);
        } else {
            std::vector<std::string> names;
            for (const Section& s : source.sections) names.push_back(s.name);
            mistakes_.add(where,
                          fmt::format("{} has no section {} (expected {}).{}", source.shown, shown(section),
                                      names.empty() ? "none: it has no sections" : "one of " + section_names(source), did_you_mean(section, names)));
        }
        chain_.pop_back();
    }

    static std::string label(const Step& step) { return step.section.empty() ? step.source->shown : step.source->shown + " (" + step.section + ")"; }

    static std::string section_names(const Source& source) {
        constexpr std::size_t most = 12;  // a message stays readable
        std::string names;
        for (std::size_t k = 0; k < std::min(source.sections.size(), most); ++k) names += (k > 0 ? ", " : "") + source.sections[k].name;
        return source.sections.size() > most ? fmt::format("{} and {} more", names, source.sections.size() - most) : names;
    }

    void read(const Source& source, std::size_t begin, std::size_t end, int line, const fs::path& folder) {
        const std::size_t enclosing = std::exchange(opened_elsewhere_, subcircuits_.size());
        CardReader reader{std::string_view{source.text}.substr(0, end), begin, line};
        while (std::optional<RawCard> raw = reader.next()) {
            const Location where{source.shown, raw->line};
            if (!raw->problem.empty()) {
                mistakes_.add(where, raw->problem + ".");
                continue;
            }
            const std::string word = raw->text.front() == '.' ? first_word(raw->text) : "";
            if (word == ".include" || word == ".inc" || word == ".lib") {
                const auto found = arguments(raw->text);
                if (word == ".lib" && found && found->size() == 2) {
                    const auto section = std::ranges::lower_bound(source.sections, raw->begin, {}, &Section::card);
                    reader = CardReader{std::string_view{source.text}.substr(0, end), section->after, section->after_line};
                } else if (!found || found->size() != (word == ".lib" ? 3U : 2U)) {
                    mistakes_.add(where, fmt::format("{} is incomplete or has too many words (expected {}).", word,
                                                     word == ".lib" ? ".lib 'FILE' SECTION" : word + " 'FILE'"));
                } else {
                    follow((*found)[1], word == ".lib" ? lower_case((*found)[2]) : "", folder, where);
                }
                continue;
            }
            if (word == ".endl") continue;  // find_sections() told of it
            std::string card = canonical(raw->text);
            if (word == ".options" || word == ".option") {
                take_options(card, where);
                continue;
            }
            keep(std::move(card), where);
            if (library_.cards.size() > most_cards || bytes_ > most_bytes) {
                if (!full_)
                    mistakes_.add(
                        where, fmt::format("more than {} cards or {} MB are taken. Choose a section of the library.", most_cards, most_bytes >> 20));
                full_ = true;
                break;
            }
        }
        while (subcircuits_.size() > opened_elsewhere_) {
            const Open& open = subcircuits_.back();
            mistakes_.add(open.where, fmt::format("subcircuit {} has no end (expected .ends {} in the same file).", shown(open.name), open.name));
            subcircuits_.pop_back();
        }
        opened_elsewhere_ = enclosing;
    }

    void take_options(const std::string& card, const Location& where) {
        const Parts taken = parts(card);
        const auto settings = words(taken.head);
        for (std::size_t k = 1; k < settings.size(); ++k)
            mistakes_.add(where, fmt::format("option {} is refused (the engine sets its own options). Leave it out.", shown(settings[k])));
        for (const Assignment& option : taken.assignments) {
            if (option.key != "scale") {
                mistakes_.add(where,
                              fmt::format("option {} is refused (the engine sets its own options; only scale is taken from a file). Leave it out.",
                                          shown(option.key)));
                continue;
            }
            const std::optional<double> scale = spice_number(std::string{option.value});
            if (!scale || *scale <= 0.0)
                mistakes_.add(where, fmt::format("scale is {} (expected a positive number).", shown(option.value)));
            else if (scaled_at_ && *scale != library_.scale)
                mistakes_.add(where, fmt::format("scale is {} here and {} in {}:{} (expected one value).", *scale, library_.scale, scaled_at_->file,
                                                 scaled_at_->line));
            else
                library_.scale = *scale;
            if (!scaled_at_) scaled_at_ = where;
        }
    }

    void keep(std::string card, const Location& where) {
        if (const std::string problem = refusal_of_canonical(card); !problem.empty()) return mistakes_.add(where, problem + ".");
        const std::string_view word = std::string_view{card}.substr(0, card.find(' '));
        if (word == ".subckt") {
            const auto found = connection_words(parts(card).head);
            if (found.size() < 2) return mistakes_.add(where, ".subckt has no name (expected .subckt NAME PINS).");
            if (subcircuits_.size() >= deepest_subcircuit)
                mistakes_.add(where, fmt::format("subcircuits are nested more than {} deep.", deepest_subcircuit));
            subcircuits_.push_back({std::string{found[1]}, where});
        } else if (word == ".ends") {
            const auto found = words(card);
            if (subcircuits_.size() <= opened_elsewhere_)
                return mistakes_.add(where, ".ends ends no subcircuit (expected .subckt before it in the same file).");
            const Open open = subcircuits_.back();
            subcircuits_.pop_back();
            if (found.size() > 2 || (found.size() == 2 && found[1] != open.name))
                return mistakes_.add(where, fmt::format(".ends names another subcircuit than the one it ends (expected .ends {}, opened in line {}).",
                                                        open.name, open.where.line));
        } else if (subcircuits_.empty() && word != ".param" && word != ".func" && word != ".model") {
            return mistakes_.add(
                where, fmt::format("{} stands outside a subcircuit (a cell is used once for each oscillator). Put it between .subckt and .ends.",
                                   shown(word)));
        }
        bytes_ += card.size();
        library_.cards.push_back({std::move(card), where});
    }

    struct Open {
        std::string name;
        Location where;
    };

    Library library_;
    Mistakes mistakes_;
    std::map<fs::path, std::unique_ptr<Source>> sources_;
    std::vector<Step> chain_;
    std::vector<Open> subcircuits_;
    std::optional<Location> scaled_at_;
    fs::path named_folder_;
    fs::path root_;
    fs::path pdk_root_;
    std::size_t openings_ = 0;
    std::size_t opened_elsewhere_ = 0;  ///< subcircuits that are open where the file being read is included
    std::size_t bytes_ = 0;
    std::size_t opened_bytes_ = 0;
    bool files_allowed_ = true;
    bool full_ = false;
};

}  // namespace

Library read_library(const fs::path& file, const std::string& section, const Access& access) { return Reader{access}.from_file(file, section); }

Library read_text(std::string_view text, const std::string& name) { return Reader{Access{}}.from_text(text, name); }

}  // namespace entrain::spice
