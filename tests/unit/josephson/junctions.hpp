#pragma once
#include <map>
#include <memory>
#include <string>

#include "config/corner.hpp"
#include "core/error.hpp"
#include "substrates/josephson/design.hpp"
#include "substrates/josephson/plugin.hpp"

namespace entrain::substrates::josephson {

/// models/josephson/typical.yaml with these values [SI] instead.
inline Corner typical(const std::map<std::string, double>& overrides = {}) {
    std::vector<config::ModelParameterSpec> specs;
    for (const ParameterSpec& p : parameters()) specs.push_back({p.name, p.unit, p.range});
    Diagnostics diagnostics;
    Corner corner;
    for (const auto& [name, p] :
         config::resolve_corner(config::read_model_file(std::string{ENTRAIN_SOURCE_DIR} + "/models/josephson/typical.yaml"), specs, {}, diagnostics))
        corner[name] = {p.value, p.unit, p.source};
    diagnostics.throw_if_any();
    for (const auto& [name, value] : overrides) corner.at(name).value = value;
    return corner;
}

/// Sets options by name, as the configuration reader does.
class Setter final : public FieldVisitor {
 public:
    explicit Setter(std::map<std::string, double> numbers) : numbers_{std::move(numbers)} {}
    void visit(const Field& field) override {
        if (const auto* number = std::get_if<OptionalNumberField>(&field.value); number != nullptr && numbers_.contains(std::string{field.name}))
            *number->value = numbers_.at(std::string{field.name});
    }

 private:
    std::map<std::string, double> numbers_;
};

inline std::unique_ptr<Substrate> configured(const std::map<std::string, double>& numbers = {}, const std::map<std::string, double>& parameter = {}) {
    std::unique_ptr<Substrate> junctions = create();
    Setter setter{numbers};
    junctions->describe(setter);
    junctions->configure(typical(parameter));
    return junctions;
}

}  // namespace entrain::substrates::josephson
