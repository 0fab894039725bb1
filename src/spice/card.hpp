#pragma once
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace entrain::spice {

/// A card as it stands in a file: continuations joined by a blank, comments dropped, ends trimmed; case and blanks as written.
struct RawCard {
    std::string text;
    int line = 0;           ///< of its first line, from 1
    std::size_t begin = 0;  ///< offset of that line
    std::string problem;    ///< not empty: what makes it unusable, independent of its meaning
};

/// Takes a text apart into cards. Lines end with '\n'. Comments: lines that begin with '*', and what follows ';', '//', or a '$' at the beginning or
/// after a blank or comma (as in ngspice 39); blank lines and comments may stand between a card and its continuation.
class CardReader {
 public:
    explicit CardReader(std::string_view text, std::size_t begin = 0, int line = 1) : text_{text}, position_{begin}, line_{line} {}
    [[nodiscard]] std::optional<RawCard> next();
    [[nodiscard]] std::size_t position() const { return position_; }  ///< where the next card is looked for: at the beginning of a line
    [[nodiscard]] int line() const { return line_; }                  ///< number of that line

 private:
    std::string_view text_;
    std::size_t position_;
    int line_;
};

/// The text with "\r\n" and '\r' as '\n', without a byte order mark.
[[nodiscard]] std::string with_plain_line_ends(std::string text);

/// Lower case, single blanks, none beside '='.
[[nodiscard]] std::string canonical(std::string_view card);

/// spice::refusal() of a card that is canonical already.
[[nodiscard]] std::string refusal_of_canonical(std::string_view card);

}  // namespace entrain::spice
