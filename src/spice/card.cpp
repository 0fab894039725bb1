#include "spice/card.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "core/error.hpp"
#include "spice/expression.hpp"
#include "spice/library.hpp"

namespace entrain::spice {
namespace {

constexpr std::size_t longest_line = 64 << 10;      // netlisters fold at some 100 characters; a longer line is no netlist
constexpr std::size_t longest_card = 1 << 20;       // a large foundry model card has 100 kB
constexpr std::size_t longest_expression = 10'000;  // ngspice takes 0.1 s for 10,000 terms and hangs at 90,000
constexpr std::size_t deepest_nesting = 200;        // of parentheses; ngspice's parsers recurse
constexpr std::size_t most_corners = 1000;          // of a PWL source: each is a breakpoint and is searched linearly, 10,000 slow a run by 50

bool is_blank(char c) { return c == ' ' || c == '\t'; }
char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

/// Whether the line names a file, in whose quoted name ';' and '//' are no comments.
bool names_a_file(std::string_view line) {
    const auto is = [&](std::string_view word) {
        return line.size() > word.size() && std::ranges::equal(line.substr(0, word.size()), word, {}, lower);
    };
    return is(".inc") || is(".lib");
}

/// Length of the line before its trailing comment.
std::size_t before_comment(std::string_view line) {
    const bool quotes_count = names_a_file(line);
    char quote = '\0';
    for (std::size_t i = 0; i < line.size(); ++i) {
        const char c = line[i];
        if (quotes_count && (c == '\'' || c == '"')) quote = quote == c ? '\0' : quote == '\0' ? c : quote;
        if (quote != '\0') continue;
        if (c == ';') return i;
        if (c == '/' && i + 1 < line.size() && line[i + 1] == '/') return i;
        if (c == '$' && (i == 0 || is_blank(line[i - 1]) || line[i - 1] == ',')) return i;
    }
    return line.size();
}

std::string_view trimmed(std::string_view text) {
    while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
    while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
    return text;
}

/// Whether the word stands in the card, not as part of a longer one.
bool has_word(std::string_view card, std::string_view word) {
    for (std::size_t at = card.find(word); at != std::string_view::npos; at = card.find(word, at + 1)) {
        const std::size_t end = at + word.size();
        if ((at == 0 || !is_name_character(card[at - 1])) && (end == card.size() || !is_name_character(card[end]))) return true;
    }
    return false;
}

/// Characters of a canonical card.
constexpr std::array<char, 256> allowed = [] {
    std::array<char, 256> table{};
    for (const char c : std::string_view{"abcdefghijklmnopqrstuvwxyz0123456789 _.+-*/^%(){}[]',=<>&|!~?:#"}) table[static_cast<unsigned char>(c)] = 1;
    return table;
}();

std::string bad_character(std::string_view card) {
    for (const char c : card) {
        const auto byte = static_cast<unsigned char>(c);
        if (allowed[byte] != 0) continue;
        if (c == '"') return "double quotes hold strings, which cards need for file names only (expected '...' or {...} around an expression)";
        if (c == '`') return "a backtick can run a command (expected no such character)";
        return fmt::format("the character {} has no place in a card (expected printable ASCII other than ` $ ; @ \\ \")",
                           byte > 0x20 && byte < 0x7F ? fmt::format("'{}'", c) : fmt::format("0x{:02x}", byte));
    }
    if (card.find("*#") != std::string_view::npos || card.find("//") != std::string_view::npos) return "'*#' and '//' have no place in a card";
    return "";
}

/// What is wrong with the brackets and quotes of the card.
std::string imbalance(std::string_view card) {
    std::string open;
    std::size_t begin = 0;
    for (std::size_t i = 0; i < card.size(); ++i) {
        const char c = card[i];
        const bool closes_quote = c == '\'' && !open.empty() && open.find('\'') != std::string::npos;
        const bool is_expression = c == '{' || c == '\'';
        if (c == '(' || c == '{' || c == '[' || (c == '\'' && !closes_quote)) {
            if (open.empty() || (is_expression && open.find_first_of("{'") == std::string::npos)) begin = i;
            open += c;
            if (open.size() > deepest_nesting) return fmt::format("brackets are nested more than {} deep", deepest_nesting);
        } else if (c == ')' || c == '}' || c == ']' || closes_quote) {
            const char expected = c == ')' ? '(' : c == '}' ? '{' : c == ']' ? '[' : '\'';
            if (open.empty() || open.back() != expected)
                return fmt::format("{} closes what was not opened (expected balanced brackets)", shown({&c, 1}));
            open.pop_back();
            if ((c == '}' || closes_quote) && i - begin > longest_expression)
                return fmt::format("an expression has {} characters (expected at most {}). Name parts of it with .param", i - begin,
                                   longest_expression);
        }
    }
    if (!open.empty()) return fmt::format("{} is not closed (expected balanced brackets and quotes)", shown({&open.back(), 1}));
    return "";
}

constexpr std::string_view fixed_step = "it chooses time points of its own, and the engine's step is fixed";

/// Why cards that begin with this letter are refused; "" if they are not.
std::string_view refused_element(char letter) {
    switch (letter) {
        case 'r':
        case 'c':
        case 'l':
        case 'k':
        case 'v':
        case 'i':
        case 'b':
        case 'g':
        case 'e':
        case 'f':
        case 'h':
        case 'd':
        case 'm':
        case 'q':
        case 'j':
        case 'x':
            return "";
        case 'a':
            return "a code model can open files and load code";
        case 'n':
            return "a compiled Verilog-A model is code that the simulator would load";
        case 's':
        case 'w':
            return "a switch turns at a time point, which rounds the period to whole steps; write a smooth B source with tanh";
        case 't':
        case 'o':
        case 'y':
        case 'p':
        case 'u':
            return fixed_step;
        case 'z':
            return "MESFETs are not supported";
        default:
            return "no element begins like this";
    }
}

/// Why a dot card is refused; "" if it is not.
std::string refused_command(std::string_view word) {
    constexpr std::array<std::string_view, 7> harmless = {".param", ".func", ".model", ".subckt", ".ends", ".ic", ".nodeset"};
    constexpr std::array<std::string_view, 14> analyses = {".tran", ".op",    ".ac",    ".dc",   ".noise", ".tf",    ".pz",
                                                           ".sens", ".disto", ".print", ".plot", ".save",  ".probe", ".four"};
    if (std::ranges::find(harmless, word) != harmless.end()) return "";
    const auto reason = [&]() -> std::string_view {
        if (word.starts_with(".control") || word == ".endc") return "commands are not run; leave the control section out";
        if (word.starts_with(".inc") || word.starts_with(".lib") || word == ".endl") return "it stands at a place where no file can be opened";
        if (word == ".option" || word == ".options" || word == ".opt")
            return "the engine sets its own options; 'scale' is the only one taken from a file";
        if (word == ".temp") return "the engine sets the temperature";
        if (word == ".global") return "a global node would connect all cells of a netlist; make it a pin";
        if (word == ".if" || word == ".elseif" || word == ".else" || word == ".endif")
            return "the simulator accepts conditions that are wrong without a word; use sections of a .lib, or expressions";
        if (word == ".macro" || word == ".eom") return "write .subckt and .ends";
        if (word == ".csparam") return "it hands values to commands, which are not run";
        if (word.starts_with(".meas") || std::ranges::find(analyses, word) != analyses.end())
            return "the engine runs and measures by itself; leave it out";
        if (word == ".prot" || word == ".protect" || word == ".unprot") return "encrypted text cannot be read";
        if (word == ".end") return "it ends a file";
        return "only .param, .func, .model, .subckt, .ends, .ic, .nodeset, .include and .lib are known here";
    };
    return fmt::format("{} is refused ({})", shown(word), reason());
}

std::string refused_source(std::string_view card) {
    if (has_word(card, "external")) return "'external' is refused (its values would come from the engine, which does not know this source)";
    for (const std::string_view word : {"trnoise", "trrandom"})
        if (has_word(card, word)) return fmt::format("'{}' is refused (results would depend on how cells share a simulator)", word);
    const std::size_t pwl = card.find("pwl");
    if (pwl == std::string_view::npos) return "";
    std::size_t numbers = 0;
    bool within = false;
    for (const char c : card.substr(pwl + 3)) {
        const bool separates = c == ' ' || c == ',' || c == '(' || c == ')';
        if (!separates && !within) ++numbers;
        within = !separates;
    }
    if (numbers > 2 * most_corners)
        return fmt::format("a PWL source has {} corners (expected at most {}: each slows the run)", numbers / 2, most_corners);
    return "";
}

std::string refused_model(std::string_view card) {
    constexpr std::array<std::string_view, 20> types = {"c",   "d",    "l", "lpnp", "njf", "nmos", "npn", "nsoi",  "pjf",    "pmos",
                                                        "pnp", "psoi", "r", "res",  "ind", "cap",  "dio", "vdmos", "vdmosn", "vdmosp"};
    const auto found = words(card.substr(0, 4096));  // names are short
    if (found.size() < 3) return "a .model card names a model and its type (expected .model NAME TYPE)";
    const std::string_view type = found[2].substr(0, found[2].find('('));
    if (std::ranges::find(types, type) == types.end())
        return fmt::format("model type {} is refused (expected one of {})", shown(type), fmt::join(types, ", "));
    return "";
}

/// Whether the text is NAME, or NAME(ARGUMENTS).
bool is_signature(std::string_view text) {
    if (text.empty() || !is_letter(text.front())) return false;
    const std::size_t end = std::min(text.find('('), text.size());
    return std::ranges::all_of(text.substr(0, end), [](char c) { return is_letter(c) || is_digit(c); }) && (end == text.size() || text.back() == ')');
}

// ngspice 39 takes its own meaning of these names in expressions, without a word.
constexpr std::string_view taken_name = "{} has a meaning of its own in the simulator (expected another name)";

/// Whether a function of this signature is v() or i().
bool takes_nodes(std::string_view signature) {
    return signature.starts_with("v(") || signature.starts_with("v (") || signature.starts_with("i(") || signature.starts_with("i (");
}

std::string refused_function(std::string_view card) {
    const std::size_t open = card.find('(');
    const std::size_t close = card.find(')');
    if (card.size() > 6 && open != std::string_view::npos && close != std::string_view::npos && open < close && close + 1 < card.size() &&
        is_signature(trimmed(card.substr(6, open - 6)))) {
        const std::string_view name = card.substr(6);
        return takes_nodes(name) ? fmt::format(taken_name, shown(name.substr(0, 1))) : "";
    }
    return "a .func card is incomplete (expected .func NAME(ARGUMENTS) {EXPRESSION})";
}

std::string refused_assignment(std::string_view first, const Assignment& assignment) {
    const std::string_view key = assignment.key;
    const bool names_file = key == "file" || key.starts_with("file_") || key == "filename" || key.ends_with("_file") || key == "infile" ||
                            key == "outfile" || key == "rootfile";
    if (names_file) return fmt::format("{} would name a file (expected no such parameter)", shown(key));
    if (key.empty() || assignment.value.empty()) return "a '=' stands without a name or a value (expected NAME=VALUE)";
    if (assignment.value.size() > longest_expression && first != ".model")
        return fmt::format("a value has {} characters (expected at most {})", assignment.value.size(), longest_expression);
    if (first == ".param" || first == ".subckt") {
        if (!is_signature(key)) return fmt::format("{} is no name of a parameter (expected letters, digits and _)", shown(key));
        if (known_to_parameters(key) || key == "time" || key == "hertz" || takes_nodes(key)) return fmt::format(taken_name, shown(key));
    }
    const bool blank_ends_value = first == ".param" || first == ".subckt" || first.front() == 'x';
    if (blank_ends_value && !assignment.clean)
        return fmt::format("the value of {} has a blank or a comma outside braces, which ngspice reads as its end (expected {}={{...}})", shown(key),
                           key);
    return "";
}

}  // namespace

std::string with_plain_line_ends(std::string text) {
    if (text.starts_with("\xEF\xBB\xBF")) text.erase(0, 3);
    std::size_t to = text.find('\r');
    if (to == std::string::npos) return text;
    for (std::size_t from = to; from < text.size(); ++from) {
        if (text[from] == '\r' && from + 1 < text.size() && text[from + 1] == '\n') continue;
        text[to++] = text[from] == '\r' ? '\n' : text[from];
    }
    text.resize(to);
    return text;
}

std::optional<RawCard> CardReader::next() {
    std::optional<RawCard> card;
    while (position_ < text_.size()) {
        const std::size_t end = std::min(text_.find('\n', position_), text_.size());
        const std::string_view whole = text_.substr(position_, end - position_);
        std::string_view line = whole;
        while (!line.empty() && is_blank(line.front())) line.remove_prefix(1);
        if (!line.empty() && line.front() != '*') line = trimmed(line.substr(0, before_comment(line)));
        const bool comment = line.empty() || line.front() == '*';
        const bool continues = !comment && line.front() == '+';
        if (!comment && !continues && card) return card;
        if (!comment) {
            if (!card) card = RawCard{"", line_, position_, ""};
            if (continues && card->line == line_) card->problem = "a continuation line continues nothing (expected a card before '+')";
            if (whole.size() > longest_line)
                card->problem = fmt::format("the line has {} bytes (expected at most {}). Fold it with '+' lines", whole.size(), longest_line);
            if (card->text.size() + line.size() > longest_card) card->problem = fmt::format("the card has more than {} bytes", longest_card);
            if (card->problem.empty()) {
                if (continues) line = trimmed(line.substr(1));
                if (continues && !line.empty()) card->text += ' ';
                card->text += line;
            }
        }
        position_ = std::min(end + 1, text_.size());
        ++line_;
    }
    return card;
}

std::string canonical(std::string_view card) {
    card = trimmed(card);
    std::string out;
    out.reserve(card.size());
    for (std::size_t i = 0; i < card.size(); ++i) {
        if (!is_blank(card[i])) {
            out += lower(card[i]);
            continue;
        }
        while (is_blank(card[i + 1])) ++i;  // the last character is no blank
        if (card[i + 1] != '=' && out.back() != '=') out += ' ';
    }
    return out;
}

std::string refusal_of_canonical(std::string_view card) {
    if (card.size() > longest_card) return fmt::format("the card has {} bytes (expected at most {})", card.size(), longest_card);
    if (card.empty()) return "an empty card";
    const std::string_view first = card.substr(0, card.find_first_of(" ='("));
    if (card.front() == '.') {
        if (std::string problem = refused_command(first); !problem.empty()) return problem;
    } else if (!is_letter(card.front()) || card.front() == '_') {
        return fmt::format("{} begins no card (expected an element, a dot card, or '*' before a comment)", shown(card.substr(0, 1)));
    } else if (const std::string_view reason = refused_element(card.front()); !reason.empty()) {
        return fmt::format("the element {} is refused ({})", shown(first), reason);
    }
    if (std::string problem = bad_character(card); !problem.empty()) return problem;
    if (std::string problem = imbalance(card); !problem.empty()) return problem;
    if (first == ".model")
        if (std::string problem = refused_model(card); !problem.empty()) return problem;
    if (first == ".func")
        if (std::string problem = refused_function(card); !problem.empty()) return problem;
    const char letter = card.front();
    if (letter == 'v' || letter == 'i')
        if (std::string problem = refused_source(card); !problem.empty()) return problem;
    if (letter == 'e' || letter == 'g' || letter == 'f' || letter == 'h')
        for (const std::string_view word : {"poly", "table", "pwl", "laplace", "freq"})
            if (has_word(card, word)) return fmt::format("'{}' is refused (it is a code model, and none is loaded). Write a B source", word);
    if ((letter == 'b' || letter == 'e' || letter == 'g' || first == ".func") && card.size() > longest_expression)
        return fmt::format("the expression has {} characters (expected at most {})", card.size(), longest_expression);
    const Parts taken = parts(card);
    for (const Assignment& assignment : taken.assignments)
        if (std::string problem = refused_assignment(first, assignment); !problem.empty()) return problem;
    if (first == ".param" && (taken.assignments.empty() || taken.head != ".param")) return "a .param card holds NAME=VALUE only";
    return "";
}

std::string refusal(std::string_view card) { return refusal_of_canonical(canonical(card)); }

}  // namespace entrain::spice
