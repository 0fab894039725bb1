#pragma once
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/error.hpp"

namespace entrain::config {

/// A YAML value with its place. Built from parser events, so that duplicate keys, anchors, aliases, tags and several documents are seen and refused
/// (an alias can make a small file expand without bound), and nesting and node count are limited.
struct Node {
    enum class Kind { null, scalar, sequence, map };
    struct Entry;
    Kind kind = Kind::null;
    bool quoted = false;  ///< "5" is text, 5 is a number
    std::string scalar;
    std::vector<Node> items;     ///< of a sequence
    std::vector<Entry> entries;  ///< of a map, in file order, keys unique
    Location where;

    [[nodiscard]] const Node* find(std::string_view key) const;  ///< nullptr if this is not a map or has no such key
};
struct Node::Entry {
    std::string key;
    Location key_where;
    Node value;
};

/// Reads one YAML document whose top level is a map. `name` is the file name in messages. UserError with place for: syntax errors, duplicate or
/// non-scalar keys, anchors and aliases, tags, more than one document, depth over 32, more than 100,000 nodes, control characters, more than 4 MiB.
[[nodiscard]] Node parse(std::string_view text, const std::string& name);
[[nodiscard]] Node parse_file(const std::filesystem::path& path);

/// Applies `--set KEY=VALUE`: dotted key, YAML value, list index as a number. Missing maps on the way are created; places read "--set layer.heads=3".
/// UserError when the text has no '=', a key part is empty, an index is outside its list or a step goes through a scalar.
void apply_override(Node& root, const std::string& assignment);

}  // namespace entrain::config
