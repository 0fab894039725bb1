#pragma once
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/node.hpp"
#include "core/fields.hpp"

namespace entrain::config {

/// Where each configured key stands, by dotted name ("layer.heads"); for messages about values that contradict another file. Keys that are not
/// in the file map to the place of their nearest enclosing map.
class Places {
 public:
    void set(const std::string& dotted, Location where) { places_[dotted] = std::move(where); }
    [[nodiscard]] Location at(const std::string& dotted) const;

 private:
    std::map<std::string, Location> places_;
};

/// Reads fields strictly from a map node. Several describe() lists may be read from the same map (common keys, then a plug-in's); finish() then
/// reports the keys that none of them knows, with a suggestion. Every mistake is collected: wrong type, missing unit, out of range, unknown word,
/// missing required key. Defaults stay where a key is absent or its value is wrong. Null is accepted only by optional fields; a quoted number is
/// text. The fields of a section belong together: it is finished when its describe() returns. An absent section reports the required fields in it.
class Reader final : public FieldVisitor {
 public:
    /// `prefix` is the dotted name of `node` ("layer"; "" for the top level). The node must outlive the reader.
    Reader(const Node& node, std::string prefix, Diagnostics& diagnostics, Places& places);
    void visit(const Field& field) override;
    /// Makes fields required that are visited afterwards (they are reported when absent). Names are relative to this map; "layer.heads" reaches into
    /// sections.
    void require(std::vector<std::string> names);
    void finish();

 private:
    [[nodiscard]] std::string dotted(std::string_view key) const;
    void visit_section(const SectionField& section, std::string_view key, const Node* node);
    void visit_list(const IntegerListField& list, const std::string& name, const Node& node);
    void visit_section_list(const SectionListField& list, const std::string& name, const Node& node);
    void visit_raw_map(const RawMapField& raw, const std::string& name, const Node& node);

    const Node& node_;
    std::string prefix_;
    Diagnostics& diagnostics_;
    Places& places_;
    std::vector<std::string> known_;
    std::vector<std::string> required_;
};

/// Writes fields as YAML that Reader reads back to the same values (`resolved.yaml`). Numbers are printed with the digits that round-trip;
/// std::logic_error for a number that is not finite, which no configuration can state.
class Echo final : public FieldVisitor {
 public:
    void visit(const Field& field) override;
    [[nodiscard]] std::string yaml() const { return text_; }

 private:
    std::string text_;
    int depth_ = 0;
};

/// One row of an option table of `entrain describe`.
struct ReferenceRow {
    std::string key;     ///< dotted inside sections
    std::string type;    ///< "number", "quantity [Hz]", "a | b | c", "list of integers", ...
    std::string preset;  ///< default value
    std::string range;
    std::string doc;
};

/// Collects the option table from the same describe().
class Reference final : public FieldVisitor {
 public:
    void visit(const Field& field) override;
    [[nodiscard]] const std::vector<ReferenceRow>& rows() const { return rows_; }

 private:
    std::vector<ReferenceRow> rows_;
    std::string prefix_;
};

}  // namespace entrain::config
