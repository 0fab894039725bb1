#pragma once
#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "core/error.hpp"
#include "core/quantity.hpp"

namespace entrain {

/// Closed interval of allowed values, in the SI unit of the field. open_low excludes the lower end.
struct Interval {
    double low = -std::numeric_limits<double>::infinity();
    double high = std::numeric_limits<double>::infinity();
    bool open_low = false;
    [[nodiscard]] bool contains(double x) const { return (open_low ? x > low : x >= low) && x <= high; }
};
inline constexpr Interval any_value{};
inline constexpr Interval positive{0.0, std::numeric_limits<double>::infinity(), true};
inline constexpr Interval non_negative{0.0, std::numeric_limits<double>::infinity(), false};
inline constexpr Interval fraction{0.0, 1.0, false};

class FieldVisitor;

/// Field of a quantity: the SI value in the unit `symbol`. (Not si_value, which is a macro of <signal.h>.)
struct QuantityField {
    double* si;
    std::string_view symbol;
    Interval range;
};
struct NumberField {
    double* value;
    Interval range;
};
struct OptionalNumberField {
    std::optional<double>* value;
    Interval range;
};  ///< null allowed
struct IntegerField {
    std::int64_t* value;
    std::int64_t low;
    std::int64_t high;
};
struct OptionalIntegerField {
    std::optional<std::int64_t>* value;
    std::int64_t low;
    std::int64_t high;
};
struct FlagField {
    bool* value;
};
struct TextField {
    std::string* value;
};
struct IntegerListField {
    std::vector<std::int64_t>* value;
    std::int64_t low;
    std::int64_t high;
};
/// One word out of `allowed`, or any text that assign() accepts (allowed then lists the forms, e.g. "quantile: 0.99").
/// assign returns "" or what is wrong.
struct WordField {
    std::vector<std::string> allowed;
    std::function<std::string(const std::string&)> assign;
    std::function<std::string()> text;
};
/// A nested map with its own fields.
struct SectionField {
    std::function<void(FieldVisitor&)> describe;
};
/// A list of maps with the same fields. resize() makes room for so many; describe() visits the fields of one.
struct SectionListField {
    std::function<std::size_t()> size;
    std::function<void(std::size_t)> resize;
    std::function<void(std::size_t, FieldVisitor&)> describe;
};
/// A map whose keys are not known to the code (keys of a model file); values stay text with their place.
struct RawEntry {
    std::string key;
    std::string text;
    Location where;
};
struct RawMapField {
    std::vector<RawEntry>* entries;
};

struct Field {
    std::string_view name;
    std::string_view doc;
    std::variant<QuantityField, NumberField, OptionalNumberField, IntegerField, OptionalIntegerField, FlagField, TextField, IntegerListField,
                 WordField, SectionField, SectionListField, RawMapField>
        value;
    bool required = false;
};

/// Visits the fields of an options struct. The same list drives strict reading (config::Reader), the resolved-configuration echo (config::Echo)
/// and the option tables of `entrain describe` (config::Reference): an option is spelled once, in the struct's describe().
class FieldVisitor {
 public:
    virtual ~FieldVisitor() = default;
    virtual void visit(const Field& field) = 0;

    template <class Unit>
    void quantity(std::string_view name, Quantity<Unit>& q, Interval range, std::string_view doc) {
        double si = q.value();
        visit({name, doc, QuantityField{&si, Unit::symbol, range}});
        q = Quantity<Unit>{si};
    }
    void number(std::string_view name, double& x, Interval range, std::string_view doc) { visit({name, doc, NumberField{&x, range}}); }
    void number(std::string_view name, std::optional<double>& x, Interval range, std::string_view doc) {
        visit({name, doc, OptionalNumberField{&x, range}});
    }
    void integer(std::string_view name, std::int64_t& i, std::int64_t low, std::int64_t high, std::string_view doc) {
        visit({name, doc, IntegerField{&i, low, high}});
    }
    void integer(std::string_view name, std::optional<std::int64_t>& i, std::int64_t low, std::int64_t high, std::string_view doc) {
        visit({name, doc, OptionalIntegerField{&i, low, high}});
    }
    void flag(std::string_view name, bool& b, std::string_view doc) { visit({name, doc, FlagField{&b}}); }
    void text(std::string_view name, std::string& s, std::string_view doc) { visit({name, doc, TextField{&s}}); }
    void integers(std::string_view name, std::vector<std::int64_t>& list, std::int64_t low, std::int64_t high, std::string_view doc) {
        visit({name, doc, IntegerListField{&list, low, high}});
    }
    void section(std::string_view name, std::function<void(FieldVisitor&)> describe, std::string_view doc) {
        visit({name, doc, SectionField{std::move(describe)}});
    }
    /// A list of structs that have a describe().
    template <class Options>
    void sections(std::string_view name, std::vector<Options>& list, std::string_view doc) {
        visit({name, doc,
               SectionListField{[&list] { return list.size(); }, [&list](std::size_t n) { list.resize(n); },
                                [&list](std::size_t k, FieldVisitor& visitor) { list.at(k).describe(visitor); }}});
    }
    void raw_map(std::string_view name, std::vector<RawEntry>& entries, std::string_view doc) { visit({name, doc, RawMapField{&entries}}); }

    /// An enumeration spelled as words.
    template <class E>
    void choice(std::string_view name, E& value, std::vector<std::pair<std::string, E>> words, std::string_view doc) {
        std::vector<std::string> allowed;
        for (const auto& [word, e] : words) allowed.push_back(word);
        visit({name, doc,
               WordField{allowed,
                         [&value, words](const std::string& text) -> std::string {
                             for (const auto& [word, e] : words)
                                 if (word == text) {
                                     value = e;
                                     return "";
                                 }
                             return "unknown word";
                         },
                         [&value, words]() -> std::string {
                             for (const auto& [word, e] : words)
                                 if (e == value) return word;
                             return "";
                         }}});
    }
    /// A text with its own small grammar, e.g. "slowest" | "quantile: 0.99" | "fixed: 40 ns".
    void word(std::string_view name, WordField field, std::string_view doc) { visit({name, doc, std::move(field)}); }
};

}  // namespace entrain
