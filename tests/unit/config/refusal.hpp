#pragma once
#include <string>

#include "core/error.hpp"

namespace entrain::config {

/// The messages of the UserError that `act` throws, one a line; "accepted" if it throws none.
template <class Act>
std::string refusal(Act&& act) {
    try {
        act();
    } catch (const UserError& error) {
        return error.what();
    }
    return "accepted";
}

}  // namespace entrain::config
