#pragma once
#include <map>
#include <memory>
#include <string>

#include "core/error.hpp"
#include "substrates/josephson/design.hpp"
#include "substrates/josephson/plugin.hpp"
#include "support/corner.hpp"

namespace entrain::substrates::josephson {

/// models/josephson/typical.yaml with these values [SI] instead.
inline Corner typical(const std::map<std::string, double>& overrides = {}) {
    return test::corner_of("josephson", "typical", parameters(), overrides);
}

inline std::unique_ptr<Substrate> configured(const std::map<std::string, double>& numbers = {}, const std::map<std::string, double>& parameter = {}) {
    std::unique_ptr<Substrate> junctions = create();
    test::Setter setter{numbers};
    junctions->describe(setter);
    junctions->configure(typical(parameter));
    return junctions;
}

}  // namespace entrain::substrates::josephson
