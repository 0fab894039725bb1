#include "spice/expression.hpp"

#include <algorithm>
#include <array>

namespace entrain::spice {
namespace {

// Found by trying each name in ngspice 39: constants such as pi are undefined in parameters, which ends the simulator.
constexpr std::array<std::string_view, 36> parameter_names = {"abs",   "acos", "acosh", "agauss", "arctan", "asin",  "asinh",  "atan",        "atanh",
                                                              "aunif", "ceil", "cos",   "cosh",   "exp",    "floor", "gauss",  "int",         "limit",
                                                              "ln",    "log",  "log10", "max",    "min",    "nint",  "pow",    "pwr",         "sgn",
                                                              "sin",   "sinh", "sqr",   "sqrt",   "tan",    "tanh",  "temper", "ternary_fcn", "unif"};
constexpr std::array<std::string_view, 15> source_names = {"ddt", "e",  "eq0", "ge0",  "gt0", "hertz", "le0",  "lt0",
                                                           "ne0", "pi", "pwl", "time", "u",   "u2",    "uramp"};
static_assert(std::ranges::is_sorted(parameter_names));

/// Place of the '=' that follows a key at or after `from`, not one of a comparison, not within braces or quotes; npos if there is none.
std::size_t next_equals(std::string_view text, std::size_t from) {
    int depth = 0;
    bool quoted = false;
    for (std::size_t i = from; i < text.size(); ++i) {
        const char c = text[i];
        if (c == '\'') quoted = !quoted;
        if (quoted) continue;
        if (c == '{') ++depth;
        if (c == '}') --depth;
        if (c != '=' || depth > 0) continue;
        if (i + 1 < text.size() && text[i + 1] == '=') {
            ++i;
        } else if (i > 0 && text[i - 1] != '<' && text[i - 1] != '>' && text[i - 1] != '!') {
            return i;
        }
    }
    return std::string_view::npos;
}

/// Where the key before the '=' at `equals` begins.
std::size_t key_begin(std::string_view text, std::size_t equals, std::size_t from) {
    std::size_t i = equals;
    if (i > from && text[i - 1] == ')') {  // v(a) of .ic, f(x) of .param
        int depth = 0;
        while (i > from) {
            --i;
            if (text[i] == ')') ++depth;
            if (text[i] == '(' && --depth == 0) break;
        }
    }
    while (i > from && text[i - 1] != ' ' && text[i - 1] != ',' && text[i - 1] != '(') --i;
    return i;
}

/// Whether blanks stand outside all braces, quotes and parentheses.
bool has_bare_blank(std::string_view value) {
    int depth = 0;
    bool quoted = false;
    for (const char c : value) {
        if (c == '\'') quoted = !quoted;
        if (quoted) continue;
        if (c == '{' || c == '(') ++depth;
        if (c == '}' || c == ')') --depth;
        if (c == ' ' && depth <= 0) return true;
    }
    return false;
}

std::size_t after_parentheses(std::string_view text, std::size_t open) {
    int depth = 0;
    for (std::size_t i = open; i < text.size(); ++i) {
        if (text[i] == '(') ++depth;
        if (text[i] == ')' && --depth == 0) return i + 1;
    }
    return text.size();
}

std::size_t after_number(std::string_view text, std::size_t i) {
    const auto at = [&](std::size_t k) { return k < text.size() ? text[k] : '\0'; };
    while (is_digit(at(i)) || at(i) == '.') ++i;
    if (at(i) == 'e' && (is_digit(at(i + 1)) || ((at(i + 1) == '+' || at(i + 1) == '-') && is_digit(at(i + 2))))) {
        i += 2;
        while (is_digit(at(i))) ++i;
    }
    while (is_name_character(at(i))) ++i;  // unit
    return i;
}

}  // namespace

Parts parts(std::string_view card) {
    Parts out;
    std::size_t equals = next_equals(card, 0);
    std::size_t begin = equals == std::string_view::npos ? card.size() : key_begin(card, equals, 0);
    out.head = card.substr(0, begin);
    while (equals != std::string_view::npos) {
        const std::size_t next = next_equals(card, equals + 1);
        const std::size_t end = next == std::string_view::npos ? card.size() : key_begin(card, next, equals + 1);
        Assignment assignment{card.substr(begin, equals - begin), card.substr(equals + 1, end - equals - 1)};
        while (!assignment.value.empty() && (assignment.value.back() == ' ' || assignment.value.back() == ',')) {
            if (assignment.value.back() == ',') assignment.clean = false;
            assignment.value.remove_suffix(1);
        }
        if (has_bare_blank(assignment.value)) assignment.clean = false;
        out.assignments.push_back(assignment);
        equals = next;
        begin = end;
    }
    while (!out.head.empty() && out.head.back() == ' ') out.head.remove_suffix(1);
    return out;
}

std::vector<std::string_view> words(std::string_view text) {
    std::vector<std::string_view> out;
    int depth = 0;
    bool quoted = false;
    std::size_t begin = 0;
    for (std::size_t i = 0; i <= text.size(); ++i) {
        const char c = i < text.size() ? text[i] : ' ';
        if (c == '\'') quoted = !quoted;
        if (c == '{') ++depth;
        if (c == '}') --depth;
        if (i == text.size() || (c == ' ' && depth <= 0 && !quoted)) {
            if (i > begin) out.push_back(text.substr(begin, i - begin));
            begin = i + 1;
        }
    }
    return out;
}

void identifiers(std::string_view text, std::vector<Identifier>& found) {
    std::size_t i = 0;
    while (i < text.size()) {
        if (is_digit(text[i]) || (text[i] == '.' && i + 1 < text.size() && is_digit(text[i + 1]))) {
            i = after_number(text, i);
        } else if (is_letter(text[i])) {
            const std::size_t begin = i;
            while (i < text.size() && is_name_character(text[i])) ++i;
            const std::string_view name = text.substr(begin, i - begin);
            std::size_t open = i;
            if (open < text.size() && text[open] == ' ') ++open;
            const bool called = open < text.size() && text[open] == '(';
            if (called && (name == "v" || name == "i"))
                i = after_parentheses(text, open);
            else
                found.push_back({name, called});
        } else {
            ++i;
        }
    }
}

void braced_identifiers(std::string_view text, std::vector<Identifier>& found) {
    int depth = 0;
    bool quoted = false;
    std::size_t begin = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '\'' && depth == 0) {
            if (quoted) identifiers(text.substr(begin, i - begin), found);
            quoted = !quoted;
            begin = i + 1;
        } else if (text[i] == '{' && !quoted) {
            if (depth++ == 0) begin = i + 1;
        } else if (text[i] == '}' && !quoted && depth > 0) {
            if (--depth == 0) identifiers(text.substr(begin, i - begin), found);
        }
    }
}

bool known_to_parameters(std::string_view name) { return std::ranges::binary_search(parameter_names, name); }

bool known_to_sources(std::string_view name) { return std::ranges::find(source_names, name) != source_names.end() || known_to_parameters(name); }

std::vector<std::string_view> connection_words(std::string_view head) {
    std::vector<std::string_view> found = words(head);
    if (!found.empty() && found.back() == "params:") found.pop_back();
    return found;
}

}  // namespace entrain::spice
