#pragma once
#include <map>
#include <memory>
#include <string>

#include "core/error.hpp"
#include "substrates/cdw/design.hpp"
#include "substrates/cdw/plugin.hpp"
#include "support/corner.hpp"

namespace entrain::substrates::cdw {

/// models/cdw/<name>.yaml with these values [SI] instead.
inline Corner corner(const std::string& name, const std::map<std::string, double>& overrides = {}) {
    return test::corner_of("cdw", name, parameters(), overrides);
}

inline std::unique_ptr<Substrate> configured(const std::map<std::string, double>& numbers = {}, const std::map<std::string, double>& parameter = {},
                                             const std::string& corner_name = "typical") {
    std::unique_ptr<Substrate> cells = create();
    test::Setter setter{numbers};
    cells->describe(setter);
    cells->configure(corner(corner_name, parameter));
    return cells;
}

}  // namespace entrain::substrates::cdw
