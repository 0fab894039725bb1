#include "contract/fields.hpp"

#include <algorithm>
#include <filesystem>
#include <regex>

namespace entrain::contract {
namespace {

/// Judges each field as it is visited; sections with the same rules, under their dotted name.
class Judge final : public FieldVisitor {
 public:
    Judge(std::string prefix, std::set<std::string> reserved, std::vector<std::string>& problems)
        : prefix_{std::move(prefix)}, reserved_{std::move(reserved)}, problems_{problems} {}

    void visit(const Field& field) override {
        name_ = prefix_ + std::string{field.name};
        if (!snake_case(field.name)) complain("is not in snake_case");
        if (!seen_.insert(name_).second) complain("is described twice");
        if (reserved_.contains(std::string{field.name})) complain("is a key of the whole section, not of a plug-in");
        if (field.doc.empty()) complain("has no doc");
        std::visit([this](const auto& value) { judge(value); }, field.value);
    }

 private:
    void complain(const std::string& what) { problems_.push_back(name_ + " " + what); }

    void judge_number(double value, const Interval& range) {
        if (!(range.low < range.high)) complain("has an empty range");
        if (!range.contains(value)) complain("has a default outside its range: " + std::to_string(value));
    }
    void judge_integer(std::int64_t value, std::int64_t low, std::int64_t high) {
        if (low > high) complain("has an empty range");
        if (value < low || value > high) complain("has a default outside its range: " + std::to_string(value));
    }

    void judge(const QuantityField& f) {
        if (f.symbol.empty()) complain("has no unit");
        judge_number(*f.si, f.range);
    }
    void judge(const NumberField& f) { judge_number(*f.value, f.range); }
    void judge(const OptionalNumberField& f) {
        if (*f.value) judge_number(**f.value, f.range);
    }
    void judge(const IntegerField& f) { judge_integer(*f.value, f.low, f.high); }
    void judge(const OptionalIntegerField& f) {
        if (*f.value) judge_integer(**f.value, f.low, f.high);
    }
    void judge(const IntegerListField& f) {
        for (const std::int64_t value : *f.value) judge_integer(value, f.low, f.high);
    }
    void judge(const WordField& f) {
        const std::string preset = f.text();
        if (f.allowed.empty()) complain("allows no word");
        for (const std::string& word : f.allowed) {
            if (!snake_case(word)) continue;  // a form such as "fixed: 0 deg"
            if (const std::string why = f.assign(word); !why.empty()) complain("does not accept its own word " + word + ": " + why);
            if (f.text() != word) complain("was given " + word + " and says " + f.text());
        }
        if (f.assign("no_such_word").empty()) complain("accepts a word that does not exist");
        if (const std::string why = f.assign(preset); !why.empty()) complain("does not accept its own default '" + preset + "': " + why);
    }
    void judge(const SectionField& f) {
        Judge inner{name_ + ".", {}, problems_};
        f.describe(inner);
    }
    void judge(const SectionListField& f) {
        const std::size_t count = f.size();
        f.resize(count + 1);
        Judge inner{name_ + ".", {}, problems_};
        f.describe(count, inner);
        f.resize(count);
    }
    void judge(const FlagField&) {}
    void judge(const TextField&) {}
    void judge(const RawMapField&) {}

    std::string prefix_;
    std::set<std::string> reserved_;
    std::vector<std::string>& problems_;
    std::set<std::string> seen_;
    std::string name_;
};

/// Every field with its value as text.
class Values final : public FieldVisitor {
 public:
    void visit(const Field& field) override {
        std::visit([&](const auto& value) { note(field, value); }, field.value);
    }
    [[nodiscard]] const std::vector<std::string>& lines() const { return lines_; }

 private:
    void add(const Field& field, const std::string& value) { lines_.push_back(std::string{field.name} + "=" + value); }
    void note(const Field& field, const QuantityField& f) { add(field, std::to_string(*f.si)); }
    void note(const Field& field, const NumberField& f) { add(field, std::to_string(*f.value)); }
    void note(const Field& field, const OptionalNumberField& f) { add(field, *f.value ? std::to_string(**f.value) : "null"); }
    void note(const Field& field, const IntegerField& f) { add(field, std::to_string(*f.value)); }
    void note(const Field& field, const OptionalIntegerField& f) { add(field, *f.value ? std::to_string(**f.value) : "null"); }
    void note(const Field& field, const FlagField& f) { add(field, *f.value ? "true" : "false"); }
    void note(const Field& field, const TextField& f) { add(field, *f.value); }
    void note(const Field& field, const WordField& f) { add(field, f.text()); }
    void note(const Field& field, const IntegerListField& f) {
        std::string text;
        for (const std::int64_t value : *f.value) text += std::to_string(value) + ",";
        add(field, text);
    }
    void note(const Field&, const SectionField& f) { f.describe(*this); }
    void note(const Field&, const SectionListField& f) {
        for (std::size_t k = 0; k < f.size(); ++k) f.describe(k, *this);
    }
    void note(const Field& field, const RawMapField& f) { add(field, std::to_string(f.entries->size())); }

    std::vector<std::string> lines_;
};

}  // namespace

std::vector<std::string> check_options(const std::function<void(FieldVisitor&)>& describe, const std::set<std::string>& reserved) {
    Values before;
    describe(before);
    std::vector<std::string> problems;
    Judge judge{"", reserved, problems};
    describe(judge);
    Values after;
    describe(after);
    if (before.lines() != after.lines()) problems.emplace_back("the options changed although nothing was written to them");
    return problems;
}

bool snake_case(std::string_view name) {
    static const std::regex pattern{"[a-z][a-z0-9]*(_[a-z0-9]+)*"};
    return std::regex_match(name.begin(), name.end(), pattern);
}

std::vector<std::string> plugin_folders(const std::string& kind) {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator{std::filesystem::path{ENTRAIN_SOURCE_DIR} / "src" / kind})
        if (std::filesystem::exists(entry.path() / "CMakeLists.txt")) names.push_back(entry.path().filename().string());
    std::ranges::sort(names);
    return names;
}

}  // namespace entrain::contract
