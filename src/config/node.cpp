#include "config/node.hpp"

#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <map>
#include <optional>
#include <sstream>

#include "core/file.hpp"

namespace entrain::config {
namespace {

// Far above any hand-written configuration (hundreds of values, 5 deep), far below what would cost noticeable memory or stack.
constexpr std::size_t max_bytes = std::size_t{4} << 20U;
constexpr std::size_t max_nodes = 100'000;
constexpr std::size_t max_depth = 32;
constexpr std::size_t max_key_bytes = 256;  // keys are repeated in messages
// The parser keeps up to one token of 90 bytes per indicator in memory before its first event; a value needs at most two brackets, a comma and a
// colon.
constexpr std::size_t max_indicators = 4 * max_nodes;

Location place_of(std::string_view text, std::size_t offset, const std::string& name) {
    const std::string_view before = text.substr(0, offset);
    const std::size_t line_start = before.rfind('\n') == std::string_view::npos ? 0 : before.rfind('\n') + 1;
    return {name, 1 + static_cast<int>(std::count(before.begin(), before.end(), '\n')), 1 + static_cast<int>(offset - line_start)};
}

struct Character {
    char32_t code = 0;
    std::size_t length = 0;  ///< [bytes] 0: not UTF-8
};

/// The UTF-8 character at `offset`; over-long forms, surrogates and codes above U+10FFFF are not UTF-8.
Character character_at(std::string_view text, std::size_t offset) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[offset + i]); };
    const unsigned char lead = byte(0);
    if (lead < 0x80) return {lead, 1};
    const std::size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
    if (lead < 0xC2 || lead > 0xF4 || offset + length > text.size()) return {};
    char32_t code = lead & (0x7FU >> length);
    for (std::size_t i = 1; i < length; ++i) {
        if ((byte(i) & 0xC0U) != 0x80U) return {};
        code = (code << 6U) | (byte(i) & 0x3FU);
    }
    const bool over_long = code < (length == 4 ? 0x10000U : length == 3 ? 0x800U : 0x80U);
    if (over_long || (code >= 0xD800 && code <= 0xDFFF) || code > 0x10FFFF) return {};
    return {code, length};
}

/// Offset of the first control character (line breaks and tabs are none) or byte that is not UTF-8.
std::optional<std::size_t> first_unprintable(std::string_view text) {
    for (std::size_t i = 0; i < text.size();) {
        const Character c = character_at(text, i);
        const bool control = (c.code < 0x20 && c.code != '\n' && c.code != '\t') || (c.code >= 0x7F && c.code < 0xA0);
        if (c.length == 0 || control) return i;
        i += c.length;
    }
    return std::nullopt;
}

/// What the parser may see: without byte order mark, lines ended by "\n". Refuses what would make the parser slow or large, or change the meaning of
/// the rest (directives).
std::string checked_text(std::string_view text, const std::string& name) {
    if (text.size() > max_bytes) throw UserError{Location{name}, fmt::format("has {} bytes (expected at most {})", text.size(), max_bytes)};
    if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
    std::string clean;
    clean.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i)
        if (text[i] != '\r' || i + 1 == text.size() || text[i + 1] != '\n') clean += text[i];
    if (const auto bad = first_unprintable(clean)) {
        const Character c = character_at(clean, *bad);
        throw UserError{place_of(clean, *bad, name),
                        c.length == 0
                            ? fmt::format("byte 0x{:02x} is not UTF-8 (expected a text file in UTF-8)", static_cast<unsigned char>(clean[*bad]))
                            : fmt::format("control character U+{:04X} (expected printable text)", static_cast<std::uint32_t>(c.code))};
    }
    std::size_t indicators = 0;
    for (std::size_t i = 0; i < clean.size(); ++i) {
        if (std::string_view{"[]{},:?&*!"}.find(clean[i]) != std::string_view::npos && ++indicators > max_indicators)
            throw UserError{place_of(clean, i, name),
                            fmt::format("more than {} brackets, commas and colons (expected at most {} values)", max_indicators, max_nodes)};
        if (clean[i] == '%' && (i == 0 || clean[i - 1] == '\n'))
            throw UserError{place_of(clean, i, name), "YAML directives are not allowed (expected a key)"};
    }
    return clean;
}

/// Builds the tree from parser events. Everything a configuration has no use for is refused at the event that starts it.
class Builder final : public YAML::EventHandler {
 public:
    Builder(const std::string& text, const std::string& name) : text_{text}, name_{name} {}

    [[nodiscard]] Node take() { return std::move(root_); }

    void OnDocumentStart(const YAML::Mark& mark) override {
        if (++documents_ == 1) return;
        const bool separator = mark.pos >= 0 && std::string_view{text_}.substr(static_cast<std::size_t>(mark.pos)).starts_with("---");
        refuse(mark,
               separator ? "a second YAML document (expected one document)" : "text after the end of the top-level map (expected a key of that map)");
    }
    void OnDocumentEnd() override {}
    void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
        refuse_properties(mark, anchor);
        if (open_.empty()) refuse(mark, top_level);
        Node node;
        node.where = place(mark);
        if (Open& parent = open_.back(); parent.node->kind == Node::Kind::map) {
            if (!parent.key_read) refuse(mark, "a key without a name (expected text before the ':')");
            node.where = parent.node->entries.back().key_where;  // the mark of an absent value is that of the next thing in the file
        }
        add(mark, std::move(node));
    }
    void OnAlias(const YAML::Mark& mark, YAML::anchor_t /*anchor*/) override { refuse(mark, no_alias); }
    void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, const std::string& value) override {
        refuse_properties(mark, anchor);
        if (open_.empty()) refuse(mark, top_level);
        if (first_unprintable(value)) refuse(mark, "a control character or invalid code in an escape sequence (expected printable text)");
        const std::size_t end = end_of_scalar(mark, value);
        Open& parent = open_.back();
        if (parent.node->kind == Node::Kind::map && !parent.key_read) {
            add_key(mark, parent, value, end);
            return;
        }
        Node node;
        node.kind = Node::Kind::scalar;
        node.quoted = tag != "?";  // the parser's non-specific tags: "?" plain, "!" quoted or block
        node.scalar = value;
        node.where = place(mark);
        add(mark, std::move(node));
    }
    void OnSequenceStart(const YAML::Mark& mark, const std::string& /*tag*/, YAML::anchor_t anchor, YAML::EmitterStyle::value style) override {
        refuse_properties(mark, anchor);
        if (open_.empty()) refuse(mark, top_level);
        start(mark, Node::Kind::sequence, style);
    }
    void OnSequenceEnd() override { open_.pop_back(); }
    void OnMapStart(const YAML::Mark& mark, const std::string& /*tag*/, YAML::anchor_t anchor, YAML::EmitterStyle::value style) override {
        refuse_properties(mark, anchor);
        start(mark, Node::Kind::map, style);
    }
    void OnMapEnd() override { open_.pop_back(); }
    void OnAnchor(const YAML::Mark& mark, const std::string& /*name*/) override { refuse(mark, no_anchor); }

    /// The parser's error as ours, with what usually is the cause.
    [[nodiscard]] UserError syntax_error(const YAML::Exception& error) const {
        const Location where = place(error.mark);
        std::string_view line;
        if (error.mark.pos >= 0 && error.mark.column >= 0) {
            line = std::string_view{text_}.substr(std::min(text_.size(), static_cast<std::size_t>(error.mark.pos - error.mark.column)));
            line = line.substr(0, line.find('\n'));
        }
        const std::size_t column = line.empty() ? 0 : std::min(line.size(), static_cast<std::size_t>(error.mark.column));
        const char at = column < line.size() ? line[column] : '\0';
        if (line.substr(0, line.find_first_not_of(" \t")).find('\t') != std::string_view::npos)
            return {where, "a tab in the indentation (expected spaces)"};
        const bool second_colon = at == ':' && line.substr(0, column).find(": ") != std::string_view::npos;
        if (second_colon)
            return {where, fmt::format("a second ': ' in one value (expected quotes around a text with a colon, {})",
                                       quoting_example(line.substr(0, column), line.substr(column)))};
        if (error.msg == YAML::ErrorMsg::EOF_IN_SCALAR) return {where, std::string{open_quote}};
        if (at == '&') return {where, std::string{no_anchor}};
        if (at == '*') return {where, std::string{no_alias}};
        if (at != '\0' && std::string_view{"@`%|>"}.find(at) != std::string_view::npos)
            return {where, fmt::format("a text cannot begin with '{}' (expected quotes around it)", at)};
        if (!open_.empty() && open_.back().flow) return {open_.back().node->where, std::string{open_bracket}};
        if (at == ':')
            return {where,
                    "a ':' where no key can stand (expected a complete 'key: value' in the line above, the indentation of that line, or quotes "
                    "around a text with a colon)"};
        if (error.msg == YAML::ErrorMsg::END_OF_MAP || error.msg == YAML::ErrorMsg::END_OF_SEQ)
            return {where, "a line that belongs to no list or map (expected the indentation of the line above)"};
        return {where, fmt::format("YAML syntax: {}", error.msg)};
    }

 private:
    struct Open {
        Node* node;         ///< stays valid: the parent's vector grows only after this node is closed
        bool flow = false;  ///< in brackets
        bool key_read = false;
        std::map<std::string, int> key_lines = {};
    };
    static constexpr std::string_view top_level = "no keys at the top level (expected a map such as 'version: 1')";
    static constexpr std::string_view open_bracket =
        "a list or map in brackets that is not complete (expected ',' between its entries and a closing bracket)";
    static constexpr std::string_view open_quote = "a text in quotes that is not closed (expected the same quote at its end)";
    static constexpr std::string_view no_anchor = "YAML anchors are not allowed (expected a value; a text that begins with '&' needs quotes)";
    static constexpr std::string_view no_alias = "YAML aliases are not allowed (expected a value; a text that begins with '*' needs quotes)";
    static constexpr std::string_view no_tag = "YAML tags are not allowed (expected a value; a text that begins with '!' needs quotes)";

    [[nodiscard]] Location place(const YAML::Mark& mark) const { return {name_, mark.line + 1, mark.column + 1}; }
    [[noreturn]] void refuse(const YAML::Mark& mark, std::string_view problem) const { throw UserError{place(mark), std::string{problem}}; }

    /// `start: fixed: 0 deg` -> `as in start: "fixed: 0 deg"`, if the line is that simple.
    [[nodiscard]] static std::string quoting_example(std::string_view before, std::string_view from_colon) {
        const std::size_t first = before.find(": ");
        const std::size_t key = before.find_first_not_of(" -");
        std::string value = first == std::string_view::npos ? "" : fmt::format("{}{}", before.substr(first + 2), from_colon);
        value.resize(std::min(value.find(" #"), value.size()));
        value.erase(value.find_last_not_of(' ') + 1);
        const bool simple = key < first && !value.empty() && value.size() < 60 && value.find_first_of("\"'\\[]{},") == std::string::npos &&
                            before.find_first_of("\"'[]{},") == std::string_view::npos;
        return simple ? fmt::format("as in {}: \"{}\"", before.substr(key, first - key), value) : "as in \"fixed: 0 deg\"";
    }

    /// The parser resolves some tags to the ones of untagged values, so the text itself is asked.
    void refuse_properties(const YAML::Mark& mark, YAML::anchor_t anchor) const {
        const char at = mark.pos >= 0 && static_cast<std::size_t>(mark.pos) < text_.size() ? text_[static_cast<std::size_t>(mark.pos)] : '\0';
        if (at == '!') refuse(mark, no_tag);
        if (anchor != 0 || at == '&') refuse(mark, no_anchor);
    }

    /// Offset behind the scalar `value` at `mark` if it stands in quotes or on one line; npos for other scalars. Refuses quotes that are not closed:
    /// the parser takes the rest of the file as their text.
    [[nodiscard]] std::size_t end_of_scalar(const YAML::Mark& mark, const std::string& value) const {
        const auto begin = static_cast<std::size_t>(mark.pos);
        const char quote = text_[begin];
        if (quote != '"' && quote != '\'') return text_.compare(begin, value.size(), value) == 0 ? begin + value.size() : std::string::npos;
        for (std::size_t i = begin + 1; i < text_.size(); ++i) {
            if (quote == '"' && text_[i] == '\\')
                ++i;
            else if (text_[i] == quote && quote == '\'' && i + 1 < text_.size() && text_[i + 1] == quote)
                ++i;
            else if (text_[i] == quote)
                return i + 1;
        }
        refuse(mark, open_quote);
    }

    void add_key(const YAML::Mark& mark, Open& map, const std::string& key, std::size_t end) {
        // The parser takes "bits" at the end of a file and in {bits} as "bits: null"; explicit keys ("? bits") have no colon behind them either.
        const std::size_t next = text_.find_first_not_of(" \t", end);
        if (map.flow && text_.find_first_not_of(" \t\n", end) == std::string::npos) throw UserError{map.node->where, std::string{open_bracket}};
        if (next == std::string::npos || text_[next] != ':')
            refuse(mark, fmt::format("{} without a ':' behind it (expected key: value)", shown(key)));
        if (key.empty()) refuse(mark, "an empty key (expected a name)");
        if (key.size() > max_key_bytes) refuse(mark, fmt::format("a key of {} bytes (expected at most {})", key.size(), max_key_bytes));
        if (key.find_first_of("\n\t") != std::string::npos) refuse(mark, "a line break or tab in a key (expected a name)");
        const auto [first, is_new] = map.key_lines.emplace(key, mark.line + 1);
        if (!is_new) refuse(mark, fmt::format("duplicate key {} (expected once; first in line {})", shown(key), first->second));
        map.node->entries.push_back({key, place(mark), {}});
        map.key_read = true;
    }

    Node* add(const YAML::Mark& mark, Node node) {
        if (++nodes_ > max_nodes) refuse(mark, fmt::format("more than {} values (expected at most that many)", max_nodes));
        if (open_.empty()) {
            root_ = std::move(node);
            return &root_;
        }
        Open& parent = open_.back();
        if (parent.node->kind == Node::Kind::sequence) return &parent.node->items.emplace_back(std::move(node));
        parent.key_read = false;
        Node& value = parent.node->entries.back().value;
        value = std::move(node);
        return &value;
    }

    void start(const YAML::Mark& mark, Node::Kind kind, YAML::EmitterStyle::value style) {
        if (!open_.empty() && open_.back().node->kind == Node::Kind::map && !open_.back().key_read)
            refuse(mark, "a list or map as a key, or a bracket that is not closed (expected a name)");
        if (open_.size() == max_depth) refuse(mark, fmt::format("nesting deeper than {} levels (expected at most that many)", max_depth));
        Node node;
        node.kind = kind;
        node.where = place(mark);
        Node* added = add(mark, std::move(node));
        open_.push_back({added, style == YAML::EmitterStyle::Flow});
    }

    const std::string& text_;
    const std::string& name_;
    Node root_;
    std::vector<Open> open_;
    std::size_t nodes_ = 0;
    int documents_ = 0;
};

void put_everything_at(Node& node, const Location& where) {
    node.where = where;
    for (Node& item : node.items) put_everything_at(item, where);
    for (auto& entry : node.entries) {
        entry.key_where = where;
        put_everything_at(entry.value, where);
    }
}

std::size_t depth_of(const Node& node) {
    std::size_t deepest = 0;
    for (const Node& item : node.items) deepest = std::max(deepest, depth_of(item));
    for (const auto& entry : node.entries) deepest = std::max(deepest, depth_of(entry.value));
    return node.kind == Node::Kind::sequence || node.kind == Node::Kind::map ? deepest + 1 : 0;
}

/// The value as it would stand after `key: ` in a file. A text with a colon needs no quotes here, since shells take them away.
Node parse_value(const std::string& text, const Location& where) {
    if (text.find('\n') != std::string::npos) throw UserError{where, "a line break in the value (expected one line)"};
    try {
        Node value = std::move(parse("v: " + text, where.file).entries.front().value);
        put_everything_at(value, where);
        return value;
    } catch (const UserError& error) {
        const bool plain_with_colon = text.find(": ") != std::string::npos && text.find_first_of("[]{}\"'#&*!|>%@`") == std::string::npos;
        if (!plain_with_colon || first_unprintable(text)) throw UserError{where, error.diagnostics().front().message};
        Node value;
        value.kind = Node::Kind::scalar;
        value.quoted = true;
        value.scalar = text;
        value.where = where;
        return value;
    }
}

/// The child `part` of `node`; made if it is missing in a map.
Node& step_into(Node& node, const std::string& part, const Location& where) {
    if (node.kind == Node::Kind::sequence) {
        std::size_t index = 0;
        const auto [end, error] = std::from_chars(part.data(), part.data() + part.size(), index);
        if (error != std::errc{} || end != part.data() + part.size() || index >= node.items.size())
            throw UserError{where, node.items.empty()
                                       ? fmt::format("{} is an index into an empty list", shown(part))
                                       : fmt::format("{} is not an index of the list (expected 0 .. {})", shown(part), node.items.size() - 1)};
        return node.items[index];
    }
    if (node.kind == Node::Kind::scalar)
        throw UserError{where, fmt::format("{} lies below the value {} (expected a map or list there)", shown(part), shown(node.scalar))};
    node.kind = Node::Kind::map;
    for (auto& entry : node.entries)
        if (entry.key == part) return entry.value;
    return node.entries.emplace_back(Node::Entry{part, where, Node{}}).value;
}

}  // namespace

const Node* Node::find(std::string_view key) const {
    const auto found = std::find_if(entries.begin(), entries.end(), [&](const Entry& entry) { return entry.key == key; });
    return found == entries.end() ? nullptr : &found->value;
}

Node parse(std::string_view text, const std::string& name) {
    const std::string clean = checked_text(text, name);
    Builder builder{clean, name};
    std::istringstream stream{clean};
    try {
        YAML::Parser parser{stream};
        if (!parser.HandleNextDocument(builder)) throw UserError{{name, 1, 1}, "an empty file (expected a map such as 'version: 1')"};
        parser.HandleNextDocument(builder);  // the builder refuses whatever follows
    } catch (const YAML::Exception& error) {
        throw builder.syntax_error(error);
    }
    return builder.take();
}

Node parse_file(const std::filesystem::path& path) { return parse(read_file(path, max_bytes), path.string()); }

void apply_override(Node& root, const std::string& assignment) {
    const Location where{assignment.size() < max_key_bytes ? "--set " + assignment
                                                           : "--set " + assignment.substr(0, assignment.find('=')).substr(0, max_key_bytes) + "=..."};
    const std::size_t equals = assignment.find('=');
    if (equals == std::string::npos) throw UserError{where, "no '=' (expected KEY=VALUE, for example seed=2)"};
    std::vector<std::string> parts;
    for (std::size_t begin = 0; begin <= equals;) {
        const std::size_t end = std::min(assignment.find('.', begin), equals);
        parts.push_back(assignment.substr(begin, end - begin));
        begin = end + 1;
        if (parts.back().size() > max_key_bytes)
            throw UserError{where, fmt::format("a key part of {} bytes (expected at most {})", parts.back().size(), max_key_bytes)};
        if (parts.back().empty()) throw UserError{where, "an empty part in the key (expected dotted names, for example layer.heads)"};
        if (first_unprintable(parts.back()) || parts.back().find_first_of("\n\t") != std::string::npos)
            throw UserError{where, "a control character in the key (expected a name)"};
    }
    Node value = parse_value(assignment.substr(equals + 1), where);
    if (parts.size() + depth_of(value) > max_depth)
        throw UserError{where, fmt::format("nesting deeper than {} levels (expected at most that many)", max_depth)};
    Node* node = &root;
    for (const std::string& part : parts) node = &step_into(*node, part, where);
    *node = std::move(value);
}

}  // namespace entrain::config
