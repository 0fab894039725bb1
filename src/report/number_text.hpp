#pragma once
#include <string>
#include <string_view>

#include "io/json.hpp"

namespace entrain::report {

/// Three significant digits with an SI prefix: "412 ns"; "-" for null.
[[nodiscard]] std::string engineering(const io::Json& value, std::string_view unit);

/// Three significant digits: "0.00871"; "-" for null.
[[nodiscard]] std::string number(const io::Json& value, std::string_view unit = "");

}  // namespace entrain::report
