#pragma once
#include <map>
#include <string>
#include <vector>

#include "config/corner.hpp"
#include "core/fields.hpp"
#include "substrates/substrate.hpp"

namespace entrain::test {

/// models/<kind>/<name>.yaml for these parameters, with some values [SI] replaced.
inline substrates::Corner corner_of(const std::string& kind, const std::string& name, const std::vector<substrates::ParameterSpec>& parameters,
                                    const std::map<std::string, double>& overrides = {}) {
    std::vector<config::ModelParameterSpec> specs;
    for (const substrates::ParameterSpec& p : parameters) specs.push_back({p.name, p.unit, p.range});
    Diagnostics diagnostics;
    substrates::Corner corner;
    const std::string file = std::string{ENTRAIN_SOURCE_DIR} + "/models/" + kind + "/" + name + ".yaml";
    for (const auto& [key, p] : config::resolve_corner(config::read_model_file(file), specs, {}, diagnostics))
        corner[key] = {p.value, p.unit, p.source};
    diagnostics.throw_if_any();
    for (const auto& [key, value] : overrides) corner.at(key).value = value;
    return corner;
}

/// Sets optional numbers, words and texts by name, as the configuration reader does.
class Setter final : public FieldVisitor {
 public:
    explicit Setter(std::map<std::string, double> numbers, std::map<std::string, std::string> words = {})
        : numbers_{std::move(numbers)}, words_{std::move(words)} {}
    void visit(const Field& field) override {
        const std::string name{field.name};
        if (const auto* number = std::get_if<OptionalNumberField>(&field.value); number != nullptr && numbers_.contains(name))
            *number->value = numbers_.at(name);
        if (const auto* text = std::get_if<TextField>(&field.value); text != nullptr && words_.contains(name)) *text->value = words_.at(name);
        if (const auto* quantity = std::get_if<QuantityField>(&field.value); quantity != nullptr && numbers_.contains(name))
            *quantity->si = numbers_.at(name);
        if (const auto* section = std::get_if<SectionField>(&field.value)) section->describe(*this);
        if (const auto* word = std::get_if<WordField>(&field.value); word != nullptr && words_.contains(name)) answer = word->assign(words_.at(name));
        if (const auto* flag = std::get_if<FlagField>(&field.value); flag != nullptr && words_.contains(name))
            *flag->value = words_.at(name) == "true";
    }
    std::string answer;  ///< what the last word's field said against it, "" = nothing

 private:
    std::map<std::string, double> numbers_;
    std::map<std::string, std::string> words_;
};

/// Configures a substrate at its typical corner with some options replaced; one of user files as the BSIM4 ring, brought in as if it were a user's.
inline void configure(substrates::Substrate& substrate, const std::string& kind, std::map<std::string, double> numbers = {}) {
    if (!substrate.from_user_files()) {
        Setter setter{std::move(numbers)};
        substrate.describe(setter);
        substrate.configure(substrate.parameters().empty() ? substrates::Corner{} : corner_of(kind, "typical", substrate.parameters()));
        return;
    }
    numbers.emplace("supply_voltage", 1.2);
    Setter setter{std::move(numbers),
                  {{"netlist", "netlists/ring/bsim4_3.cir"},
                   {"inject", "s0"},
                   {"read", "s0"},
                   {"supply", "vdd"},
                   {"open", "s1 s2"},
                   {"speed_parameter", "speed"}}};
    substrate.describe(setter);
    substrates::UserFiles files;
    files.folder = ENTRAIN_SOURCE_DIR;
    files.models = {{files.folder / "models/devices/generic_bsim4.lib", ""}};
    static_cast<void>(substrate.read_files(files));
    substrate.configure({});
}

}  // namespace entrain::test
