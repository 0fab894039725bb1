#pragma once
#include <map>
#include <memory>
#include <string>

#include "config/corner.hpp"
#include "core/error.hpp"
#include "substrates/cdw/design.hpp"
#include "substrates/cdw/plugin.hpp"

namespace entrain::substrates::cdw {

/// models/cdw/<name>.yaml with these values [SI] instead.
inline Corner corner(const std::string& name, const std::map<std::string, double>& overrides = {}) {
    std::vector<config::ModelParameterSpec> specs;
    for (const ParameterSpec& p : parameters()) specs.push_back({p.name, p.unit, p.range});
    Diagnostics diagnostics;
    Corner corner;
    for (const auto& [key, p] :
         config::resolve_corner(config::read_model_file(std::string{ENTRAIN_SOURCE_DIR} + "/models/cdw/" + name + ".yaml"), specs, {}, diagnostics))
        corner[key] = {p.value, p.unit, p.source};
    diagnostics.throw_if_any();
    for (const auto& [key, value] : overrides) corner.at(key).value = value;
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

inline std::unique_ptr<Substrate> configured(const std::map<std::string, double>& numbers = {}, const std::map<std::string, double>& parameter = {},
                                             const std::string& corner_name = "typical") {
    std::unique_ptr<Substrate> cells = create();
    Setter setter{numbers};
    cells->describe(setter);
    cells->configure(corner(corner_name, parameter));
    return cells;
}

}  // namespace entrain::substrates::cdw
