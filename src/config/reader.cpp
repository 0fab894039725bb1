#include "config/reader.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>
#include <type_traits>

#include "config/field_text.hpp"

namespace entrain::config {
namespace {

constexpr std::size_t most_reported = 20;  // mistakes of one kind in one list or map: more would hide the others

/// What stands in the file, for "KEY is ...".
std::string found(const Node& node) {
    switch (node.kind) {
        case Node::Kind::null:
            return "is null";
        case Node::Kind::sequence:
            return "is a list";
        case Node::Kind::map:
            return "is a map";
        case Node::Kind::scalar:
            break;
    }
    return node.quoted ? "is the text " + shown(node.scalar) : "is " + shown(node.scalar);
}

std::string in_range(const std::string& range) { return range.empty() ? "" : " (expected " + range + ")"; }

/// Reads one value into its field; "" or what is wrong, to stand after the key.
class ValueReader {
 public:
    explicit ValueReader(const Node& node) : node_{node} {}

    std::string operator()(const QuantityField& f) const {
        if (node_.kind != Node::Kind::scalar)
            return fmt::format("{} (expected a quantity in {}, for example '{}')", found(node_), f.symbol, format_quantity(1.0, f.symbol));
        if ((f.symbol.empty() || f.symbol == "1") && node_.quoted) return wrong_type("a number without quotes");
        double si = 0.0;
        try {
            si = parse_quantity(node_.scalar, f.symbol);
        } catch (const std::invalid_argument& error) {
            return fmt::format(": {}", error.what());
        }
        if (!f.range.contains(si)) return fmt::format("is {} (expected {})", shown(node_.scalar), range_text(f.range, f.symbol));
        *f.si = si;
        return "";
    }
    std::string operator()(const NumberField& f) const { return number(*f.value, f.range, "a number"); }
    std::string operator()(const OptionalNumberField& f) const {
        if (node_.kind != Node::Kind::null) return number(*f.value, f.range, "a number or null");
        *f.value = std::nullopt;
        return "";
    }
    std::string operator()(const IntegerField& f) const { return integer(*f.value, f.low, f.high, "an integer"); }
    std::string operator()(const OptionalIntegerField& f) const {
        if (node_.kind != Node::Kind::null) return integer(*f.value, f.low, f.high, "an integer or null");
        *f.value = std::nullopt;
        return "";
    }
    std::string operator()(const FlagField& f) const {
        if (node_.kind != Node::Kind::scalar || node_.quoted || (node_.scalar != "true" && node_.scalar != "false"))
            return wrong_type("true or false");
        *f.value = node_.scalar == "true";
        return "";
    }
    std::string operator()(const TextField& f) const {
        if (node_.kind == Node::Kind::null) return wrong_type("text; \"\" is the empty text");
        if (node_.kind != Node::Kind::scalar) return wrong_type("text");
        *f.value = node_.scalar;
        return "";
    }
    std::string operator()(const WordField& f) const {
        const std::string allowed = joined(f.allowed, " | ");
        if (node_.kind == Node::Kind::map && node_.entries.size() == 1 && node_.entries.front().value.kind == Node::Kind::scalar)
            return fmt::format("is a map (expected quotes around the text: {})",
                               shown(fmt::format("{}: {}", node_.entries.front().key, node_.entries.front().value.scalar)));
        if (node_.kind == Node::Kind::null && std::ranges::find(f.allowed, "null") != f.allowed.end()) return f.assign("null");
        if (node_.kind != Node::Kind::scalar) return wrong_type(allowed);
        const std::string problem = f.assign(node_.scalar);
        if (problem.empty()) return "";
        if (problem.find("expected") != std::string::npos) return fmt::format("is {}: {}", shown(node_.scalar), problem);
        return fmt::format("is {}: {} (expected {}).{}", shown(node_.scalar), problem, allowed, did_you_mean(node_.scalar, f.allowed));
    }

 private:
    [[nodiscard]] std::string wrong_type(std::string_view expected) const { return fmt::format("{} (expected {})", found(node_), expected); }

    template <class Target>
    std::string number(Target& target, const Interval& range, std::string_view expected) const {
        const auto x = plain_scalar() ? read_number(node_.scalar) : std::nullopt;
        if (!x) return wrong_type(would_be_a_number() ? fmt::format("{}, without quotes", expected) : std::string{expected});
        if (!range.contains(*x)) return fmt::format("is {}{}", shown(node_.scalar), in_range(range_text(range, "")));
        target = *x;
        return "";
    }
    template <class Target>
    std::string integer(Target& target, std::int64_t low, std::int64_t high, std::string_view expected) const {
        const auto i = plain_scalar() ? read_integer(node_.scalar) : std::nullopt;
        if (!i) return wrong_type(would_be_a_number() ? fmt::format("{}, without quotes", expected) : std::string{expected});
        if (*i < low || *i > high) return fmt::format("is {}{}", *i, in_range(range_text(low, high)));
        target = *i;
        return "";
    }
    [[nodiscard]] bool plain_scalar() const { return node_.kind == Node::Kind::scalar && !node_.quoted; }
    [[nodiscard]] bool would_be_a_number() const { return node_.kind == Node::Kind::scalar && node_.quoted && read_number(node_.scalar).has_value(); }

    const Node& node_;
};

}  // namespace

Location Places::at(const std::string& dotted) const {
    for (std::string key = dotted;;) {
        if (const auto place = places_.find(key); place != places_.end()) return place->second;
        if (key.empty()) return {};
        const std::size_t dot = key.rfind('.');
        key.resize(dot == std::string::npos ? 0 : dot);
    }
}

Reader::Reader(const Node& node, std::string prefix, Diagnostics& diagnostics, Places& places)
    : node_{node}, prefix_{std::move(prefix)}, diagnostics_{diagnostics}, places_{places} {
    places_.set(prefix_, node.where);
    if (node.kind != Node::Kind::map) diagnostics_.add(node.where, fmt::format("{} {} (expected a map of keys and values)", prefix_, found(node)));
}

void Reader::require(std::vector<std::string> names) { required_.insert(required_.end(), names.begin(), names.end()); }

std::string Reader::dotted(std::string_view key) const { return prefix_.empty() ? std::string{key} : fmt::format("{}.{}", prefix_, key); }

void Reader::visit(const Field& field) {
    known_.emplace_back(field.name);
    if (node_.kind != Node::Kind::map) return;
    const std::string name = dotted(field.name);
    const auto entry = std::find_if(node_.entries.begin(), node_.entries.end(), [&](const auto& e) { return e.key == field.name; });
    const bool present = entry != node_.entries.end();
    const bool required = field.required || std::find(required_.begin(), required_.end(), field.name) != required_.end();
    if (!present && required) diagnostics_.add(node_.where, fmt::format("missing key '{}' (expected {}: {})", name, type_text(field), field.doc));
    if (const auto* section = std::get_if<SectionField>(&field.value)) {
        if (!present && required) return;
        visit_section(*section, field.name, present ? &entry->value : nullptr);
        if (present) places_.set(name, entry->key_where);
        return;
    }
    if (!present) return;
    const Node& value = entry->value;
    places_.set(name, value.where);
    if (const auto* list = std::get_if<IntegerListField>(&field.value)) {
        visit_list(*list, name, value);
    } else if (const auto* sections = std::get_if<SectionListField>(&field.value)) {
        visit_section_list(*sections, name, value);
    } else if (const auto* raw = std::get_if<RawMapField>(&field.value)) {
        visit_raw_map(*raw, name, value);
    } else {
        const std::string problem = std::visit(
            [&](const auto& f) -> std::string {
                if constexpr (std::is_invocable_v<ValueReader, decltype(f)>)
                    return ValueReader{value}(f);
                else
                    throw std::logic_error{"not a field of one value"};
            },
            field.value);
        if (!problem.empty()) diagnostics_.add(value.where, fmt::format("{}{}{}", name, problem.starts_with(':') ? "" : " ", problem));
    }
}

void Reader::visit_section(const SectionField& section, std::string_view key, const Node* node) {
    Node absent;
    absent.kind = Node::Kind::map;
    absent.where = node_.where;
    Reader inner{node != nullptr ? *node : absent, dotted(key), diagnostics_, places_};
    const std::string prefix = fmt::format("{}.", key);
    for (const std::string& name : required_)
        if (name.starts_with(prefix)) inner.required_.push_back(name.substr(prefix.size()));
    section.describe(inner);
    inner.finish();
}

void Reader::visit_list(const IntegerListField& list, const std::string& name, const Node& node) {
    if (node.kind != Node::Kind::sequence) {
        diagnostics_.add(node.where, fmt::format("{} {} (expected a list of integers, for example [0, 1, 2])", name, found(node)));
        return;
    }
    std::vector<std::int64_t> numbers;
    std::size_t mistakes = 0;
    for (std::size_t i = 0; i < node.items.size(); ++i) {
        std::int64_t number = 0;
        const std::string problem = ValueReader{node.items[i]}(IntegerField{&number, list.low, list.high});
        if (problem.empty()) {
            numbers.push_back(number);
        } else if (++mistakes <= most_reported) {
            diagnostics_.add(node.items[i].where, fmt::format("{}.{} {}", name, i, problem));
        }
    }
    if (mistakes > most_reported) diagnostics_.add(node.where, fmt::format("{} has {} more entries like these", name, mistakes - most_reported));
    if (mistakes == 0) *list.value = std::move(numbers);
}

void Reader::visit_section_list(const SectionListField& list, const std::string& name, const Node& node) {
    if (node.kind != Node::Kind::sequence) {
        diagnostics_.add(node.where, fmt::format("{} {} (expected a list of maps of keys and values)", name, found(node)));
        return;
    }
    constexpr std::size_t longest = 1000;
    if (node.items.size() > longest) {
        diagnostics_.add(node.where, fmt::format("{} has {} entries (expected at most {})", name, node.items.size(), longest));
        return;
    }
    list.resize(node.items.size());
    for (std::size_t k = 0; k < node.items.size(); ++k) {
        Reader inner{node.items[k], fmt::format("{}.{}", name, k), diagnostics_, places_};
        list.describe(k, inner);
        inner.finish();
    }
}

void Reader::visit_raw_map(const RawMapField& raw, const std::string& name, const Node& node) {
    if (node.kind != Node::Kind::map) {
        diagnostics_.add(node.where, fmt::format("{} {} (expected a map of names and values)", name, found(node)));
        return;
    }
    std::vector<RawEntry> entries;
    std::size_t mistakes = 0;
    for (const auto& entry : node.entries) {
        if (entry.value.kind == Node::Kind::scalar) {
            entries.push_back({entry.key, entry.value.scalar, entry.key_where});
            places_.set(fmt::format("{}.{}", name, entry.key), entry.value.where);
        } else if (++mistakes <= most_reported) {
            diagnostics_.add(entry.value.where, fmt::format("{}.{} {} (expected one value)", name, entry.key, found(entry.value)));
        }
    }
    if (mistakes > most_reported) diagnostics_.add(node.where, fmt::format("{} has {} more entries like these", name, mistakes - most_reported));
    if (mistakes == 0) *raw.entries = std::move(entries);
}

void Reader::finish() {
    std::size_t unknown = 0;
    for (const auto& entry : node_.entries) {
        if (std::find(known_.begin(), known_.end(), entry.key) != known_.end()) continue;
        if (++unknown > most_reported) continue;
        const std::string expected = known_.empty() ? "no keys" : joined(known_, ", ");
        diagnostics_.add(entry.key_where,
                         fmt::format("unknown key {} (expected {}).{}", shown(dotted(entry.key)), expected, did_you_mean(entry.key, known_)));
    }
    if (unknown > most_reported) diagnostics_.add(node_.where, fmt::format("{} more unknown keys", unknown - most_reported));
}

}  // namespace entrain::config
