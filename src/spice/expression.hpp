#pragma once
#include <cstddef>
#include <string_view>
#include <vector>

namespace entrain::spice {

// Canonical cards taken apart (card.hpp): lower case, single blanks, no blank beside '='. Views point into the card.

/// key=value. The key of `.ic v(a)=1` and of `.param f(x)=x` has its parentheses with it.
struct Assignment {
    std::string_view key;
    std::string_view value;  ///< up to the next key, trailing blanks and commas dropped
    bool clean = true;       ///< false: a comma separates it from the next key, or unbraced blanks are within
};

struct Parts {
    std::string_view head;  ///< what stands before the first key
    std::vector<Assignment> assignments;
};
[[nodiscard]] Parts parts(std::string_view card);

/// Words between blanks; braces and quotes hold together what is in them.
[[nodiscard]] std::vector<std::string_view> words(std::string_view text);

/// Pins and name of a .subckt card, or nodes and subcircuit of an X card, with its first word: the keyword `params:` is none of them.
[[nodiscard]] std::vector<std::string_view> connection_words(std::string_view head);

/// A name in an expression. Arguments of v() and i() are nodes and devices: they are no names, and neither are v and i themselves.
struct Identifier {
    std::string_view name;
    bool called = false;  ///< followed by '('
};

/// Appends the identifiers of the text; numbers with their units are skipped.
void identifiers(std::string_view text, std::vector<Identifier>& found);

/// Appends the identifiers within {...} and '...' only.
void braced_identifiers(std::string_view text, std::vector<Identifier>& found);

/// Whether ngspice knows the name in a parameter expression: a function of its own, or temper.
[[nodiscard]] bool known_to_parameters(std::string_view name);

/// Whether it knows the name in the expression of a behavioural source.
[[nodiscard]] bool known_to_sources(std::string_view name);

[[nodiscard]] inline bool is_digit(char c) { return c >= '0' && c <= '9'; }
[[nodiscard]] inline bool is_letter(char c) { return (c >= 'a' && c <= 'z') || c == '_'; }
[[nodiscard]] inline bool is_name_character(char c) { return is_letter(c) || is_digit(c) || c == '.'; }

}  // namespace entrain::spice
