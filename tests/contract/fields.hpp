#pragma once
#include <functional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/fields.hpp"

namespace entrain::contract {

/// What is wrong with a list of options, one sentence each: a name twice or not in snake_case, a name of `reserved` (keys that belong to the section
/// and not to the plug-in), no doc, an empty range, a default outside its range, a word that is not accepted or accepted although it is none of the
/// allowed, a description that changes the options.
[[nodiscard]] std::vector<std::string> check_options(const std::function<void(FieldVisitor&)>& describe, const std::set<std::string>& reserved);

/// Lower-case words joined by underscores.
[[nodiscard]] bool snake_case(std::string_view name);

/// The plug-in folders of src/<kind>, in alphabetical order.
[[nodiscard]] std::vector<std::string> plugin_folders(const std::string& kind);

}  // namespace entrain::contract
